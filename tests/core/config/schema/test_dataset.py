"""What the keys of one dataset accept."""

from __future__ import annotations

import pytest

from ft_core.config import Dataset
from ft_core.config.keys import axolotl_keys

ENTRY = "base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  type: chat_template\n  "


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("path: rows.jsonl", "rows.jsonl"),
        ("name: en", "en"),
        ("split: train[:10%]", "train[:10%]"),
        ("data_files: part.json", ("part.json",)),
        ("ds_type: csv", "csv"),
        ("weight: 0.5", 0.5),
        ("shards: 10", 10),
        ("shards_idx: 3", 3),
        ("revision: refs/pr/1", "refs/pr/1"),
        ("trust_remote_code: true", True),
        ("roles: {user: human}", {"user": ("human",)}),
        ("roles_to_train: [assistant, tool]", ("assistant", "tool")),
        ("train_on_eot: none", "none"),
        ("message_property_mappings: {role: from}", {"role": "from", "content": "content"}),
        ("temperature: 1", 1.0),
        ("step_separator: '<step>'", "<step>"),
        (r'step_separator: "\n"', "\n"),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line, "datasets")
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("name: [1]", "must be text, or a list of nothing but text", "write [en, fr]"),
        ("name: 3", "must be text, not 3", "put it in quotes if it is meant as text"),
        ("weight: 0", "must be greater than 0 and at most 1, not 0", ""),
        ("weight: 1.5", "must be greater than 0 and at most 1, not 1.5", ""),
        ("shards_idx: -1", "must be at least 0, not -1", ""),
        (
            "ds_type: jsom",
            "cannot be 'jsom'; did you mean 'json'?",
            "use 'json', 'jsonl', 'csv', 'parquet', 'arrow' or 'text'",
        ),
        ("step_separator: ''", "is empty", "write a value, or remove the line"),
        ("train_on_eos: false", "cannot be false", "use 'turn', 'all', 'last' or 'none'"),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line, "datasets") == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("field_human: human", "use 'roles', such as 'roles: {user: [human], assistant: [gpt]}'"),
        (
            "max_completion_length: 9",
            "remove it: excess_length_strategy says what becomes of long samples",
        ),
        ("logprobs_field: x", "remove it: no teacher model is distilled"),
    ],
)
def test_not_supported_yet(errors, line, fix):
    key = line.partition(":")[0]
    assert errors(ENTRY + line) == [(6, 3, f"'{key}' is not supported yet", fix)]


@pytest.mark.parametrize("line", ["weight: 1.0", "skip:", "drop_system_message: false", "shards:"])
def test_what_asks_for_nothing_passes(warnings, line):
    assert warnings(ENTRY + line) == []


def test_the_keys_of_a_dataset_are_axolotls():
    assert set(Dataset.model_fields) <= axolotl_keys("datasets").keys()
