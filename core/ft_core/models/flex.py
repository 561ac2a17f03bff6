"""Torch's flex attention: compiled for the scores and the mask that a model has, and blind to blocks that the mask leaves empty.

The mask of documents and windows is Transformers' own, made of position ids once for each batch. Its function is replaced
under its own name, because it compiles with no arguments of the config's, and because rotary positions make queries and
keys fp32 beside 16-bit values where master weights train under autocast, which torch's kernel refuses. Paper:
https://arxiv.org/abs/2412.05496
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.nn.attention.flex_attention import BlockMask, flex_attention
from transformers import AttentionInterface

from ft_core.models.attention_paths import FLEX
from ft_core.models.varlen import format_of


def register(compile_arguments: Mapping[str, Any] | None = None) -> None:
    """Make our ``flex_attention`` that of Transformers.

    Parameters
    ----------
    compile_arguments
        Further arguments of ``torch.compile`` for the kernel.
    """
    kernel: Any = torch.compile(flex_attention, **(compile_arguments or {}))
    AttentionInterface.register(FLEX, functools.partial(attend, kernel))


def attend(
    kernel: Callable[..., torch.Tensor],
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: BlockMask,
    *,
    scaling: float | None = None,
    softcap: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention over the blocks of a mask, in the signature that Transformers calls.

    Parameters
    ----------
    kernel
        Torch's ``flex_attention``, compiled or not.
    module
        The attention layer.
    query, key, value
        ``[rows, heads, length, head size]``; keys and values may have fewer heads, each for a group of the queries'.
    attention_mask
        Which blocks of tokens see which.
    scaling
        What scores are multiplied with.
    softcap
        What scores are kept below, by a hyperbolic tangent.
    others
        What else Transformers passes on.

    Returns
    -------
    tuple
        ``[rows, length, heads, head size]``, and no attention weights.
    """
    del module, others
    dtype = format_of(value)
    group = query.shape[1] // key.shape[1]
    shared = group > 1
    if group & (group - 1):  # the kernel shares keys among groups of a power of two
        key, value = (each.repeat_interleave(group, dim=1) for each in (key, value))
        shared = False
    attended = kernel(
        query.to(dtype),
        key.to(dtype),
        value.to(dtype),
        score_mod=None if softcap is None else _capped_at(softcap),
        block_mask=attention_mask,
        scale=scaling,
        enable_gqa=shared,
    )
    return attended.transpose(1, 2).contiguous(), None


def _capped_at(softcap: float) -> Callable[..., torch.Tensor]:
    """Return a function that makes a score near `softcap` and never pass it, in the form that the compiler takes."""

    def capped(
        score: torch.Tensor, row: torch.Tensor, head: torch.Tensor, query: torch.Tensor, key: torch.Tensor
    ) -> torch.Tensor:
        del row, head, query, key
        return softcap * torch.tanh(score / softcap)

    return capped
