"""Checks of the adapter and its variants."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, refuse_pairs
from ft_core.config.config import Config

LORA = ("lora", "qlora")

KERNELS = ("lora_mlp_kernel", "lora_qkv_kernel", "lora_o_kernel")

NOT_FUSED = {
    "lora_dropout": "which changes what the adapter reads",
    "peft_use_dora": "which scales the layer's own weights",
}

PAIRS = (
    (
        "lora_dropout",
        "lora_target_parameters",
        "'lora_dropout' must be 0 with 'lora_target_parameters': a parameter that is no layer has no inputs to drop",
        "write 'lora_dropout: 0'",
    ),
    (
        "lr_groups",
        "loraplus_lr_ratio",
        "'lr_groups' and 'loraplus_lr_ratio' both give some weights a learning rate of their own",
        BOTH,
    ),
)

IN_PLACE = {
    "flash_attn_fuse_mlp": "'flash_attn_fuse_mlp' fuses layers that the adapter's matrices stand beside",
    "use_onebitllms": "'use_onebitllms' trains the model's own weights, and an adapter leaves them as they are",
}
"""Keys that change the layers which an adapter of LoRA's kind stands beside."""


def check_adapter(asked: Asked) -> None:
    """Report what an adapter lacks or cannot stand beside, and warn of its keys where there is none."""
    refuse_pairs(asked, PAIRS)
    if asked.value("adapter") in LORA:
        _check_beside_adapter(asked)
    if asked.value("peft_layers_pattern") and asked.lacks("peft_layers_to_transform"):
        message = "'peft_layers_pattern' needs 'peft_layers_to_transform': it says where those layers are"
        asked.draft.report(
            ("peft_layers_pattern",), message, "add 'peft_layers_to_transform: [0, 1]', or remove the line"
        )
    if asked.value("unfrozen_parameters") and asked.value("reward_model"):
        message = (
            "'unfrozen_parameters' cannot name the head of a reward model, which is new and has to train"
        )
        asked.draft.report(("unfrozen_parameters",), message, "remove it, or use 'adapter: lora'", at="key")
    if asked.lacks("adapter"):
        _warn_without_adapter(asked)


def _check_beside_adapter(asked: Asked) -> None:
    draft = asked.draft
    for key, message in IN_PLACE.items():
        if asked.value(key):
            draft.report((key,), message, f"remove 'adapter' or '{key}'", at="key")
    for key in KERNELS:
        if asked.value(key) and asked.value("load_in_8bit"):
            message = f"'{key}' cannot compute on weights that 'load_in_8bit' keeps in 8 bit"
            draft.report((key,), message, "remove the line", at="key")
        for other, why in NOT_FUSED.items():
            if asked.value(key) and asked.value(other):
                draft.report((key,), f"'{key}' has no step for '{other}', {why}", BOTH, at="key")
    if asked.value("unfrozen_parameters"):
        message = "'unfrozen_parameters' has no place beside an adapter, which leaves the model's own weights as they are"
        fix = "use 'lora_modules_to_save' for layers that train whole, or remove 'adapter'"
        draft.report(("unfrozen_parameters",), message, fix, at="key")


def _warn_without_adapter(asked: Asked) -> None:
    for key in (
        name
        for name in Config.model_fields
        if name.startswith(
            ("lora_", "loraplus_", "peft_use_", "peft_trainable_", "peft_layers_", "peft_init_")
        )
    ):
        if getattr(asked.config, key) not in (Config.model_fields[key].default, ()):
            message = f"'{key}' has no effect: without 'adapter: lora' all weights of the model are trained"
            asked.draft.warn((key,), message, f"add 'adapter: lora', or remove '{key}'")
