"""Checks of when the model is evaluated, and on what."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, has_eval_data, may_evaluate

NO_DATA = "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line"


def check_evaluation(asked: Asked) -> None:
    """Report two answers to when the model is evaluated, and evaluations that cannot happen."""
    config, draft = asked.config, asked.draft
    if config.eval_steps is not None and config.evals_per_epoch:
        message = "'eval_steps' and 'evals_per_epoch' both say when the model is evaluated"
        draft.report(("evals_per_epoch",), message, BOTH, at="key")
    elif draft.given("eval_strategy") and config.eval_strategy != "steps" and has_eval_data(config):
        for key in ("eval_steps", "evals_per_epoch"):
            if getattr(config, key):
                message = f"'eval_strategy: {config.eval_strategy}' and '{key}' contradict each other"
                draft.report(("eval_strategy",), message, f"write 'eval_strategy: steps', or remove '{key}'")
    if not may_evaluate(asked):
        _check_without_data(asked)
    elif isinstance(config.eval_steps, int) and config.max_steps and config.eval_steps > config.max_steps:
        message = f"the model is never evaluated: 'eval_steps' is {config.eval_steps}, and 'max_steps' {config.max_steps}"
        draft.warn(("eval_steps",), message, f"write 'eval_steps: {config.max_steps}', or less")


def _check_without_data(asked: Asked) -> None:
    config, draft = asked.config, asked.draft
    # Axolotl refuses them beside a zero that is written, and passes over them otherwise.
    refuses = draft.given("val_set_size")
    given = {
        "eval_steps": config.eval_steps is not None,
        "eval_strategy": config.eval_strategy != "no",
    }
    for key in (key for key, is_given in given.items() if is_given):
        if refuses:
            message = f"'{key}' is given, and 'val_set_size: 0' leaves nothing to evaluate on"
            draft.report((key,), message, NO_DATA, at="key")
        else:
            draft.warn((key,), f"'{key}' has no effect: there is nothing to evaluate on", NO_DATA)
    if config.evals_per_epoch:
        # Many configs carry it along with 'val_set_size: 0'.
        message = "'evals_per_epoch' has no effect: there is nothing to evaluate on"
        draft.warn(("evals_per_epoch",), message, NO_DATA)
