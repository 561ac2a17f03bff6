from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.models.fused.choose import PARTS, choose_fused
from ft_core.models.hardware import Device, Hardware

CPU = Hardware("cpu", (), 2, 8 * 2**30, 8 * 2**30)
GPU = Hardware("cuda", (Device("H100", 80 * 2**30, 80 * 2**30, (9, 0)),), 2, 8 * 2**30, 8 * 2**30)


@pytest.mark.parametrize(
    ("keys", "hardware", "parts", "reason"),
    [
        ({}, GPU, PARTS, "the same results in less memory"),
        ({}, CPU, (), "there is no GPU that waits for memory"),
        ({"lora_mlp_kernel": True}, CPU, ("mlp",), "'lora_*_kernel' in the config"),
        ({"lora_mlp_kernel": False}, GPU, ("qkv", "o"), "'lora_*_kernel' in the config"),
        ({"lora_dropout": 0.1}, GPU, (), "'lora_dropout' changes what the adapter reads"),
        ({"torch_compile": True}, GPU, (), "'torch_compile' makes fused steps of its own"),
        ({"peft_use_dora": True}, GPU, (), "'peft_use_dora' scales the layer's own weights"),
        ({"adapter": None}, GPU, (), "all weights train"),
    ],
)
def test_where_adapted_layers_are_fused(
    keys: dict[str, Any],
    hardware: Hardware,
    parts: tuple[str, ...],
    reason: str,
    make_config: Callable[..., Config],
) -> None:
    assert choose_fused(make_config(**{"adapter": "lora", **keys}), hardware) == (parts, reason)
