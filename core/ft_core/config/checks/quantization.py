"""Checks of number formats and of quantised base models."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, refuse_pairs

BITS = {"load_in_8bit": "8 bit", "load_in_4bit": "4 bit"}

PAIRS = tuple(
    (key, other, message, BOTH)
    for other, bits in BITS.items()
    for key, message in (
        (
            "model_quantization_config",
            f"'model_quantization_config' says how the checkpoint is quantised, and '{other}' quantises it to {bits}",
        ),
        ("qat", f"'qat' trains whole weights, and '{other}' keeps them in {bits}"),
    )
)


def check_quantization(asked: Asked) -> None:
    """Report two number formats at once, and quantised weights that nothing can train."""
    if asked.config.fp16 and asked.config.bf16 is True:
        asked.draft.report(
            ("fp16",),
            "'fp16' and 'bf16' cannot both be true",
            "keep 'bf16: true', or 'fp16: true' for older GPUs",
        )
    refuse_pairs(asked, PAIRS)
    if asked.value("adapter") == "qlora":
        _check_qlora(asked)
    elif asked.value("adapter") == "lora" and all(asked.value(key) for key in BITS):
        message = "'load_in_8bit' and 'load_in_4bit' are both true: the base model is kept in 8 bit"
        asked.draft.warn(("adapter",), message, "remove one of the two")
    if asked.lacks("adapter"):
        for key, bits in BITS.items():
            if asked.value(key):
                message = f"'{key}' needs an adapter: weights in {bits} cannot be trained themselves"
                name = "qlora" if key == "load_in_4bit" else "lora"
                asked.draft.report((key,), message, f"add 'adapter: {name}', or remove the line", at="key")
    if asked.value("quantize_moe_experts"):
        _check_experts(asked)


def _check_qlora(asked: Asked) -> None:
    """Report what QLoRA's base model cannot be."""
    draft = asked.draft
    if asked.value("load_in_8bit"):
        message = "'adapter: qlora' keeps the base model in 4 bit, and 'load_in_8bit' in 8 bit"
        draft.report(("load_in_8bit",), message, "write 'load_in_4bit: true' in its place", at="key")
    elif asked.value("gptq"):
        message = "'adapter: qlora' quantises the base model, and 'gptq' says that it is quantised already"
        draft.report(("gptq",), message, "use 'adapter: lora'", at="key")
    elif asked.lacks("load_in_4bit") and not asked.unclear("load_in_8bit"):
        draft.report(("adapter",), "'adapter: qlora' needs 'load_in_4bit: true'", "add 'load_in_4bit: true'")


def _check_experts(asked: Asked) -> None:
    draft = asked.draft
    if asked.lacks("adapter"):
        message = "'quantize_moe_experts' needs an adapter: quantised experts cannot be trained themselves"
        draft.report(("quantize_moe_experts",), message, "add 'adapter: qlora'", at="key")
    if all(asked.lacks(key) for key in BITS):
        message = "'quantize_moe_experts' needs 'load_in_4bit' or 'load_in_8bit': in how many bits"
        draft.report(("quantize_moe_experts",), message, "add 'load_in_4bit: true'", at="key")
    if asked.value("lora_target_linear"):
        message = (
            "'lora_target_linear' finds no linear layers in experts that 'quantize_moe_experts' quantised"
        )
        draft.report(
            ("lora_target_linear",), message, "use 'lora_target_parameters' for the experts", at="key"
        )
