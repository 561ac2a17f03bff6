"""Triton kernels for ``act(gate) * up`` and its gradients: each reads its inputs once and writes its outputs once."""

# Triton reads the annotations of a kernel itself, and knows none but its own.
# pyright: reportMissingParameterType=false, reportUnknownParameterType=false, reportUnknownMemberType=false
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportIndexIssue=false, reportMissingImports=false
# pyright: reportUntypedFunctionDecorator=false
from __future__ import annotations

import torch
import triton
import triton.language as tl

from ft_core.models.fused.gate import Activation

_BLOCK = 2048


@triton.jit
def _activated(gate, silu: tl.constexpr):
    """Return the activation of fp32 numbers, and its derivative."""
    if silu:
        share = tl.sigmoid(gate)
        return gate * share, share * (1.0 + gate * (1.0 - share))
    inner = 0.7978845608028654 * (gate + 0.044715 * gate * gate * gate)
    curve = 2.0 * tl.sigmoid(2.0 * inner) - 1.0
    slope = 0.7978845608028654 * (1.0 + 0.134145 * gate * gate)
    return 0.5 * gate * (1.0 + curve), 0.5 * (1.0 + curve + gate * (1.0 - curve * curve) * slope)


@triton.jit
def _forward(gate_at, up_at, product_at, count, silu: tl.constexpr, block: tl.constexpr):
    places = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = places < count
    value, _ = _activated(tl.load(gate_at + places, mask=inside).to(tl.float32), silu)
    up = tl.load(up_at + places, mask=inside).to(tl.float32)
    tl.store(product_at + places, value * up, mask=inside)


@triton.jit
def _backward(
    gate_at,
    up_at,
    gradient_at,
    product_at,
    of_gate_at,
    of_up_at,
    count,
    silu: tl.constexpr,
    block: tl.constexpr,
):
    places = tl.program_id(0).to(tl.int64) * block + tl.arange(0, block)
    inside = places < count
    value, slope = _activated(tl.load(gate_at + places, mask=inside).to(tl.float32), silu)
    up = tl.load(up_at + places, mask=inside).to(tl.float32)
    gradient = tl.load(gradient_at + places, mask=inside).to(tl.float32)
    tl.store(product_at + places, value * up, mask=inside)
    tl.store(of_gate_at + places, gradient * up * slope, mask=inside)
    tl.store(of_up_at + places, gradient * value, mask=inside)


def forward(activation: Activation, gate: torch.Tensor, up: torch.Tensor) -> torch.Tensor:
    """Return ``act(gate) * up``; both contiguous."""
    product = torch.empty_like(gate)
    grid = (triton.cdiv(gate.numel(), _BLOCK),)
    _forward[grid](gate, up, product, gate.numel(), silu=activation == "silu", block=_BLOCK)
    return product


def backward(
    activation: Activation, gate: torch.Tensor, up: torch.Tensor, gradient: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the product, and the gradients of `gate` and of `up`; all contiguous."""
    product, of_gate, of_up = (torch.empty_like(gate) for _ in range(3))
    grid = (triton.cdiv(gate.numel(), _BLOCK),)
    _backward[grid](
        gate,
        up,
        gradient.contiguous(),
        product,
        of_gate,
        of_up,
        gate.numel(),
        silu=activation == "silu",
        block=_BLOCK,
    )
    return product, of_gate, of_up
