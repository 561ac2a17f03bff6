"""Checks of when checkpoints are saved and which of them is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ft_core.config.checks.asked import BOTH, Asked, may_evaluate
from ft_core.config.problems import did_you_mean, shown

TRIGGER_KEYS = ("enabled", "check_interval", "trigger_file_path")


def check_saving(asked: Asked) -> None:
    """Report two answers to when checkpoints are saved, and checkpoints that no evaluation compares."""
    config, draft = asked.config, asked.draft
    if config.save_steps is not None and config.saves_per_epoch:
        message = "'save_steps' and 'saves_per_epoch' both say when checkpoints are saved"
        draft.report(("saves_per_epoch",), message, BOTH, at="key")
    elif draft.given("save_strategy") and config.save_strategy != "steps":
        if config.save_steps:
            message = f"'save_strategy: {config.save_strategy}' and 'save_steps' contradict each other"
            draft.report(("save_strategy",), message, "write 'save_strategy: steps', or remove 'save_steps'")
        elif config.saves_per_epoch:
            # As in Axolotl, which makes save_steps of it.
            message = f"'save_strategy: {config.save_strategy}' has no effect: 'saves_per_epoch' says when checkpoints are saved"
            draft.warn(("save_strategy",), message, BOTH)
        elif config.save_strategy == "no" and config.save_total_limit is not None:
            message = "'save_total_limit' has no effect: 'save_strategy: no' saves no checkpoints"
            draft.warn(("save_total_limit",), message, BOTH)
    if config.save_only_model and asked.value("auto_resume_from_checkpoints"):
        message = "'save_only_model' saves weights alone, and 'auto_resume_from_checkpoints' goes on from whole checkpoints"
        draft.report(("save_only_model",), message, BOTH, at="key")
    if config.dynamic_checkpoint:
        _check_trigger(asked, config.dynamic_checkpoint)
    _check_comparison(asked)


def _check_trigger(asked: Asked, trigger: Mapping[str, Any]) -> None:
    """Report what is wrong within ``dynamic_checkpoint``, whose file has to be somewhere."""
    draft, key = asked.draft, "dynamic_checkpoint"
    for name, value in trigger.items():
        path = (key, name)
        if name not in TRIGGER_KEYS:
            draft.report(path, f"'{key}' has no key '{name}'{did_you_mean(name, TRIGGER_KEYS)}", at="key")
        elif name == "enabled" and not isinstance(value, bool):
            draft.report(path, f"'enabled' must be true or false, not {shown(value)}")
        elif name == "check_interval" and (type(value) is not int or value < 1):
            draft.report(path, f"'check_interval' must be a whole number, at least 1, not {shown(value)}")
        elif name == "trigger_file_path" and (not isinstance(value, str) or "/" in value):
            draft.report(path, f"'trigger_file_path' must be the name of a file, not {shown(value)}")
    if trigger.get("enabled") is True and asked.lacks("output_dir"):
        message = f"'{key}' looks for a file in 'output_dir', and there is none"
        draft.report(
            (key,), message, "add 'output_dir: ./out', or remove it and ask on the dashboard", at="key"
        )


def _check_comparison(asked: Asked) -> None:
    """Report checkpoints that fall between two evaluations, where one is to be chosen by them."""
    stops, best = asked.value("early_stopping_patience"), asked.value("load_best_model_at_end")
    if not stops and not best:
        return
    draft = asked.draft
    key = "early_stopping_patience" if stops else "load_best_model_at_end"
    if not may_evaluate(asked):
        message = f"'{key}' compares evaluations, and there is nothing to evaluate on"
        if stops:
            draft.report((key,), message, "set 'val_set_size: 0.05' or give 'test_datasets'", at="key")
        else:
            # As in Axolotl, the last weights are then the tuned model.
            draft.warn((key,), message, "set 'val_set_size: 0.05', or remove the line")
        return
    if best and asked.config.save_strategy == "no":
        message = (
            "'load_best_model_at_end' has no effect: 'save_strategy: no' saves no checkpoints to choose from"
        )
        draft.warn(("load_best_model_at_end",), message, BOTH)
    found = _uneven(asked)
    if found is None:
        return
    path, message, fix = found
    message += f", as '{key}' needs"
    if stops:
        draft.report(path, message, fix)
    else:
        # Axolotl then keeps the last weights.
        draft.warn(path, message, fix, at="value")


def _uneven(asked: Asked) -> tuple[tuple[str], str, str] | None:
    """Return what is wrong where not every checkpoint falls on an evaluation; None where it does, or who knows."""
    config = asked.config
    every, between = config.save_steps, config.eval_steps
    if every and between and isinstance(every, int) == isinstance(between, int):
        times = every / between
        if abs(times - round(times)) < 1e-6:
            return None
        fitting = max(1, -(-every // between)) * between
        message = f"'save_steps: {every}' is no multiple of 'eval_steps: {between}'"
        return ("save_steps",), message, f"write 'save_steps: {fitting:g}'"
    saves, evaluations = config.saves_per_epoch, config.evals_per_epoch
    if saves and evaluations and evaluations % saves:
        message = f"'evals_per_epoch: {evaluations}' is no multiple of 'saves_per_epoch: {saves}'"
        return ("evals_per_epoch",), message, f"write 'evals_per_epoch: {-(-evaluations // saves) * saves}'"
    return None
