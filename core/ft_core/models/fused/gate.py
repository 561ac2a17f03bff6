"""What a gated feed-forward block does between its linear layers: ``act(gate) * up``, and the gradients of it.

On an NVIDIA GPU one Triton kernel does it in one pass over memory each way. Elsewhere torch does, in the same arithmetic:
everything in fp32, rounded once.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from typing import Any, Literal

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

Activation = Literal["silu", "gelu_tanh"]

_SQRT_2_OVER_PI = math.sqrt(2 / math.pi)
_CUBIC = 0.044715


def gated(activation: Activation, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """Return ``act(gate) * up``, of the same shape and format."""
    if _has_kernels(gate):
        from ft_core.models.fused.gate_kernels import forward

        return forward(activation, gate, up)
    value, _ = _activated(activation, gate.float())
    return (value * up.float()).to(gate.dtype)


def gated_gradients(
    activation: Activation, gate: torch.Tensor, up: torch.Tensor, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return ``act(gate) * up`` once more, and the gradients of `gate` and of `up`, given that of the product."""
    if _has_kernels(gate):
        from ft_core.models.fused.gate_kernels import backward

        return backward(activation, gate, up, gradient)
    wide, of_product = up.float(), gradient.float()
    value, slope = _activated(activation, gate.float())
    product, of_gate, of_up = value * wide, of_product * wide * slope, of_product * value
    return product.to(gate.dtype), of_gate.to(gate.dtype), of_up.to(gate.dtype)


def _activated(activation: Activation, gate: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the activation of `gate`, and its derivative."""
    if activation == "silu":
        share = torch.sigmoid(gate)
        return gate * share, share * (1 + gate * (1 - share))
    curve = torch.tanh(_SQRT_2_OVER_PI * (gate + _CUBIC * gate**3))
    slope = _SQRT_2_OVER_PI * (1 + 3 * _CUBIC * gate**2)
    return F.gelu(gate, approximate="tanh"), 0.5 * (1 + curve + gate * (1 - curve**2) * slope)


def _has_kernels(tensor: torch.Tensor) -> bool:
    return tensor.is_cuda and _has_triton()


@functools.cache
def _has_triton() -> bool:
    return importlib.util.find_spec("triton") is not None


def activation_of(function: Any) -> Activation | None:
    """Return the name of a block's activation by what it computes, or None where it is neither of the two."""
    probe = torch.linspace(-6, 6, 257)
    try:
        values = function(probe)
    except Exception:  # noqa: BLE001 - whatever it is that takes no numbers, it is not one of these
        return None
    if torch.allclose(values, F.silu(probe), atol=1e-6):
        return "silu"
    if torch.allclose(values, F.gelu(probe, approximate="tanh"), atol=1e-6):
        return "gelu_tanh"
    return None
