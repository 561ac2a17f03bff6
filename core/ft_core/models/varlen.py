"""Attention over the documents of packed rows, each by itself, in torch's own kernel: nothing beyond torch is installed for it.

Attention over a mask computes every pair of tokens of a row and then forgets those of different documents. The kernel of
``torch.nn.attention.varlen`` (FlashAttention 2) is told where each document begins and computes no other pair::

    position_ids    0 1 2 0 1 | 0 1 2 3 0        two rows, the last document of the second is padding
    cu_seq_lens     0     3   5       9 10       where documents begin in all rows laid end to end, and the end

It is registered with Transformers as an attention of its own (``varlen``). Rows that nobody said this of, such as padded ones
or those of generation, are computed as ``sdpa`` would.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ft_core.models.attention_paths import VARLEN


def register() -> None:
    """Make ``varlen`` known to Transformers."""
    AttentionInterface.register(VARLEN, attend)
    AttentionMaskInterface.register(VARLEN, padding_mask)


def document_bounds(position_ids: torch.Tensor) -> dict[str, Any]:
    """Return where documents begin and how long the longest is, by the names that Transformers hands on to attention.

    Parameters
    ----------
    position_ids
        ``[rows, length]``, counted from 0 in each document.

    Examples
    --------
    >>> bounds = document_bounds(torch.tensor([[0, 1, 2, 0, 1], [0, 1, 2, 3, 0]]))
    >>> bounds["cu_seq_lens_q"].tolist(), bounds["max_length_q"]
    ([0, 3, 5, 9, 10], 4)
    """
    flat = position_ids.flatten()
    starts = (flat == 0).nonzero().squeeze(1)
    bounds = torch.cat([starts, starts.new_tensor([len(flat)])]).to(torch.int32)
    longest = int(bounds.diff().max())
    return {
        "cu_seq_lens_q": bounds,
        "cu_seq_lens_k": bounds,
        "max_length_q": longest,
        "max_length_k": longest,
    }


def padding_mask(**arguments: Any) -> torch.Tensor | None:
    """Return the mask of padded rows as ``sdpa`` has it, and none where no token is padding and nothing is cached."""
    if arguments.get("attention_mask") is None and arguments["q_length"] == arguments["kv_length"]:
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
    max_length_q: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return the attention of each document to itself, in the signature that Transformers calls.

    Parameters
    ----------
    module
        The attention layer.
    query, key, value
        ``[rows, heads, length, head size]``; keys and values may have fewer heads, each for a group of the queries'.
    attention_mask
        The mask of padded rows.
    dropout
        Of ``sdpa``; the kernel has none.
    scaling
        What scores are multiplied with.
    sliding_window
        How many tokens a token sees, itself among them; None for all before it.
    cu_seq_lens_q, max_length_q
        Those of `document_bounds`; None where rows are not packed.
    others
        What else Transformers passes on.

    Returns
    -------
    tuple
        ``[rows, length, heads, head size]``, and no attention weights.
    """
    if cu_seq_lens_q is None or max_length_q is None:
        if attention_mask is None and sliding_window is not None:
            attention_mask = _window(query.shape[2], sliding_window, query.device)
        output, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return output, None
    dtype = format_of(value)
    attended = _kernel(
        laid_out(query, dtype),
        laid_out(key, dtype),
        laid_out(value, dtype),
        cu_seq_lens_q,
        max_length_q,
        scale=scaling,
        window_size=(-1 if sliding_window is None else sliding_window - 1, 0),
    )
    return attended.unflatten(0, (query.shape[0], query.shape[2])), None


def laid_out(heads: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return the tokens of all rows end to end, ``[tokens, heads, head size]``."""
    return heads.transpose(1, 2).flatten(0, 1).to(dtype)


def format_of(value: torch.Tensor) -> torch.dtype:
    """Return the format to compute in: rotary positions may have made queries and keys fp32 under autocast."""
    kind = value.device.type
    return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else value.dtype


def _window(length: int, size: int, device: torch.device) -> torch.Tensor:
    """Return a mask in which a token sees `size` tokens: itself, and those right before it."""
    places = torch.arange(length, device=device)
    distance = places[:, None] - places
    return ((distance >= 0) & (distance < size))[None, None]


def _kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    longest: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
) -> torch.Tensor:
    """Call torch's kernel, on tokens of ``[tokens, heads, head size]``."""
    from torch.nn.attention import varlen

    # Torch 2.11 takes fewer heads of keys than of queries without being told.
    kernel: Any = varlen.varlen_attn
    grouped = {"enable_gqa": True} if "enable_gqa" in inspect.signature(kernel).parameters else {}
    return kernel(
        query, key, value, bounds, bounds, longest, longest, scale=scale, window_size=window_size, **grouped
    )
