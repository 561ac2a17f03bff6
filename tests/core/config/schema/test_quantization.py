"""What the keys of number formats accept."""

from __future__ import annotations

import pytest

MEMORY = "remove it: weights are kept in 16 bit; 'gradient_checkpointing: true' or a smaller base_model saves memory"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("bf16: auto", "auto"),
        ("bf16: true", True),
        ("fp16: 'true'", True),
        ("tf32: false", False),
        ("load_in_4bit: true", True),
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
        ("load_in_4bit: true", MEMORY),
        ("load_in_8bit: true", MEMORY),
        ("gptq: true", MEMORY),
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
