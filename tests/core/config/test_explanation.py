"""Where each value of a config came from."""

from __future__ import annotations

import doctest

import pytest

from ft_core.config import Origin, explanation, load_config

TEXT = """\
base_model: a/b
learning_rate: 1e-4
adapter: lora
special_tokens: {pad_token: x}
datasets:
  - path: c/d
    type: alpaca
"""


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("learning_rate", 1e-4, "line 2"),
        ("special_tokens.pad_token", "x", "line 4"),
        ("datasets[0].type", "alpaca", "line 7"),
        ("datasets[0].split", "train", "default"),
        ("lora_r", 8, "derived: adapter is lora"),
        ("batch_size", 2, "derived: micro_batch_size x gradient_accumulation_steps"),
        ("micro_batch_size", 2, "override: --set micro_batch_size"),
        ("sequence_len", 512, "default"),
    ],
)
def test_each_value_says_where_it_came_from(key, value, why):
    explained = load_config(TEXT, {"micro_batch_size": 2}).explain()[key]
    assert (explained.value, explained.why) == (value, why)
    assert explained.given is why.startswith(("line", "override"))


def test_a_mapping_has_no_lines():
    values = load_config(
        {"base_model": "a/b", "learning_rate": 1, "datasets": [{"path": "c/d", "type": "alpaca"}]}
    ).explain()
    assert values["base_model"].origin == Origin("line", None)
    assert values["base_model"].why == "given"


def test_what_is_not_set_is_not_there():
    values = load_config(TEXT).explain()
    assert [value.key for value in values][:2] == ["base_model", "model_type"]
    with pytest.raises(KeyError):
        values["max_steps"]


def test_it_prints_as_a_table():
    lines = str(load_config(TEXT).explain()).splitlines()
    assert len(lines) == len(load_config(TEXT).explain())
    assert lines[0].split() == ["base_model", "a/b", "line", "1"]
    assert len({line.rindex("default") for line in lines if line.endswith("default")}) == 1


def test_the_example():
    assert doctest.testmod(explanation).failed == 0
