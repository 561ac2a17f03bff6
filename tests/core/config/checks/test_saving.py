"""When checkpoints are saved, and which of them is kept."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "save_only_model: true\nauto_resume_from_checkpoints: true",
        4,
        1,
        "'save_only_model' saves weights alone, and 'auto_resume_from_checkpoints' goes on from whole checkpoints",
        "remove one of the two",
        "save_only_model: true",
    ),
    (
        "dynamic_checkpoint: {enabled: true}",
        4,
        1,
        "'dynamic_checkpoint' looks for a file in 'output_dir', and there is none",
        "add 'output_dir: ./out', or remove it and ask on the dashboard",
        "dynamic_checkpoint: {enabled: true}\noutput_dir: out",
    ),
    (
        "output_dir: out\ndynamic_checkpoint: {enabled: true, interval: 5}",
        5,
        37,
        "'dynamic_checkpoint' has no key 'interval'; did you mean 'check_interval'?",
        "",
        "dynamic_checkpoint: {enabled: false, check_interval: 5}",
    ),
    (
        "dynamic_checkpoint: {enabled: 1}",
        4,
        31,
        "'enabled' must be true or false, not 1",
        "",
        "dynamic_checkpoint: {enabled: false}",
    ),
    (
        "dynamic_checkpoint: {check_interval: 0}",
        4,
        38,
        "'check_interval' must be a whole number, at least 1, not 0",
        "",
        "dynamic_checkpoint: {check_interval: 1}",
    ),
    (
        "dynamic_checkpoint: {trigger_file_path: out/now}",
        4,
        41,
        "'trigger_file_path' must be the name of a file, not 'out/now'",
        "",
        "dynamic_checkpoint: {trigger_file_path: now}",
    ),
    (
        "save_steps: 5\nsaves_per_epoch: 1",
        5,
        1,
        "'save_steps' and 'saves_per_epoch' both say when checkpoints are saved",
        "remove one of the two",
        "save_steps: 5\nsaves_per_epoch: 0",
    ),
    (
        "save_strategy: epoch\nsave_steps: 5",
        4,
        16,
        "'save_strategy: epoch' and 'save_steps' contradict each other",
        "write 'save_strategy: steps', or remove 'save_steps'",
        "save_strategy: steps\nsave_steps: 5",
    ),
    (
        "save_strategy: no\nsave_steps: 5",
        4,
        16,
        "'save_strategy: no' and 'save_steps' contradict each other",
        "write 'save_strategy: steps', or remove 'save_steps'",
        "save_steps: 5",
    ),
    (
        "early_stopping_patience: 3",
        4,
        1,
        "'early_stopping_patience' compares evaluations, and there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets'",
        "early_stopping_patience: 3\nval_set_size: 0.1",
    ),
    (
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsave_steps: 100\neval_steps: 30",
        6,
        13,
        "'save_steps: 100' is no multiple of 'eval_steps: 30', as 'early_stopping_patience' needs",
        "write 'save_steps: 120'",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsave_steps: 90\neval_steps: 30",
    ),
    (
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsave_steps: 0.5\neval_steps: 0.2",
        6,
        13,
        "'save_steps: 0.5' is no multiple of 'eval_steps: 0.2', as 'early_stopping_patience' needs",
        "write 'save_steps: 0.6'",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsave_steps: 0.6\neval_steps: 0.2",
    ),
    (
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsaves_per_epoch: 2\nevals_per_epoch: 3",
        7,
        18,
        "'evals_per_epoch: 3' is no multiple of 'saves_per_epoch: 2', as 'early_stopping_patience' needs",
        "write 'evals_per_epoch: 4'",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsaves_per_epoch: 2\nevals_per_epoch: 4",
    ),
]

WARNINGS = [
    (
        "save_strategy: epoch\nsaves_per_epoch: 2",
        4,
        1,
        "'save_strategy: epoch' has no effect: 'saves_per_epoch' says when checkpoints are saved",
        "remove one of the two",
        "save_strategy: steps\nsaves_per_epoch: 2",
    ),
    (
        "save_strategy: no\nsave_total_limit: 3",
        5,
        1,
        "'save_total_limit' has no effect: 'save_strategy: no' saves no checkpoints",
        "remove one of the two",
        "save_strategy: epoch\nsave_total_limit: 3",
    ),
    (
        "load_best_model_at_end: true",
        4,
        1,
        "'load_best_model_at_end' compares evaluations, and there is nothing to evaluate on",
        "set 'val_set_size: 0.05', or remove the line",
        "load_best_model_at_end: true\nval_set_size: 0.1",
    ),
    (
        "val_set_size: 0.1\nload_best_model_at_end: true\nsave_strategy: no",
        5,
        1,
        "'load_best_model_at_end' has no effect: 'save_strategy: no' saves no checkpoints to choose from",
        "remove one of the two",
        "val_set_size: 0.1\nload_best_model_at_end: true\nsave_strategy: epoch",
    ),
    (
        "val_set_size: 0.1\nload_best_model_at_end: true\nsave_steps: 10\neval_steps: 30",
        6,
        13,
        "'save_steps: 10' is no multiple of 'eval_steps: 30', as 'load_best_model_at_end' needs",
        "write 'save_steps: 30'",
        "val_set_size: 0.1\nload_best_model_at_end: true\nsave_steps: 30\neval_steps: 30",
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
