"""What the keys of number formats accept."""

from __future__ import annotations

import pytest

QLORA = "remove it; 'load_in_4bit: true' with 'adapter: qlora' keeps the base model's weights in 4 bit"
FROZEN = "the base model is frozen, and its weights stay where training computes"
ARGUMENTS = (
    "it takes bnb_4bit_quant_type, bnb_4bit_use_double_quant, bnb_4bit_compute_dtype, bnb_4bit_quant_storage, "
    "llm_int8_threshold, llm_int8_skip_modules, llm_int8_has_fp16_weight, llm_int8_enable_fp32_cpu_offload"
)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("bf16: auto", "auto"),
        ("bf16: true", True),
        ("fp16: 'true'", True),
        ("tf32: false", False),
        ("load_in_4bit: true", True),
        ("load_in_8bit: true", True),
        ("gptq: true", True),
        (
            "bnb_config_kwargs: {llm_int8_threshold: '4', llm_int8_skip_modules: [up_proj]}",
            {"llm_int8_threshold": 4.0, "llm_int8_skip_modules": ("up_proj",)},
        ),
        ("nf4_backend: torchao", "torchao"),
        ("bnb_config_kwargs: {llm_int8_has_fp16_weight: false}", {"llm_int8_has_fp16_weight": False}),
        ("model_quantization_config: Mxfp4Config", "Mxfp4Config"),
        ("qat: {weight_dtype: int4}", {"weight_dtype": "int4"}),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("bf16: atuo", "cannot be 'atuo'; did you mean 'auto'?", "use true, false or 'auto'"),
        ("fp16: auto", "must be true or false, not 'auto'", ""),
        ("load_in_4bit: 1", "must be true or false, not 1", ""),
        ("nf4_backend: bnb", "cannot be 'bnb'", "use 'bitsandbytes' or 'torchao'"),
        (
            "bnb_config_kwargs: {bnb_4bit_quant_typ: nf4}",
            "has no argument 'bnb_4bit_quant_typ' that training knows; did you mean 'bnb_4bit_quant_type'?",
            ARGUMENTS,
        ),
        (
            "bnb_config_kwargs: {bnb_4bit_quant_type: nf8}",
            "has 'bnb_4bit_quant_type', which cannot be 'nf8'",
            "use 'nf4' or 'fp4'",
        ),
        (
            "bnb_config_kwargs: {llm_int8_has_fp16_weight: true}",
            "has 'llm_int8_has_fp16_weight', which must be false: " + FROZEN,
            "remove it",
        ),
        ("qat: int4", "must be a map of 'name: value' lines, not 'int4'", ""),
        (
            "model_quantization_config: Mxfp4",
            "cannot be 'Mxfp4'; did you mean 'Mxfp4Config'?",
            "use 'Mxfp4Config' or 'FineGrainedFP8Config'",
        ),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("nf4_backend: torchao", QLORA),
        ("quantize_moe_experts: true", QLORA),
        ("fp8: true", "use 'bf16: true'"),
        ("qat: {weight_dtype: int4}", "remove it, and quantise the tuned model when the run is done"),
    ],
)
def test_not_supported_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line)[0] == (4, 1, f"'{key}' is not supported yet", fix)


@pytest.mark.parametrize("line", ["load_in_4bit: no", "nf4_backend: bitsandbytes", "qat: {}"])
def test_what_asks_for_nothing_passes(warnings, required, line):
    assert warnings(required + line) == []
