"""Attention by the kernels of the package xformers, which run on GPUs too that are too old for flash attention.

Rows that are packed are computed document by document, as in `ft_core.models.varlen`; padded ones need no mask where the
padding stands on the right, since no token looks there. Transformers has no such attention, so it is registered as one of
ours (``xformers``). Source of the kernels: https://github.com/facebookresearch/xformers
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ft_core.models.attention_paths import XFORMERS
from ft_core.models.varlen import format_of, laid_out


def register() -> None:
    """Make ``xformers`` known to Transformers."""
    AttentionInterface.register(XFORMERS, attend)
    AttentionMaskInterface.register(XFORMERS, row_mask)


def row_mask(**arguments: Any) -> torch.Tensor | None:
    """Return the mask of rows as ``sdpa`` has it, and none where the order of tokens alone says what each may see."""
    padding: torch.Tensor | None = arguments.get("attention_mask")
    if arguments["q_length"] != arguments["kv_length"]:
        return sdpa_mask(**arguments)
    if padding is None or bool((padding[:, 1:] <= padding[:, :-1]).all()):
        return None
    return sdpa_mask(**arguments)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    sliding_window: int | None = None,
    cu_seq_lens_q: torch.Tensor | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of each row, or of each document of a packed row, in the signature that Transformers calls.

    Parameters
    ----------
    module
        The attention layer.
    query, key, value
        ``[rows, heads, length, head size]``; keys and values may have fewer heads, each for a group of the queries'.
    attention_mask
        That of `row_mask`.
    dropout
        Share of the scores that is dropped.
    scaling
        What scores are multiplied with.
    sliding_window
        How many tokens a token sees, itself among them; None for all before it.
    cu_seq_lens_q
        Where documents begin (`ft_core.models.varlen.document_bounds`); None where rows are not packed.
    others
        What else Transformers passes on.

    Returns
    -------
    tuple
        ``[rows, length, heads, head size]``, and no attention weights.
    """
    if attention_mask is not None:
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return output, None
    rows, heads, length, _ = query.shape
    bounds = _rows(rows, length, query.device) if cu_seq_lens_q is None else cu_seq_lens_q
    dtype = format_of(value)
    group = heads // key.shape[1]
    attended = _kernel(
        laid_out(query, dtype),
        laid_out(key.repeat_interleave(group, dim=1), dtype),
        laid_out(value.repeat_interleave(group, dim=1), dtype),
        _bias(bounds, sliding_window),
        scale=scaling,
        dropout=dropout,
    )
    return attended.unflatten(0, (rows, length)), None


@functools.lru_cache(maxsize=1)
def _rows(rows: int, length: int, device: torch.device) -> torch.Tensor:
    """Return where rows of one document each begin."""
    return torch.arange(0, (rows + 1) * length, length, device=device, dtype=torch.int32)


@functools.lru_cache(maxsize=2)
def _bias(bounds: torch.Tensor, window: int | None) -> Any:
    """Return what xformers keeps documents apart by.

    The host waits for the bounds here, so layers share what comes of it: they are called with the very same tensor.
    """
    bias: Any = importlib.import_module("xformers.ops.fmha.attn_bias")
    lengths = bounds.diff().tolist()
    documents = bias.BlockDiagonalCausalMask.from_seqlens(lengths, device=bounds.device)
    return documents if window is None else documents.make_local_attention(window)


def _kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: Any,
    *,
    scale: float | None,
    dropout: float,
) -> torch.Tensor:
    """Call xformers' kernel, on tokens of ``[tokens, heads, head size]``."""
    operations: Any = importlib.import_module("xformers.ops")
    return operations.memory_efficient_attention(
        query[None], key[None], value[None], attn_bias=bias, p=dropout, scale=scale
    )[0]
