"""What is trained on and evaluated on as a whole."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "datasets: []",
        3,
        11,
        "'datasets' is empty",
        "add an entry: '- path: rows.jsonl' with its 'type'",
        "datasets: [{path: a/b, type: alpaca}]",
    ),
    (
        "val_set_size: 1.5",
        4,
        15,
        "'val_set_size' must be a share below 1 or a whole number of samples, not 1.5",
        "write 0.05 for 5 %, or 100 for 100 samples",
        "val_set_size: 2",
    ),
    (
        "val_set_size: 0.1\ntest_datasets: [{path: a/b, type: alpaca}]\ndatasets: [{path: c/d, type: alpaca}]",
        3,
        1,
        "'val_set_size' and 'test_datasets' both say what is evaluated on",
        "remove one of the two",
        "val_set_size: 0\ntest_datasets: [{path: a/b, type: alpaca}]\ndatasets: [{path: c/d, type: alpaca}]",
    ),
    (
        "streaming: true",
        4,
        1,
        "'streaming' needs 'max_steps': how many rows will come is not known",
        "add 'max_steps: 1000'",
        "streaming: true\nmax_steps: 10",
    ),
    (
        "pretraining_dataset: c4",
        3,
        1,
        "'pretraining_dataset' needs 'max_steps': how many rows will come is not known",
        "add 'max_steps: 1000'",
        "pretraining_dataset: c4\nmax_steps: 10",
    ),
    (
        "streaming: true\nmax_steps: 10\nval_set_size: 0.1",
        6,
        1,
        "'val_set_size' sets rows aside before training, and 'streaming' reads them while training",
        "give 'test_datasets' in its place",
        "streaming: true\nmax_steps: 10\nval_set_size: 0",
    ),
    (
        "streaming: true\nmax_steps: 10\ndataset_exact_deduplication: true",
        6,
        1,
        "'dataset_exact_deduplication' compares all samples, and 'streaming' never has them at once",
        "remove 'dataset_exact_deduplication'",
        "dataset_exact_deduplication: true",
    ),
    (
        "pretraining_dataset: c4\nmax_steps: 10\ndataset_exact_deduplication: true",
        5,
        1,
        "'dataset_exact_deduplication' compares all samples, and 'pretraining_dataset' never has them at once",
        "remove 'dataset_exact_deduplication'",
        "pretraining_dataset: c4\nmax_steps: 10",
    ),
    (
        "streaming: true\nmax_steps: 10\ngroup_by_length: true",
        6,
        1,
        "'group_by_length' needs the lengths of all samples, and 'streaming' never has them at once",
        "remove 'group_by_length'; 'sample_packing: true' keeps padding low",
        "group_by_length: true",
    ),
    (
        "streaming: true\nmax_steps: 10\npush_dataset_to_hub: me/data",
        6,
        1,
        "'push_dataset_to_hub' keeps tokenized data, and 'streaming' makes none to keep",
        "remove 'push_dataset_to_hub'",
        "push_dataset_to_hub: me/data",
    ),
    (
        "streaming: true\nmax_steps: 10\ndataset_shard_num: 2\ndataset_shard_idx: 1",
        6,
        1,
        "'dataset_shard_num' cuts all samples into parts, and 'streaming' never has them at once",
        "remove 'dataset_shard_num', and give each dataset 'shards' and 'shards_idx'",
        "dataset_shard_num: 2\ndataset_shard_idx: 1",
    ),
    (
        "dataset_shard_num: 2\ndataset_shard_idx: 2",
        5,
        20,
        "'dataset_shard_idx' must be less than 'dataset_shard_num' (2), not 2",
        "the first part is 0",
        "dataset_shard_num: 3\ndataset_shard_idx: 2",
    ),
    (
        "datasets: [{path: a/b, type: alpaca, split: 'train[:90]', skip: 3}]",
        3,
        59,
        "'skip' passes over rows that are streamed, and these are not",
        "write 'split: train[3:]', or add 'streaming: true'",
        "datasets: [{path: a/b, type: alpaca, skip: 3}]\nstreaming: true\nmax_steps: 5",
    ),
    (
        "pretraining_dataset: a/b\nmax_steps: 5\ndatasets: [{path: a/b, type: alpaca}]",
        3,
        1,
        "'datasets' and 'pretraining_dataset' both say what is trained on",
        "remove one of the two",
        "pretraining_dataset: [{path: a/b, type: completion, name: en}]\nmax_steps: 5",
    ),
    (
        "skip_prepare_dataset: true\ndataset_exact_deduplication: true",
        5,
        1,
        "'dataset_exact_deduplication' compares tokenized samples, and 'skip_prepare_dataset' tokenizes them while training",
        "remove one of the two",
        "skip_prepare_dataset: true",
    ),
]

WARNINGS = [
    (
        "streaming: true\nmax_steps: 10\nshuffle_before_merging_datasets: true",
        6,
        1,
        "'shuffle_before_merging_datasets' has no effect: 'streaming' reads the datasets side by side",
        "remove the line",
        "shuffle_before_merging_datasets: true",
    ),
    (
        "streaming: true\nmax_steps: 10\npretrain_multipack_attn: false",
        6,
        1,
        "'pretrain_multipack_attn: false' has no effect: samples that share a row never see each other",
        "remove the line",
        "streaming: true\nmax_steps: 10\npretrain_multipack_attn: true",
    ),
    (
        "dataset_shard_idx: 2",
        4,
        1,
        "'dataset_shard_idx' has no effect without 'dataset_shard_num'",
        "add 'dataset_shard_num: 4', or remove the line",
        "dataset_shard_num: 3\ndataset_shard_idx: 2",
    ),
    (
        "dataset_shard_num: 2",
        4,
        1,
        "'dataset_shard_num' has no effect without 'dataset_shard_idx'",
        "add 'dataset_shard_idx: 0', or remove the line",
        "dataset_shard_num: 3\ndataset_shard_idx: 2",
    ),
    (
        "datasets: [{path: a/b, type: alpaca}, {path: a/b, type: alpaca}]",
        3,
        39,
        "'datasets[1]' is the same as 'datasets[0]', so its samples count twice",
        "remove one of the two",
        "datasets: [{path: a/b, type: alpaca}, {path: a/b, type: alpaca, split: test}]",
    ),
    (
        "datasets: [{path: a/b, type: alpaca}]\ntest_datasets: [{path: a/b, type: alpaca}]",
        4,
        17,
        "'test_datasets[0]' holds rows of 'datasets[0]': what is trained on is no test",
        "use another split, or slices such as 'train[:90%]' and 'train[90%:]'",
        "datasets: [{path: a/b, type: alpaca}]\ntest_datasets: [{path: a/b, type: alpaca, split: test}]",
    ),
    (
        "datasets: [{path: a/b, type: alpaca}]\ntest_datasets: [{path: a/b, type: alpaca, split: 'train[:9]'}]",
        4,
        17,
        "'test_datasets[0]' holds rows of 'datasets[0]': what is trained on is no test",
        "use another split, or slices such as 'train[:90%]' and 'train[90%:]'",
        "datasets: [{path: a/b, type: alpaca, split: 'train[9:]'}]\ntest_datasets: [{path: a/b, type: alpaca, split: 'train[:9]'}]",
    ),
    (
        "datasets: [{path: a/b, type: alpaca, split: 'train[9:]'}]\ntest_datasets: [{path: a/b, type: alpaca}]",
        4,
        17,
        "'test_datasets[0]' holds rows of 'datasets[0]': what is trained on is no test",
        "use another split, or slices such as 'train[:90%]' and 'train[90%:]'",
        "datasets: [{path: a/b, name: en, type: alpaca, split: 'train[9:]'}]\ntest_datasets: [{path: a/b, type: alpaca}]",
    ),
    (
        "datasets: [{path: a/b, type: completion}]\ntrain_on_inputs: true",
        4,
        1,
        "'train_on_inputs' has no effect with 'type: completion': all of the text is trained on",
        "remove the line",
        "datasets: [{path: a/b, type: alpaca}]\ntrain_on_inputs: true",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
