"""How the documents of a packed row are kept apart in a model, and in which models they cannot be. Torch-free.

A document of a row must be computed as if it were alone. Three ways lead there:

* ``positions``: position ids that start again at 0 with each document. Transformers makes a mask of documents out of them,
  in most families, and only where there is neither an attention mask nor a cache of keys and values
  (https://github.com/huggingface/transformers/issues/46634);
* ``varlen``: where each document begins, told to a kernel that computes each alone (`ft_core.models.attention_paths`);
* ``mask``: a mask of our own, for families that make theirs without looking at position ids. It would break models
  with a sliding window, which is not in it.

Layers that carry a state from token to token take it along from one document into the next, and no mask helps. Families
that are not named here are taken to go by their positions; a run asks the model itself before it trains
(`ft_core.train.isolation`). What was measured is in docs/explanation/packing.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ft_core.models.attention_paths import PER_DOCUMENT, TELLS_BOUNDS
from ft_core.models.parameters import text_config

IsolatedBy = Literal["positions", "varlen", "mask"]

MASKED = ("biogpt", "falcon", "mpt", "opt", "xglm")
"""Families whose own mask does not look at position ids, and that take a mask of documents in its place."""

STATEFUL = (
    "bamba", "falcon_h1", "falcon_mamba", "granitemoehybrid", "jamba", "kimi_linear", "mamba", "mamba2", "minimax",
    "nemotron_h", "olmo_hybrid", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next", "recurrent_gemma", "rwkv", "xlstm",
    "zamba", "zamba2",
)  # fmt: skip
"""Families with layers that carry a state from token to token."""

_STATE = "its layers carry a state from each document of a row into the next"
_ALIBI = "it computes the distances between tokens from a mask in which a row is one document"
_OTHERS = {
    "bloom": _ALIBI,
    "btlm": _ALIBI,
    "gpt_oss": "its mask does not look at where the documents of a row begin",
    "openai-gpt": "its mask cannot be replaced, and does not look at where the documents of a row begin",
}


@dataclass(frozen=True)
class Isolation:
    """How a model keeps the documents of a row apart.

    Attributes
    ----------
    by
        ``positions``, ``varlen`` or ``mask``, as above; None where it cannot.
    reason
        Why it cannot, continuing "this model cannot, because"; empty where it can.
    """

    by: IsolatedBy | None
    reason: str = ""


def isolation(model_config: Mapping[str, Any], attention: str) -> Isolation:
    """Return how a model keeps packed documents apart.

    Parameters
    ----------
    model_config
        The model's ``config.json``.
    attention
        The attention implementation, by its Transformers name.

    Examples
    --------
    >>> [isolation({"model_type": name}, "sdpa").by for name in ("llama", "falcon", "rwkv")]
    ['positions', 'mask', None]
    """
    text = text_config(model_config)
    family = str(text.get("model_type", ""))
    if family in STATEFUL:
        return Isolation(None, _STATE)
    if family == "falcon" and text.get("alibi"):
        return Isolation(None, _ALIBI)
    if family in _OTHERS:
        return Isolation(None, _OTHERS[family])
    if family not in MASKED:
        told = attention in PER_DOCUMENT and family in TELLS_BOUNDS
        return Isolation("varlen" if told else "positions")
    if attention in ("sdpa", "eager"):
        return Isolation("mask")
    return Isolation(None, f"it needs a mask of documents, which '{attention}' does not take")
