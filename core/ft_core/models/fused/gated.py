"""A gated feed-forward block (SwiGLU, GeGLU; Shazeer 2020, https://arxiv.org/abs/2002.05202) as one step of the backward pass.

::

    hidden ─┬─ gate ─ act ─┐
            └─ up ─────────*── down ─ output

Kept for the backward pass are the block's input and what `gate` and `up` made of it. Their product is made again there, in
the same pass over memory that makes the gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from ft_core.models.fused.gate import Activation, gated, gated_gradients
from ft_core.models.fused.linear import Adapted, between_gradient, matrix_gradients, project, project_back

Matrices = tuple[torch.Tensor | None, torch.Tensor | None]
"""The two matrices of an adapter, or None twice."""


@dataclass(frozen=True)
class GatedBlock:
    """The three layers of a block, and its activation."""

    gate: Adapted
    up: Adapted
    down: Adapted
    activation: Activation


class _GatedBlock(torch.autograd.Function):
    """Hidden states through a block."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, block: GatedBlock, hidden: torch.Tensor, *matrices: torch.Tensor | None
    ) -> torch.Tensor:
        gate_a, gate_b, up_a, up_b, down_a, down_b = (
            each if each is None else each.to(hidden.dtype) for each in matrices
        )
        flat = hidden.flatten(0, -2)
        gate, gate_between = project(block.gate, flat, gate_a, gate_b)
        up, up_between = project(block.up, flat, up_a, up_b)
        output, down_between = project(block.down, gated(block.activation, gate, up), down_a, down_b)
        ctx.block = block
        ctx.save_for_backward(
            hidden,
            gate,
            up,
            gate_a,
            gate_b,
            up_a,
            up_b,
            down_a,
            down_b,
            gate_between,
            up_between,
            down_between,
        )
        return output.unflatten(0, hidden.shape[:-1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:  # type: ignore[override]
        hidden, gate, up, gate_a, gate_b, up_a, up_b, down_a, down_b, *between = ctx.saved_tensors
        block: GatedBlock = ctx.block
        flat, gradient = hidden.flatten(0, -2), gradient.flatten(0, -2)
        of_product, of_down = project_back(block.down, gradient, down_a, down_b)
        product, of_gate, of_up = gated_gradients(block.activation, gate, up, of_product)
        of_matrices = matrix_gradients(block.down, product, gradient, between[2], of_down)
        del product, of_product
        of_input = None
        if ctx.needs_input_grad[1]:
            of_input, of_up_between = project_back(block.up, of_up, up_a, up_b)
            of_input, of_gate_between = project_back(block.gate, of_gate, gate_a, gate_b, into=of_input)
            of_input = of_input.view_as(hidden)
        else:
            of_up_between = None if up_b is None else between_gradient(block.up, of_up, up_b)
            of_gate_between = None if gate_b is None else between_gradient(block.gate, of_gate, gate_b)
        return (
            None,
            of_input,
            *matrix_gradients(block.gate, flat, of_gate, between[0], of_gate_between),
            *matrix_gradients(block.up, flat, of_up, between[1], of_up_between),
            *of_matrices,
        )


def gated_block(
    block: GatedBlock, hidden: torch.Tensor, gate: Matrices, up: Matrices, down: Matrices
) -> torch.Tensor:
    """Return the block's output, ``[..., hidden]``.

    Parameters
    ----------
    block
        The block.
    hidden
        Its input, ``[..., hidden]``, in the format to compute in.
    gate, up, down
        The adapters of its layers, in fp32.
    """
    output: torch.Tensor = _GatedBlock.apply(block, hidden, *gate, *up, *down)
    return output
