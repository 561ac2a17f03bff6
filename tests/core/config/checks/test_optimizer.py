"""The optimizer and its own settings."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "optimizer: galore_adamw",
        4,
        12,
        "'optimizer: galore_adamw' needs 'optim_target_modules': which layers it projects",
        "add 'optim_target_modules: all_linear'",
        "optimizer: galore_adamw\noptim_target_modules: all_linear",
    ),
    (
        "optimizer: apollo_adamw",
        4,
        12,
        "'optimizer: apollo_adamw' needs 'optim_target_modules': which layers it projects",
        "add 'optim_target_modules: all_linear'",
        "optimizer: muon",
    ),
    (
        "embedding_lr: 1e-5\nembedding_lr_scale: 0.5",
        5,
        1,
        "'embedding_lr' and 'embedding_lr_scale' both say how fast the embeddings learn",
        "remove one of the two",
        "embedding_lr: 1e-5",
    ),
]

WARNINGS = [
    (
        "optimizer: sgd\nadam_beta2: 0.95",
        5,
        1,
        "'adam_beta2' has no effect with 'optimizer: sgd'",
        "remove the line",
        "optimizer: adamw_torch\nadam_beta2: 0.95",
    ),
    (
        "optimizer: adafactor\nadam_epsilon: 1e-6",
        5,
        1,
        "'adam_epsilon' has no effect with 'optimizer: adafactor'",
        "remove the line",
        "optimizer: lion_8bit\nadam_epsilon: 1e-6",
    ),
    (
        "optimizer: schedule_free_adamw",
        4,
        1,
        "'optimizer: schedule_free_adamw' does without a schedule, and 'lr_scheduler: cosine' lowers its learning rate",
        "write 'lr_scheduler: constant'",
        "optimizer: schedule_free_adamw\nlr_scheduler: constant\nwarmup_steps: 5",
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
