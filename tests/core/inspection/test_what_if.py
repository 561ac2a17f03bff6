"""Other values for the keys that say what a row becomes, and the lines that give them to a cell."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.config import Config, ConfigError, load_config
from ft_core.inspection.what_if import changed, knobs, yaml_lines

TEXT = """\
base_model: org/model
learning_rate: 2e-4
chat_template: chatml
sequence_len: 128
datasets:
  - path: org/data
    type: chat_template
    roles_to_train: [assistant]
"""


def load(text: str = TEXT, **options: Any) -> Config:
    return load_config(text, check_paths=False, **options)


def pasted(text: str, lines: str, **options: Any) -> Config:
    """Return the config of a cell in which the lines took the place of those of the same keys."""
    new = yaml.safe_load(lines) or {}
    kept = {key: value for key, value in yaml.safe_load(text).items() if key not in new}
    return load(yaml.safe_dump(kept) + lines, **options)


def row(config: Config, key: str) -> tuple[Any, ...]:
    knob = next(knob for knob in knobs(config, config) if knob.key == key)
    return knob.label, knob.kind, knob.choices, knob.value, knob.original, knob.dataset


def test_the_knobs_of_conversations() -> None:
    config = load()
    assert [knob.key for knob in knobs(config, config)] == [
        "chat_template",
        "train_on_inputs",
        "sequence_len",
        "excess_length_strategy",
        "min_sample_len",
        "sample_packing",
        "datasets[0].roles_to_train",
        "datasets[0].train_on_eos",
        "datasets[0].drop_system_message",
        "datasets[0].split_thinking",
    ]
    label, kind, choices, value, _, dataset = row(config, "chat_template")
    assert (label, kind, value, dataset) == ("chat_template", "choice", "chatml", None)
    assert choices[:3] == ("tokenizer_default", "alpaca", "aya")
    roles = ("user", "assistant", "system", "tool")
    assert row(config, "datasets[0].roles_to_train") == (
        "roles_to_train", "list", roles, ("assistant",), ("assistant",), 0,
    )  # fmt: skip
    options = ("turn", "all", "last", "none")
    assert row(config, "datasets[0].train_on_eos") == ("train_on_eos", "choice", options, "turn", "turn", 0)
    assert row(config, "excess_length_strategy")[1:3] == ("choice", ("drop", "truncate", "raise"))
    assert row(config, "sequence_len") == ("sequence_len", "number", (), 128, 128, None)
    assert all(knob.description for knob in knobs(config, config))


LENGTHS = ["sequence_len", "excess_length_strategy", "min_sample_len", "sample_packing"]


@pytest.mark.parametrize(
    ("dataset", "keys"),
    [
        ({"type": "completion"}, LENGTHS),
        ({"type": ""}, LENGTHS),
        ({"type": "alpaca"}, ["train_on_inputs", *LENGTHS]),
        ({"type": {"format": "{instruction}"}}, ["train_on_inputs", *LENGTHS]),
        ({"type": "my_module.read"}, ["train_on_inputs", *LENGTHS]),
        ({"type": "messages"}, ["chat_template", "train_on_inputs", *LENGTHS]),
        ({"type": "stepwise_supervised"}, [*LENGTHS, "datasets[0].train_on_last_step_only"]),
        (
            {"type": "messages", "chat_template": "llama3"},
            ["chat_template", "train_on_inputs", *LENGTHS, "datasets[0].chat_template"],
        ),
    ],
)
def test_the_knobs_of_other_types(dataset: dict[str, Any], keys: list[str]) -> None:
    config = load_config(
        {"base_model": "a/b", "learning_rate": 1e-4, "datasets": [{"path": "x", **dataset}]},
        check_paths=False,
    )
    found = knobs(config, config)
    assert [knob.key for knob in found] == keys
    templates = [knob.choices for knob in found if knob.label == "chat_template"]
    assert all(choices == ("tokenizer_default", "chatml", "llama3") for choices in templates)


def test_datasets_for_evaluation_have_their_own() -> None:
    config = load(TEXT + "test_datasets: [{path: a, type: chat_template, chat_template: llama3}]\n")
    assert [(knob.key, knob.dataset) for knob in knobs(config, config) if knob.label == "train_on_eos"] == [
        ("datasets[0].train_on_eos", 0),
        ("test_datasets[0].train_on_eos", 1),
    ]
    assert row(config, "test_datasets[0].chat_template")[3] == "llama3"


def test_jinja_can_be_chosen_only_where_it_is_given() -> None:
    given_one = load(TEXT.replace("chat_template: chatml", "chat_template_jinja: '{{ messages }}'"))
    assert "jinja" in row(given_one, "chat_template")[2]
    assert "jinja" not in row(load(), "chat_template")[2]


def test_a_knob_shows_what_it_is_and_what_it_was() -> None:
    config = load()
    other = changed(config, {"sequence_len": 64, "datasets[0].roles_to_train": ["user"]})
    found = {knob.key: (knob.value, knob.original) for knob in knobs(config, other)}
    assert found["sequence_len"] == (64, 128)
    assert found["datasets[0].roles_to_train"] == (("user",), ("assistant",))


@pytest.mark.parametrize(
    ("changes", "lines"),
    [
        ({}, ""),
        ({"sequence_len": 128, "datasets[0].roles_to_train": ["assistant"]}, ""),
        ({"sequence_len": 64}, "sequence_len: 64\n"),
        ({"sequence_len": None}, "sequence_len:\n"),
        ({"train_on_inputs": True, "min_sample_len": 4}, "train_on_inputs: true\nmin_sample_len: 4\n"),
        (
            {"datasets[0].train_on_eos": "all", "datasets[0].roles_to_train": None},
            "datasets:\n- path: org/data\n  type: chat_template\n  train_on_eos: all\n",
        ),
        (
            {"datasets[0].roles_to_train": ["user", "assistant"], "chat_template": "llama3"},
            (
                "datasets:\n- path: org/data\n  type: chat_template\n  roles_to_train:\n  - user\n  - assistant\n"
                "chat_template: llama3\n"
            ),
        ),
    ],
)
def test_lines_for_the_cell(changes: dict[str, Any], lines: str) -> None:
    config = load()
    assert yaml_lines(config, changes) == lines
    assert pasted(TEXT, lines) == changed(config, changes)


def test_a_template_of_ones_own_makes_way() -> None:
    text = TEXT.replace("chat_template: chatml", "chat_template_jinja: '{{ messages }}'")
    config = load(text)
    changes = {"chat_template": "llama3"}
    other = changed(config, changes)
    assert (other.chat_template, other.chat_template_jinja) == ("llama3", None)
    assert yaml_lines(config, changes) == "chat_template: llama3\nchat_template_jinja:\n"
    assert pasted(text, yaml_lines(config, changes)) == other


def test_what_follows_from_a_changed_value_follows_anew() -> None:
    config = load(TEXT + "gradient_accumulation_steps: 2\n")
    other = changed(config, {"datasets[0].train_on_eos": "last", "sample_packing": True})
    assert other.datasets[0].train_on_eot == "last"
    assert (other.eval_sample_packing, other.pad_to_sequence_len, other.multipack_real_batches) == (
        True,
        True,
        True,
    )
    assert other.gradient_accumulation_steps == 2


def test_a_config_that_was_written_out_may_be_changed_too() -> None:
    resolved = load(load().to_yaml())
    other = changed(resolved, {"datasets[0].train_on_eos": "all"})
    assert (other.datasets[0].train_on_eos, other.datasets[0].train_on_eot) == ("all", "all")
    # Two that were made to differ stay so.
    apart = load(TEXT.replace("    roles", "    train_on_eos: turn\n    train_on_eot: last\n    roles"))
    other = changed(apart, {"datasets[0].train_on_eos": "all"})
    assert (other.datasets[0].train_on_eos, other.datasets[0].train_on_eot) == ("all", "last")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"sequence_len": 1}, ("sequence_len", "'sequence_len' must be at least 2, not 1")),
        ({"sequence_len": "long"}, ("sequence_len", "'sequence_len' must be a whole number, not 'long'")),
        ({"chat_template": "chatlm"}, ("chat_template", "'chat_template' cannot be 'chatlm'; did you mean 'chatml'?")),
        ({"datasets[0].train_on_eos": "never"}, ("datasets[0].train_on_eos", "'train_on_eos' cannot be 'never'")),
        ({"datasets[0].roles_to_train": "user"},
         ("datasets[0].roles_to_train", "'roles_to_train' must be a list of texts, not 'user'")),
        ({"trust_remote_code": True}, ("trust_remote_code", "'trust_remote_code' cannot be tried out")),
        ({"datasets[7].train_on_eos": "all"}, ("datasets[7].train_on_eos", "'datasets[7].train_on_eos' cannot be tried out")),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_as_in_a_cell(changes: dict[str, Any], problem: tuple[str, str]) -> None:
    with pytest.raises(ConfigError) as caught:
        changed(load(), changes)
    assert [(found.key, found.message) for found in caught.value.problems] == [problem]


def test_an_override_has_to_go() -> None:
    config = load(overrides={"sequence_len": 256, "lora_r": 4, "adapter": "lora"})
    changes = {"sequence_len": 64, "train_on_inputs": True}
    lines = yaml_lines(config, changes)
    assert lines == "# without --set sequence_len\nsequence_len: 64\ntrain_on_inputs: true\n"
    left = {"lora_r": 4, "adapter": "lora"}
    assert pasted(TEXT, lines, overrides=left) == changed(config, changes)


def test_a_variable_keeps_its_name() -> None:
    rows = [{"messages": [{"role": "user", "content": "a"}]}]
    text = TEXT.replace("org/data", "$rows")
    config = load(text, variables={"rows": rows})
    changes = {"datasets[0].train_on_eos": "none"}
    other = changed(config, changes)
    assert other.datasets[0].table is not None
    assert other.datasets[0].table.value is rows
    lines = yaml_lines(config, changes)
    assert lines.splitlines()[1] == "- path: $rows"
    assert pasted(text, lines, variables={"rows": rows}) == other


def test_a_mapping_and_a_table_in_it() -> None:
    rows = [{"messages": [{"role": "user", "content": "a"}]}]
    config = load_config(
        {"base_model": "a/b", "learning_rate": 1e-4, "output_dir": "out/${x}", "sequence_len": 32,
         "datasets": [{"path": rows, "type": "chat_template"}]}
    )  # fmt: skip
    other = changed(config, {"sequence_len": 64})
    assert (other.sequence_len, other.output_dir) == (64, "out/${x}")
    assert other.datasets[0].table == config.datasets[0].table
    assert yaml_lines(config, {"datasets[0].train_on_eos": "all"}).splitlines()[1] == "- path: $datasets_0"


def test_text_that_looks_like_a_variable_stays_text() -> None:
    text = TEXT.replace("    roles", "    step_separator: '$${x}'\n    roles")
    config = load(text, variables={})
    changes = {"datasets[0].train_on_eos": "all"}
    lines = yaml_lines(config, changes)
    assert "step_separator: $${x}\n" in lines
    assert pasted(text, lines, variables={}) == changed(config, changes)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yml"
    file.write_text(TEXT)
    config = load_config(file, check_paths=False)
    assert changed(config, {"sequence_len": 64}) == load(TEXT.replace("128", "64"))


FULL = """\
base_model: org/model
tokenizer_config: org/other
learning_rate: 2e-4
batch_size: 8
micro_batch_size: 2
adapter: lora
lora_target_linear: true
special_tokens: {pad_token: <pad>}
chat_template: tokenizer_default_fallback_chatml
eot_tokens: ['<|im_end|>']
val_set_size: 0.1
evals_per_epoch: 2
saves_per_epoch: 1
sample_packing: true
datasets:
  - path: org/data
    type: chat_template
    chat_template: llama3
    field_messages: conversations
    message_property_mappings: {role: from, content: value}
    roles: {user: [human], assistant: [gpt]}
  - path: org/more
    type: {format: '[INST] {instruction} [/INST]', field_output: answer}
  - {path: org/text, type: completion, field: body}
