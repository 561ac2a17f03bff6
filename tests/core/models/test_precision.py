from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models.hardware import Device, Hardware
from ft_core.models.precision import choose_attention, choose_precision

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
CPU_BF16 = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB, cpu_bf16=True)
A100 = Hardware("cuda", (Device("A100", 40 * GIB, 40 * GIB, (8, 0)),), 8, 16 * GIB, 8 * GIB)
T4 = Hardware("cuda", (Device("Tesla T4", 15 * GIB, 15 * GIB, (7, 5)),), 8, 16 * GIB, 8 * GIB)
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
    ],
)
def test_a_format_that_the_device_lacks_is_a_sentence(
    hardware: Hardware, keys: dict[str, Any], message: str, make_config: Callable[..., Config]
) -> None:
    with pytest.raises(ModelError, match=message) as raised:
        choose_precision(make_config(**keys), hardware)
    assert "bf16: auto" in raised.value.fix


PACKED = {"sample_packing": True, "sequence_len": 64}
VARLEN = {"attn_implementation": "varlen"}
FLASH = {"attn_implementation": "flash_attention_2"}
LLAMA = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}
GEMMA = {"model_type": "gemma", "hidden_size": 64, "num_attention_heads": 4, "head_dim": 256}
SEES_ALL = "torch's own fused attention, and no package beyond torch"
ALONE = "torch's own kernel for packed rows, which computes each document alone"
MASKED = "torch's own fused attention, over a mask of documents: "
ON_NVIDIA = "torch's kernel for documents runs on NVIDIA GPUs only"
L4 = Hardware("cuda", (Device("L4", 24 * GIB, 24 * GIB, (8, 9)),), 8, 16 * GIB, 8 * GIB)


@pytest.fixture
def without_flash_attn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the package flash-attn not be there, and torch the one that is tried."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.11.0+cu130")


@pytest.mark.parametrize(
    ("hardware", "keys", "model_config", "attention", "reason"),
    [
        (CPU, {}, LLAMA, "sdpa", SEES_ALL),
        (CPU, {}, {}, "sdpa", SEES_ALL),
        (CPU, {}, {"model_type": "gemma2"}, "eager", "gemma2 models have no other exact path"),
        (A100, PACKED, {"model_type": "gemma2"}, "eager", "gemma2 models have no other exact path"),
        (
            A100,
            PACKED | {"attn_implementation": "eager"},
            LLAMA,
            "eager",
            "'attn_implementation' in the config",
        ),
        (A100, {}, LLAMA, "sdpa", SEES_ALL),
        (A100, PACKED, LLAMA, "varlen", ALONE),
        (A100, {"batch_flattening": True}, LLAMA, "varlen", ALONE),
        (A100, PACKED, GEMMA, "varlen", ALONE),
        (A100, VARLEN, LLAMA, "varlen", "'attn_implementation' in the config"),
        (CPU, PACKED, LLAMA, "sdpa", MASKED + ON_NVIDIA),
        (T4, PACKED, LLAMA, "sdpa", MASKED + "torch's kernel for documents needs an Ampere GPU or newer"),
        (
            A100,
            PACKED | {"bf16": False},
            LLAMA,
            "sdpa",
            MASKED + "torch's kernel for documents computes in bf16 or fp16",
        ),
        (
            A100,
            PACKED,
            {"model_type": "stablelm"},
            "sdpa",
            MASKED + "stablelm models are not known to work with torch's kernel for documents",
        ),
        (
            A100,
            PACKED,
            {},
            "sdpa",
            MASKED + "unknown models are not known to work with torch's kernel for documents",
        ),
        (L4, PACKED, GEMMA, "sdpa", MASKED + "torch's kernel for documents takes no heads of 256 numbers"),
        (
            A100,
            PACKED,
            {**LLAMA, "hidden_size": 48},
            "sdpa",
            MASKED + "torch's kernel for documents takes no heads of 12 numbers",
        ),
        (
            A100,
            PACKED,
            {**LLAMA, "attention_dropout": 0.1},
            "sdpa",
            MASKED + "torch's kernel for documents has no dropout",
        ),
        (
            A100,
            PACKED | FLASH,
            LLAMA,
            "varlen",
            "'flash_attention_2' in the config: the package flash-attn is not here, and torch has its kernel",
        ),
        (CPU, PACKED | FLASH, LLAMA, "flash_attention_2", "'attn_implementation' in the config"),
    ],
)
def test_attention(
    hardware: Hardware,
    keys: dict[str, Any],
    model_config: dict[str, Any],
    attention: str,
    reason: str,
    make_config: Callable[..., Config],
    without_flash_attn: None,
) -> None:
    assert choose_attention(make_config(**keys), model_config, hardware) == (attention, reason)


def test_flash_attn_is_used_where_it_is(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    assert choose_attention(make_config(**FLASH), LLAMA, A100)[0] == "flash_attention_2"


def test_an_older_torch_has_no_window_in_its_kernel(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.10.1")
    found = choose_attention(make_config(**PACKED), LLAMA, A100)
    assert found == ("sdpa", MASKED + "torch's kernel for documents came with torch 2.11")


def test_what_cannot_be_is_a_sentence(make_config: Callable[..., Config]) -> None:
    with pytest.raises(ModelError) as raised:
        choose_attention(make_config(**VARLEN), LLAMA, CPU)
    assert raised.value.message == f"'attn_implementation: varlen' cannot be used here: {ON_NVIDIA}."
    assert raised.value.fix.startswith("Write 'attn_implementation: auto'")
