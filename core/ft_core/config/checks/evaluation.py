"""Checks of when the model is evaluated, and on what."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, has_eval_data, may_evaluate
from ft_core.config.config import Config
from ft_core.config.problems import clipped

NO_DATA = "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line"

SAMPLE_SETTINGS = (
    "num_generation_samples",
    "generation_max_new_tokens",
    "generation_temperature",
    "generation_top_p",
    "generation_top_k",
    "generation_prompt_ratio",
    "generation_do_sample",
)
"""What says how samples are generated."""


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
    _check_scores(asked)
    _check_samples(asked)
    if not may_evaluate(asked):
        _check_without_data(asked)
    elif isinstance(config.eval_steps, int) and config.max_steps and config.eval_steps > config.max_steps:
        message = f"the model is never evaluated: 'eval_steps' is {config.eval_steps}, and 'max_steps' {config.max_steps}"
        draft.warn(("eval_steps",), message, f"write 'eval_steps: {config.max_steps}', or less")


def _check_scores(asked: Asked) -> None:
    """Report scores that cannot be had, and scores that nobody asks for."""
    config, draft = asked.config, asked.draft
    key = "eval_causal_lm_metrics"
    for index, name in enumerate(config.eval_causal_lm_metrics or ()):
        if name != "perplexity" and draft.given(key):
            fix = "write 'eval_causal_lm_metrics: [perplexity]'"
            draft.report((key, index), f"the score '{clipped(name)}' is not yet supported", fix)
    if config.eval_causal_lm_metrics and not config.do_causal_lm_eval:
        fix = "write 'do_causal_lm_eval: true', or remove the line"
        draft.warn((key,), f"'{key}' has no effect without 'do_causal_lm_eval'", fix)
    if config.do_causal_lm_eval and not may_evaluate(asked):
        message = "'do_causal_lm_eval' has no effect: there is nothing to evaluate on"
        draft.warn(("do_causal_lm_eval",), message, NO_DATA)


def _check_samples(asked: Asked) -> None:
    """Report samples that cannot be generated, and settings of samples that nobody asks for."""
    config, draft = asked.config, asked.draft
    key = "generate_samples"
    if not config.generate_samples:
        if draft.given(key):
            return
        for setting in SAMPLE_SETTINGS:
            if draft.given(setting) and getattr(config, setting) != Config.model_fields[setting].default:
                fix = f"write '{key}: true', or remove the line"
                draft.warn((setting,), f"'{setting}' has no effect without '{key}'", fix)
        return
    if not may_evaluate(asked):
        draft.warn((key,), f"'{key}' has no effect: there is nothing to evaluate on", NO_DATA)
    spread = [name for name in ("fsdp_config", "deepspeed") if asked.value(name)]
    spread += [
        name for name in ("tensor_parallel_size", "context_parallel_size") if (asked.value(name) or 1) > 1
    ]
    for name in spread:
        message = f"'{key}' takes the whole model on the first device, and '{name}' spreads it over several"
        draft.report((key,), message, "remove one of the two", at="key")
    for name in ("rl", "reward_model"):
        if asked.value(name):
            message = f"'{key}' goes on with texts, and the data of '{name}' are preferences"
            draft.report((key,), message, "remove the line, and chat with the tuned model", at="key")


def _check_without_data(asked: Asked) -> None:
    config, draft = asked.config, asked.draft
    # Axolotl refuses them beside a zero that is written, and passes over them otherwise.
    refuses = draft.given("val_set_size")
    given = {
        "eval_steps": config.eval_steps is not None,
        "eval_strategy": config.eval_strategy != "no",
        "eval_on_start": config.eval_on_start,
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
