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
