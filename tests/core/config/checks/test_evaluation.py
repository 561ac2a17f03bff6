"""When the model is evaluated, and on what."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "val_set_size: 0.1\neval_steps: 2\nevals_per_epoch: 1",
        6,
        1,
        "'eval_steps' and 'evals_per_epoch' both say when the model is evaluated",
        "remove one of the two",
        "val_set_size: 0.1\neval_steps: 2",
    ),
    (
        "val_set_size: 0.1\neval_strategy: epoch\neval_steps: 2",
        5,
        16,
        "'eval_strategy: epoch' and 'eval_steps' contradict each other",
        "write 'eval_strategy: steps', or remove 'eval_steps'",
        "val_set_size: 0.1\neval_strategy: steps\neval_steps: 2",
    ),
    (
        "val_set_size: 0.1\neval_strategy: epoch\nevals_per_epoch: 2",
        5,
        16,
        "'eval_strategy: epoch' and 'evals_per_epoch' contradict each other",
        "write 'eval_strategy: steps', or remove 'evals_per_epoch'",
        "val_set_size: 0.1\neval_strategy: steps\nevals_per_epoch: 2",
    ),
    (
        "val_set_size: 0\neval_steps: 5",
        5,
        1,
        "'eval_steps' is given, and 'val_set_size: 0' leaves nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "val_set_size: 0.1\neval_steps: 5",
    ),
    (
        "val_set_size: 0\neval_strategy: steps",
        5,
        1,
        "'eval_strategy' is given, and 'val_set_size: 0' leaves nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "val_set_size: 0\neval_strategy: no",
    ),
]

WARNINGS = [
    (
        "eval_steps: 5",
        4,
        1,
        "'eval_steps' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "eval_steps: 5\nval_set_size: 0.1",
    ),
    (
        "eval_strategy: steps",
        4,
        1,
        "'eval_strategy' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "eval_strategy: no",
    ),
    (
        "evals_per_epoch: 4",
        4,
        1,
        "'evals_per_epoch' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "evals_per_epoch: 0",
    ),
    (
        "val_set_size: 0.1\neval_steps: 20\nmax_steps: 10",
        5,
        1,
        "the model is never evaluated: 'eval_steps' is 20, and 'max_steps' 10",
        "write 'eval_steps: 10', or less",
        "val_set_size: 0.1\neval_steps: 10\nmax_steps: 10",
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
