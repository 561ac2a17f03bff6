"""A frozen linear layer and the adapter beside it, as one step of the backward pass.

PEFT computes ``base(x) + B(A(x)) * scaling`` as six operations. Each reads and writes a tensor as large as the layer's input
or output, and keeps some of them; the matrix products with A and B themselves take hardly any time. Here the products
are added in place to what the base layer made, and only the input is kept, which its neighbours keep anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it


@dataclass(frozen=True)
class Frozen:
    """A layer whose own weights do not train.

    Attributes
    ----------
    layer
        ``torch.nn.Linear``, or bitsandbytes' layer of 4 bit.
    """

    layer: torch.nn.Module

    def weight(self, dtype: torch.dtype) -> torch.Tensor:
        """Return its weights, ``[outputs, inputs]``."""
        weight: Any = self.layer.weight
        if (state := getattr(weight, "quant_state", None)) is not None:
            from bitsandbytes.functional import dequantize_4bit

            return dequantize_4bit(weight.data, state).to(dtype)
        return weight.detach().to(dtype)

    def bias(self, dtype: torch.dtype) -> torch.Tensor | None:
        """Return its bias, if it has one."""
        bias: Any = self.layer.bias
        return None if bias is None else bias.detach().to(dtype)


@dataclass(frozen=True)
class Adapted:
    """A frozen layer, and the factor of its adapter's output; without an adapter, None."""

    base: Frozen
    scaling: float | None


def project(
    layer: Adapted, flat: torch.Tensor, a: torch.Tensor | None, b: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the layer's output, and the adapter's between its two matrices.

    Parameters
    ----------
    layer
        The layer.
    flat
        Its input, ``[tokens, inputs]``.
    a, b
        The adapter's matrices, ``[rank, inputs]`` and ``[outputs, rank]``, in the input's format; None without one.
    """
    output = F.linear(flat, layer.base.weight(flat.dtype), layer.base.bias(flat.dtype))
    if a is None or b is None or layer.scaling is None:
        return output, None
    between = flat @ a.t()
    return output.addmm_(between, b.t(), alpha=layer.scaling), between


def project_back(
    layer: Adapted,
    gradient: torch.Tensor,
    a: torch.Tensor | None,
    b: torch.Tensor | None,
    *,
    into: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return the gradient for the layer's input, and the one between the adapter's matrices.

    Parameters
    ----------
    layer, a, b
        As for `project`.
    gradient
        That of the layer's output, ``[tokens, outputs]``.
    into
        A gradient for the same input that is added to, in place.
    """
    weight = layer.base.weight(gradient.dtype)
    of_input = gradient @ weight if into is None else into.addmm_(gradient, weight)
    if a is None or b is None:
        return of_input, None
    between = between_gradient(layer, gradient, b)
    return of_input.addmm_(between, a), between


def between_gradient(layer: Adapted, gradient: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the gradient of the adapter's output between its two matrices, ``[tokens, rank]``."""
    assert layer.scaling is not None
    return (gradient @ b).mul_(layer.scaling)


def matrix_gradients(
    layer: Adapted,
    flat: torch.Tensor,
    gradient: torch.Tensor,
    between: torch.Tensor | None,
    of_between: torch.Tensor | None,
) -> tuple[torch.Tensor | None, torch.Tensor | None]:
    """Return the gradients of the adapter's two matrices, in fp32 as they are kept; None twice without an adapter."""
    if between is None or of_between is None or layer.scaling is None:
        return None, None
    return (of_between.t() @ flat).float(), (gradient.t() @ between).mul_(layer.scaling).float()


class _AdaptedLinear(torch.autograd.Function):
    """Hidden states through a frozen layer and its adapter."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, layer: Adapted, hidden: torch.Tensor, a: torch.Tensor, b: torch.Tensor
    ) -> torch.Tensor:
        a, b = a.to(hidden.dtype), b.to(hidden.dtype)
        output, between = project(layer, hidden.flatten(0, -2), a, b)
        ctx.layer = layer
        ctx.save_for_backward(hidden, a, b, between)
        return output.unflatten(0, hidden.shape[:-1])

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:  # type: ignore[override]
        hidden, a, b, between = ctx.saved_tensors
        flat, gradient = hidden.flatten(0, -2), gradient.flatten(0, -2)
        of_input = None
        if ctx.needs_input_grad[1]:
            of_input, of_between = project_back(ctx.layer, gradient, a, b)
            of_input = of_input.view_as(hidden)
        else:
            of_between = between_gradient(ctx.layer, gradient, b)
        return None, of_input, *matrix_gradients(ctx.layer, flat, gradient, between, of_between)


def adapted_linear(layer: Adapted, hidden: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return ``base(hidden) + hidden A^T B^T scaling``, ``[..., outputs]``.

    Parameters
    ----------
    layer
        The layer.
    hidden
        Its input, ``[..., inputs]``, in the format to compute in.
    a, b
        The adapter's matrices, ``[rank, inputs]`` and ``[outputs, rank]``, in fp32.
    """
    output: torch.Tensor = _AdaptedLinear.apply(layer, hidden, a, b)
    return output
