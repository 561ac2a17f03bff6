"""Number formats, and quantised base models."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "bf16: true\nfp16: true",
        5,
        7,
        "'fp16' and 'bf16' cannot both be true",
        "keep 'bf16: true', or 'fp16: true' for older GPUs",
        "bf16: false\nfp16: true",
    ),
    (
        "adapter: qlora",
        4,
        10,
        "'adapter: qlora' needs 'load_in_4bit: true'",
        "add 'load_in_4bit: true'",
        "adapter: qlora\nload_in_4bit: true",
    ),
    (
        "adapter: qlora\nload_in_8bit: true",
        5,
        1,
        "'adapter: qlora' keeps the base model in 4 bit, and 'load_in_8bit' in 8 bit",
        "write 'load_in_4bit: true' in its place",
        "adapter: lora\nload_in_8bit: true",
    ),
    (
        "adapter: qlora\ngptq: true",
        5,
        1,
        "'adapter: qlora' quantises the base model, and 'gptq' says that it is quantised already",
        "use 'adapter: lora'",
        "adapter: lora\ngptq: true",
    ),
    (
        "load_in_4bit: true",
        4,
        1,
        "'load_in_4bit' needs an adapter: weights in 4 bit cannot be trained themselves",
        "add 'adapter: qlora', or remove the line",
        "load_in_4bit: true\nadapter: qlora",
    ),
    (
        "load_in_8bit: true",
        4,
        1,
        "'load_in_8bit' needs an adapter: weights in 8 bit cannot be trained themselves",
        "add 'adapter: lora', or remove the line",
        "load_in_8bit: true\nadapter: lora",
    ),
    (
        "adapter: lora\nload_in_8bit: true\nmodel_quantization_config: Mxfp4Config",
        6,
        1,
        "'model_quantization_config' says how the checkpoint is quantised, and 'load_in_8bit' quantises it to 8 bit",
        "remove one of the two",
        "adapter: lora\nmodel_quantization_config: Mxfp4Config",
    ),
    (
        "adapter: qlora\nload_in_4bit: true\nqat: {weight_dtype: int4}",
        6,
        1,
        "'qat' trains whole weights, and 'load_in_4bit' keeps them in 4 bit",
        "remove one of the two",
        "qat: {weight_dtype: int4}",
    ),
    (
        "quantize_moe_experts: true\nadapter: lora",
        4,
        1,
        "'quantize_moe_experts' needs 'load_in_4bit' or 'load_in_8bit': in how many bits",
        "add 'load_in_4bit: true'",
        "quantize_moe_experts: true\nadapter: lora\nload_in_8bit: true",
    ),
    (
        "quantize_moe_experts: true\nadapter: qlora\nload_in_4bit: true\nlora_target_linear: true",
        7,
        1,
        "'lora_target_linear' finds no linear layers in experts that 'quantize_moe_experts' quantised",
        "use 'lora_target_parameters' for the experts",
        "adapter: qlora\nload_in_4bit: true\nlora_target_linear: true",
    ),
]

WARNINGS = [
    (
        "adapter: lora\nload_in_4bit: true\nload_in_8bit: true",
        4,
        1,
        "'load_in_8bit' and 'load_in_4bit' are both true: the base model is kept in 8 bit",
        "remove one of the two",
        "adapter: lora\nload_in_8bit: true",
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