"""

VALUES: dict[str, list[Any]] = {
    "chat_template": ["chatml", "tokenizer_default", None],
    "train_on_inputs": [True, False],
    "sequence_len": [64, 2048, None],
    "excess_length_strategy": ["truncate", "raise"],
    "min_sample_len": [3, None],
    "sample_packing": [True, False, None],
    "datasets[0].chat_template": ["phi_3", None],
    "datasets[0].roles_to_train": [["user"], [], ["assistant"]],
    "datasets[0].train_on_eos": ["all", "none", None],
    "datasets[0].drop_system_message": [True, None],
    "datasets[0].split_thinking": [True, False],
}


@given(st.fixed_dictionaries({}, optional={key: st.sampled_from(values) for key, values in VALUES.items()}))
@settings(max_examples=150, deadline=None)
def test_any_changes_pasted_give_the_very_config(changes: dict[str, Any]) -> None:
    config = load(FULL)
    other = changed(config, changes)
    assert pasted(FULL, yaml_lines(config, changes)) == other
    # And what was not changed is as it was.
    assert changed(other, {}) == other


def test_no_changes_give_the_same_config() -> None:
    for text, variables in itertools.product((TEXT, FULL), (None, {})):
        config = load(text, variables=variables)
        assert changed(config, {}) == config
