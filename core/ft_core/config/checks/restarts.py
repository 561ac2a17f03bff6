"""Checks of restarts: those of the learning rate, and of the adapter with it (ReLoRA)."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked
from ft_core.config.config import Config

NO_FUNCTIONS = ("one_cycle", "reduce_lr_on_plateau", "greedy")
"""Schedules whose learning rate is more than a function of the step."""

MOMENTS = ("adamw_torch", "adamw_torch_fused")
"""Optimizers that keep Adam's two moments as plain numbers, which can be set to 0 one by one."""

FEW_BITS = {"load_in_4bit": "4 bit", "load_in_8bit": "8 bit", "gptq": "few bits"}

ELSEWHERE = {
    "fsdp_config": "'relora' adds the adapter into weights that 'fsdp_config' cuts into pieces",
    "deepspeed": "'relora' adds the adapter into weights that 'deepspeed' cuts into pieces",
    "rl": "'relora' changes the model that 'rl' compares with",
    "reward_model": "'relora' begins adapters of a model that writes, and 'reward_model' trains one that scores",
    "load_best_model_at_end": "'load_best_model_at_end' goes back to an adapter whose model 'relora' has changed since",
    "lora_target_parameters": "'relora' adds the adapters of layers, and 'lora_target_parameters' names what is none",
}
"""What the adapter cannot be begun anew beside, and why."""


def check_restarts(asked: Asked) -> None:
    """Report restarts that cannot be made, and warn of settings that no restart reads."""
    config, draft = asked.config, asked.draft
    if asked.value("relora"):
        _check_relora(asked)
    else:
        for key in ("relora_prune_method", "relora_prune_ratio", "relora_cpu_offload"):
            if _changed(asked, key):
                draft.warn((key,), f"'{key}' has no effect without 'relora: true'", "remove the line")
    every = config.jagged_restart_steps
    if every is None:
        for key in ("jagged_restart_warmup_steps", "jagged_restart_anneal_steps"):
            if _changed(asked, key) and asked.lacks("jagged_restart_steps"):
                message = f"'{key}' has no effect: no 'jagged_restart_steps' says when there is a restart"
                draft.warn((key,), message, "add 'jagged_restart_steps: 200', or remove the line")
        return
    if config.lr_scheduler in NO_FUNCTIONS:
        message = f"'lr_scheduler: {config.lr_scheduler}' cannot begin anew every 'jagged_restart_steps'"
        draft.report(("lr_scheduler",), message, "use 'lr_scheduler: cosine'")
    warmup, anneal = config.jagged_restart_warmup_steps, config.jagged_restart_anneal_steps
    if warmup + anneal > every:
        message = (
            f"'jagged_restart_steps: {every}' is over before the learning rate has risen again: it takes {warmup} steps "
            f"to rise and {anneal} to fall"
        )
        fix = f"add 'jagged_restart_warmup_steps: {every // 4}'"
        draft.report(("jagged_restart_steps",), message, fix, at="key")
    elif config.max_steps is not None and config.max_steps <= every:
        message = (
            f"nothing begins anew: 'max_steps' is {config.max_steps}, and 'jagged_restart_steps' {every}"
        )
        draft.warn(
            ("jagged_restart_steps",), message, f"write 'jagged_restart_steps: {config.max_steps // 4}'"
        )


def _changed(asked: Asked, key: str) -> bool:
    """Whether a value is asked for that is not the default."""
    return not asked.unclear(key) and asked.value(key) != Config.model_fields[key].default


def _check_relora(asked: Asked) -> None:
    draft = asked.draft
    if asked.lacks("jagged_restart_steps"):
        message = "'relora' needs 'jagged_restart_steps': when the adapter is begun anew"
        draft.report(("relora",), message, "add 'jagged_restart_steps: 200'", at="key")
    if asked.lacks("adapter"):
        message = "'relora' begins an adapter anew, and there is none"
        draft.report(("relora",), message, "add 'adapter: lora'", at="key")
    for key, message in ELSEWHERE.items():
        if asked.value(key):
            draft.report(("relora",), message, BOTH, at="key")
    for key, bits in FEW_BITS.items():
        if asked.value(key):
            # https://github.com/huggingface/transformers/issues/31293
            message = (
                f"'relora' with '{key}' is not supported: weights in {bits} round most of each merge away"
            )
            draft.report(("relora",), message, f"remove '{key}' and write 'adapter: lora'", at="key")
    if asked.value("peft_use_dora"):
        message = (
            "'relora' with 'peft_use_dora' is not supported: its magnitudes are not added to the weights"
        )
        draft.report(("peft_use_dora",), message, BOTH, at="key")
    begins = asked.value("peft_init_lora_weights")
    if begins not in (None, True, "gaussian"):
        written = str(begins).lower()
        message = (
            f"'relora' begins adapters that change nothing, and not as 'peft_init_lora_weights: {written}'"
        )
        draft.report(("peft_init_lora_weights",), message, "remove the line")
    optimizer = asked.value("optimizer")
    if optimizer not in MOMENTS and not asked.unclear("optimizer"):
        message = f"'relora' sets a part of Adam's moments to 0, and 'optimizer: {optimizer}' does not keep them as numbers"
        draft.report(("optimizer",), message, "use 'optimizer: adamw_torch_fused'")
