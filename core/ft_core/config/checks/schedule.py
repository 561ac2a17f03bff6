"""Checks of the run's length, the learning rate's course and gradient checkpointing."""

from __future__ import annotations

from ft_core.config.checks.adapter import KERNELS
from ft_core.config.checks.asked import BOTH, Asked, may_evaluate

SCHEDULER_NEEDS = {
    "cosine_with_min_lr": (("min_lr", "min_lr_rate"), "{min_lr_rate: 0.1}"),
    "cosine_warmup_with_min_lr": (("min_lr", "min_lr_rate"), "{min_lr_rate: 0.1}"),
    "warmup_stable_decay": (("num_decay_steps",), "{num_decay_steps: 100}"),
}
"""One of these must be in lr_scheduler_kwargs, as in the example."""

FOLLOWING_LOSS = ("reduce_lr_on_plateau", "greedy")
"""Schedulers that look at the evaluation loss."""

WITHOUT_WARMUP = {
    "constant": "use 'lr_scheduler: constant_with_warmup', or remove the line",
    **dict.fromkeys(FOLLOWING_LOSS, "remove the line"),
}
"""Schedulers that begin at the full learning rate, and what to do about a warmup."""

COSINE_KEYS = {
    "cosine_min_lr_ratio": ("cosine", "rex"),
    "cosine_constant_lr_ratio": ("cosine",),
    "lr_quadratic_warmup": ("cosine",),
}
"""Keys that only some schedulers read, and which."""


def check_schedule(asked: Asked) -> None:
    """Report a schedule that cannot run, and warn of one that is not what it seems."""
    _check_warmup(asked)
    _check_scheduler(asked)
    _check_checkpointing(asked)
    if asked.value("loss_watchdog_patience") and asked.lacks("loss_watchdog_threshold"):
        message = (
            "'loss_watchdog_patience' has no effect: no 'loss_watchdog_threshold' says what loss is too high"
        )
        asked.draft.warn(("loss_watchdog_patience",), message, "add 'loss_watchdog_threshold: 5.0'")
    config, draft = asked.config, asked.draft
    if config.max_steps is not None and config.num_epochs != 1:
        draft.warn(("num_epochs",), "'num_epochs' has no effect: 'max_steps' says when training ends", BOTH)


def _check_warmup(asked: Asked) -> None:
    config, draft = asked.config, asked.draft
    steps, ratio, end = config.warmup_steps, config.warmup_ratio, config.max_steps
    if steps and ratio:
        message = "'warmup_steps' and 'warmup_ratio' both say how long the warmup is"
        draft.report(("warmup_ratio",), message, BOTH, at="key")
    elif steps == 0 and ratio:
        draft.warn(("warmup_ratio",), "'warmup_ratio' has no effect beside 'warmup_steps: 0'", BOTH)
    elif config.lr_scheduler in WITHOUT_WARMUP and (steps or ratio) and not _warms_up_itself(asked):
        key = "warmup_steps" if steps else "warmup_ratio"
        message = f"'{key}' has no effect with 'lr_scheduler: {config.lr_scheduler}'"
        draft.warn((key,), message, WITHOUT_WARMUP[config.lr_scheduler])
    elif steps and end and steps >= end:
        message = f"the learning rate never rises to its full height: 'warmup_steps' is {steps}, and 'max_steps' {end}"
        draft.warn(("warmup_steps",), message, f"write 'warmup_steps: {end // 10}'")
    elif ratio == 1:
        message = "the learning rate never rises to its full height: 'warmup_ratio: 1' is the whole run"
        draft.warn(("warmup_ratio",), message, "write 'warmup_ratio: 0.03'")


def _warms_up_itself(asked: Asked) -> bool:
    """Whether the optimizer reads the warmup, whatever the schedule does."""
    return asked.value("optimizer") in ("schedule_free_adamw", "schedule_free_sgd")


def _check_scheduler(asked: Asked) -> None:
    config, draft = asked.config, asked.draft
    scheduler = config.lr_scheduler
    if scheduler in SCHEDULER_NEEDS:
        names, example = SCHEDULER_NEEDS[scheduler]
        if (
            not any(name in config.lr_scheduler_kwargs for name in names)
            and ("lr_scheduler_kwargs",) not in draft.bad
        ):
            message = f"'lr_scheduler: {scheduler}' needs {' or '.join(names)} in 'lr_scheduler_kwargs'"
            draft.report(("lr_scheduler",), message, f"add 'lr_scheduler_kwargs: {example}'")
    if scheduler in FOLLOWING_LOSS:
        message = f"'lr_scheduler: {scheduler}' follows the evaluation loss, and "
        if not may_evaluate(asked):
            draft.report(("lr_scheduler",), message + "nothing is evaluated on", "set 'val_set_size: 0.05'")
        elif draft.given("eval_strategy") and config.eval_strategy == "no":
            message += "'eval_strategy: no' never computes it"
            draft.report(("lr_scheduler",), message, "remove 'eval_strategy: no'")
    for key, readers in COSINE_KEYS.items():
        if scheduler not in readers and asked.value(key):
            message = f"'{key}' has no effect with 'lr_scheduler: {scheduler}'"
            draft.warn(("lr_scheduler",), message, f"use 'lr_scheduler: cosine', or remove '{key}'")


def _check_checkpointing(asked: Asked) -> None:
    config, draft = asked.config, asked.draft
    for key in ("torch_compile_backend", "torch_compile_mode"):
        if asked.value(key) and not config.torch_compile:
            message = f"'{key}' has no effect: 'torch_compile' is not true"
            draft.warn((key,), message, "add 'torch_compile: true', or remove the line")
    for key in KERNELS:
        if asked.value(key) and config.torch_compile:
            message = f"'{key}' has no effect: 'torch_compile' makes fused steps of its own"
            draft.warn((key,), message, BOTH)
    if config.gradient_checkpointing_kwargs and config.gradient_checkpointing is False:
        message = "'gradient_checkpointing_kwargs' has no effect: 'gradient_checkpointing' is false"
        draft.warn(
            ("gradient_checkpointing_kwargs",),
            message,
            "write 'gradient_checkpointing: true', or remove the line",
        )
    if asked.value("activation_offloading") and config.gradient_checkpointing not in (True, "offload"):
        message = "'activation_offloading' needs 'gradient_checkpointing': it moves what that keeps"
        draft.report(("activation_offloading",), message, "add 'gradient_checkpointing: true'", at="key")
    if config.gradient_checkpointing_kwargs.get("use_reentrant") is True and asked.value(
        "unfrozen_parameters"
    ):
        # https://github.com/huggingface/transformers/issues/21381
        message = (
            "'use_reentrant: true' finds no gradients where 'unfrozen_parameters' freezes the first layers"
        )
        path = ("gradient_checkpointing_kwargs", "use_reentrant")
        draft.report(path, message, "write 'use_reentrant: false'")
