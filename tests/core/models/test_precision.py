from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models.hardware import Device, Hardware
from ft_core.models.precision import choose_precision

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
CPU_BF16 = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB, cpu_bf16=True)
A100 = Hardware("cuda", (Device("A100", 40 * GIB, 40 * GIB, (8, 0)),), 8, 16 * GIB, 8 * GIB)
T4 = Hardware("cuda", (Device("Tesla T4", 15 * GIB, 15 * GIB, (7, 5)),), 8, 16 * GIB, 8 * GIB)
V100 = Hardware("cuda", (Device("V100", 32 * GIB, 32 * GIB, (7, 0)),), 8, 16 * GIB, 8 * GIB)
H100 = Hardware("cuda", (Device("H100", 80 * GIB, 80 * GIB, (9, 0)),), 8, 16 * GIB, 8 * GIB)
MIXED = Hardware("cuda", (A100.devices[0], T4.devices[0]), 8, 16 * GIB, 8 * GIB)
MPS = Hardware("mps", (Device("Apple GPU", 16 * GIB, 8 * GIB),), 8, 16 * GIB, 8 * GIB)
LORA = {"adapter": "lora"}


@pytest.mark.parametrize(
    ("hardware", "keys", "compute", "weights"),
    [
        (A100, {}, "bf16", "fp32"),  # a full fine-tune keeps fp32 master weights
        (A100, LORA, "bf16", "bf16"),
        (A100, {"unfrozen_parameters": ["lm_head"]}, "bf16", "bf16"),
        (CPU_BF16, {"unfrozen_parameters": ["lm_head"]}, "bf16", "fp32"),
        (T4, {}, "fp16", "fp32"),
        (T4, LORA, "fp16", "fp16"),
        (MIXED, LORA, "fp16", "fp16"),  # the older GPU decides for all
        (CPU, LORA, "fp32", "fp32"),
        (CPU_BF16, LORA, "bf16", "bf16"),
        (CPU, {"bf16": True}, "bf16", "fp32"),
        (MPS, LORA, "fp32", "fp32"),
        (MPS, LORA | {"bf16": True}, "bf16", "bf16"),
        (V100, LORA, "fp16", "fp16"),
        (H100, LORA, "bf16", "bf16"),
        (A100, {"bf16": False}, "fp32", "fp32"),
        (A100, {"fp16": True, "adapter": "lora"}, "fp16", "fp16"),
    ],
)
def test_formats(
    hardware: Hardware, keys: dict[str, Any], compute: str, weights: str, make_config: Callable[..., Config]
) -> None:
    precision = choose_precision(make_config(**keys), hardware)
    assert (precision.compute, precision.weights) == (compute, weights)
    assert precision.weight_bytes == (4 if weights == "fp32" else 2)


@pytest.mark.parametrize(
    ("hardware", "keys", "message"),
    [
        (CPU, {"fp16": True}, "'fp16: true' needs an NVIDIA GPU"),
        (MPS, {"fp16": True}, "'fp16: true' needs an NVIDIA GPU"),
        (T4, {"bf16": True}, "'bf16: true' needs an Ampere GPU or newer, and Tesla T4 is older"),
        (V100, {"bf16": True}, "'bf16: true' needs an Ampere GPU or newer, and V100 is older"),
        (MIXED, {"bf16": True}, "'bf16: true' needs an Ampere GPU or newer, and Tesla T4 is older"),
    ],
)
def test_a_format_that_the_device_lacks_is_a_sentence(
    hardware: Hardware, keys: dict[str, Any], message: str, make_config: Callable[..., Config]
) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        choose_precision(make_config(**keys), hardware)
    assert "bf16: auto" in raised.value.fix


def test_bf16_on_an_apple_gpu_needs_a_torch_that_has_it(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.5.1")
    with pytest.raises(
        ModelError, match=r"^'bf16: true' needs PyTorch 2\.6 or newer on an Apple GPU\."
    ) as raised:
        choose_precision(make_config(bf16=True), MPS)
    assert "'bf16: auto'" in raised.value.fix
    assert choose_precision(make_config(), MPS).compute == "fp32"
