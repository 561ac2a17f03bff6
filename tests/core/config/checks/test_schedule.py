"""The run's length, the learning rate's course and gradient checkpointing."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "warmup_steps: 5\nwarmup_ratio: 0.1",
        5,
        1,
        "'warmup_steps' and 'warmup_ratio' both say how long the warmup is",
        "remove one of the two",
        "warmup_steps: 5\nwarmup_ratio: 0",
    ),
    (
        "lr_scheduler: cosine_with_min_lr",
        4,
        15,
        "'lr_scheduler: cosine_with_min_lr' needs min_lr or min_lr_rate in 'lr_scheduler_kwargs'",
        "add 'lr_scheduler_kwargs: {min_lr_rate: 0.1}'",
        "lr_scheduler: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 0}",
    ),
    (
        "lr_scheduler: warmup_stable_decay",
        4,
        15,
        "'lr_scheduler: warmup_stable_decay' needs num_decay_steps in 'lr_scheduler_kwargs'",
        "add 'lr_scheduler_kwargs: {num_decay_steps: 100}'",
        "lr_scheduler: warmup_stable_decay\nlr_scheduler_kwargs: {num_decay_steps: 9}",
    ),
    (
        "lr_scheduler: reduce_lr_on_plateau",
        4,
        15,
        "'lr_scheduler: reduce_lr_on_plateau' follows the evaluation loss, and nothing is evaluated on",
        "set 'val_set_size: 0.05'",
        "lr_scheduler: reduce_lr_on_plateau\nval_set_size: 0.1",
    ),
    (
        "lr_scheduler: greedy\nval_set_size: 0.1\neval_strategy: no",
        4,
        15,
        "'lr_scheduler: greedy' follows the evaluation loss, and 'eval_strategy: no' never computes it",
        "remove 'eval_strategy: no'",
        "lr_scheduler: greedy\nval_set_size: 0.1\neval_strategy: epoch",
    ),
    (
        "activation_offloading: true",
        4,
        1,
        "'activation_offloading' needs 'gradient_checkpointing': it moves what that keeps",
        "add 'gradient_checkpointing: true'",
        "activation_offloading: true\ngradient_checkpointing: true",
    ),
    (
        "gradient_checkpointing: true\ngradient_checkpointing_kwargs: {use_reentrant: true}\nunfrozen_parameters: [lm_head]",
        5,
        48,
        "'use_reentrant: true' finds no gradients where 'unfrozen_parameters' freezes the first layers",
        "write 'use_reentrant: false'",
        "gradient_checkpointing: true\ngradient_checkpointing_kwargs: {use_reentrant: false}\nunfrozen_parameters: [lm_head]",
    ),
]

WARNINGS = [
    (
        "warmup_steps: 0\nwarmup_ratio: 0.1",
        5,
        1,
        "'warmup_ratio' has no effect beside 'warmup_steps: 0'",
        "remove one of the two",
        "warmup_ratio: 0.1",
    ),
    (
        "warmup_steps: 50\nmax_steps: 50",
        4,
        1,
        "the learning rate never rises to its full height: 'warmup_steps' is 50, and 'max_steps' 50",
        "write 'warmup_steps: 5'",
        "warmup_steps: 49\nmax_steps: 50",
    ),
    (
        "warmup_ratio: 1",
        4,
        1,
        "the learning rate never rises to its full height: 'warmup_ratio: 1' is the whole run",
        "write 'warmup_ratio: 0.03'",
        "warmup_ratio: 0.5",
    ),
    (
        "lr_scheduler: constant\nwarmup_steps: 5",
        5,
        1,
        "'warmup_steps' has no effect with 'lr_scheduler: constant'",
        "use 'lr_scheduler: constant_with_warmup', or remove the line",
        "lr_scheduler: constant_with_warmup\nwarmup_steps: 5",
    ),
    (
        "lr_scheduler: constant\nwarmup_ratio: 0.1",
        5,
        1,
        "'warmup_ratio' has no effect with 'lr_scheduler: constant'",
        "use 'lr_scheduler: constant_with_warmup', or remove the line",
        "lr_scheduler: constant\nwarmup_ratio: 0",
    ),
    (
        "val_set_size: 0.1\nlr_scheduler: greedy\nwarmup_ratio: 0.1",
        6,
        1,
        "'warmup_ratio' has no effect with 'lr_scheduler: greedy'",
        "remove the line",
        "val_set_size: 0.1\nlr_scheduler: greedy",
    ),
    (
        "max_steps: 5\nnum_epochs: 3",
        5,
        1,
        "'num_epochs' has no effect: 'max_steps' says when training ends",
        "remove one of the two",
        "max_steps: 5\nnum_epochs: 1",
    ),
    (
        "lr_scheduler: linear\ncosine_min_lr_ratio: 0.1",
        4,
        1,
        "'cosine_min_lr_ratio' has no effect with 'lr_scheduler: linear'",
        "use 'lr_scheduler: cosine', or remove 'cosine_min_lr_ratio'",
        "lr_scheduler: cosine\ncosine_min_lr_ratio: 0.1",
    ),
    (
        "lr_scheduler: rex\ncosine_constant_lr_ratio: 0.5",
        4,
        1,
        "'cosine_constant_lr_ratio' has no effect with 'lr_scheduler: rex'",
        "use 'lr_scheduler: cosine', or remove 'cosine_constant_lr_ratio'",
        "lr_scheduler: rex\ncosine_min_lr_ratio: 0.1",
    ),
    (
        "lr_scheduler: linear\nlr_quadratic_warmup: true",
        4,
        1,
        "'lr_quadratic_warmup' has no effect with 'lr_scheduler: linear'",
        "use 'lr_scheduler: cosine', or remove 'lr_quadratic_warmup'",
        "lr_quadratic_warmup: true",
    ),
    (
        "loss_watchdog_patience: 5",
        4,
        1,
        "'loss_watchdog_patience' has no effect: no 'loss_watchdog_threshold' says what loss is too high",
        "add 'loss_watchdog_threshold: 5.0'",
        "loss_watchdog_patience: 5\nloss_watchdog_threshold: 9",
    ),
    (
        "torch_compile_mode: default",
        4,
        1,
        "'torch_compile_mode' has no effect: 'torch_compile' is not true",
        "add 'torch_compile: true', or remove the line",
        "torch_compile: true\ntorch_compile_mode: default",
    ),
    (
        "adapter: lora\ntorch_compile: true\nlora_o_kernel: true",
        6,
        1,
        "'lora_o_kernel' has no effect: 'torch_compile' makes fused steps of its own",
        "remove one of the two",
        "adapter: lora\ntorch_compile: true",
    ),
    (
        "gradient_checkpointing: false\ngradient_checkpointing_kwargs: {use_reentrant: false}",
        5,
        1,
        "'gradient_checkpointing_kwargs' has no effect: 'gradient_checkpointing' is false",
        "write 'gradient_checkpointing: true', or remove the line",
        "gradient_checkpointing: true\ngradient_checkpointing_kwargs: {use_reentrant: false}",
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
