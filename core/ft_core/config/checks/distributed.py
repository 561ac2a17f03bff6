"""Checks of how a model is spread over several devices."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, refuse_pairs

BITSANDBYTES_8BIT = ("adamw_8bit", "adamw_bnb_8bit")

PAIRS = (
    (
        "deepspeed",
        "fsdp_config",
        "'deepspeed' and 'fsdp_config' both cut the model into pieces",
        BOTH,
    ),
)


def check_distributed(asked: Asked) -> None:
    """Report two ways to spread a model at once, and optimizers that cannot follow."""
    draft = asked.draft
    refuse_pairs(asked, PAIRS)
    optimizer = asked.value("optimizer")
    size = asked.value("tensor_parallel_size") or 1
    if asked.value("fsdp_config") and optimizer in BITSANDBYTES_8BIT:
        message = f"'optimizer: {optimizer}' cannot keep its numbers for weights that 'fsdp_config' cuts into pieces"
        # A warning: examples of Axolotl have both, though its newest version refuses them.
        draft.warn(("optimizer",), message, "use 'optimizer: adamw_torch_8bit'", at="value")
    elif size > 1 and optimizer in (*BITSANDBYTES_8BIT, "paged_adamw_8bit"):
        message = f"'optimizer: {optimizer}' cannot keep its numbers for weights that 'tensor_parallel_size' cuts up"
        draft.report(("optimizer",), message, "use 'optimizer: adamw_torch_8bit'")
    if asked.value("fsdp_config", "cpu_offload_pin_memory") is False and not asked.value(
        "fsdp_config", "offload_params"
    ):
        message = "'cpu_offload_pin_memory: false' needs 'offload_params: true': nothing is offloaded"
        draft.report(("fsdp_config", "cpu_offload_pin_memory"), message, "add 'offload_params: true'")
    if asked.value("deepcompile") and asked.lacks("deepspeed"):
        message = "'deepcompile' needs 'deepspeed', which does it"
        draft.report(("deepcompile",), message, "add 'deepspeed: zero2.json', or remove the line", at="key")
