"""What the keys of the data accept."""

from __future__ import annotations

import pytest

from ft_core.config import explain, load_config
from ft_core.config.schema.dataset import PretrainingDataset


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("val_set_size: 0.05", 0.05),
        ("train_on_inputs: true", True),
        ("shuffle_merged_datasets: false", False),
        ("broken_rows: skip", "skip"),
        ("dataset_prepared_path: prepared", "prepared"),
        ("dataset_num_proc: '4'", 4),
        ("dataloader_num_workers: 0", 0),
        ("streaming_multipack_buffer_size: 1e4", 10_000),
        ("push_dataset_to_hub: me/data", "me/data"),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("val_set_size: -1", "must be at least 0, not -1", ""),
        ("dataset_num_proc: 0", "must be at least 1, not 0", ""),
        ("broken_rows: drop", "cannot be 'drop'", "use 'raise' or 'skip'"),
        ("dataset_shard_idx: -1", "must be at least 0, not -1", ""),
        ("streaming: auto", "must be true or false, not 'auto'", ""),
        (
            "pretraining_dataset: 3",
            "must be a list of maps, one map, or one path, not 3",
            "begin each entry with '- '",
        ),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    "line",
    [
        "pretraining_dataset: org/text",
        "pretraining_dataset: {path: org/text}",
        "pretraining_dataset: [{path: org/text, split: train}]",
    ],
)
def test_three_ways_to_write_pretraining_data(stored, line):
    assert stored(line) == (PretrainingDataset(path="org/text"),)


def test_pretraining_data_are_datasets_that_are_streamed():
    text = "base_model: org/model\nlearning_rate: 2e-4\nmax_steps: 5\npretraining_dataset: "
    config = load_config(
        text + "[{path: a/b, name: [en, fr], skip: 2}, {path: c/d, type: completion, field: body}]"
    )
    assert config.streaming
    found = [(one.path, one.name, one.type, one.skip, one.field) for one in config.datasets]
    assert found == [
        ("a/b", "en", "pretrain", 2, "text"),
        ("a/b", "fr", "pretrain", 2, "text"),
        ("c/d", None, "completion", None, "body"),
    ]
    assert (config.origin("datasets[2].path").line, config.pretraining_dataset) == (4, ())
    assert load_config(config.to_yaml()) == config
    assert load_config(text + "a/b").datasets[0].path == "a/b"
    assert load_config(text + "a/b", {"pretraining_dataset": "e/f"}).datasets[0].path == "e/f"


def test_the_keys_of_pretraining_data_are_explained():
    doc = explain("pretraining_dataset.text_column")
    assert (doc.text, doc.default) == ("The column that holds the text.", "text")
    assert doc.instead is None


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("remove_unused_columns: true", "remove it: the model gets the columns that it reads"),
        ("skip_prepare_dataset: true", "use 'streaming: true', which tokenizes rows while training"),
        (
            "pretraining_sample_concatenation: true",
            "use 'sample_packing: true', which fills rows with texts that do not see each other",
        ),
    ],
)
def test_not_supported_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line)[0] == (4, 1, f"'{key}' is not supported yet", fix)


@pytest.mark.parametrize(
    "line",
    [
        "remove_unused_columns: false",
        "streaming_multipack_buffer_size: '1e4'",
        "pretrain_multipack_attn: true",
    ],
)
def test_what_asks_for_nothing_passes(warnings, required, line):
    assert warnings(required + line) == []
