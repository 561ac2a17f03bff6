"""Keys of how samples become the rows of a batch, and how attention runs over them."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, Whole

ExcessLength = Literal["drop", "truncate", "raise"]
Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]

PLANNED_ATTENTION = (
    "flash_attention_3",
    "flash_attention_4",
    "flash_attention_torch",
    "flex_attention",
    "varlen",
    "xformers",
    "sage",
    "fp8",
)


class SequenceKeys(Topic):
    """Length, padding, packing and attention."""

    sequence_len: Annotated[int, Whole(minimum=2)] = 512
    """The longest sample that is trained on, in tokens."""

    excess_length_strategy: Annotated[ExcessLength, Choice(get_args(ExcessLength))] = "drop"
    """What becomes of a sample longer than sequence_len: ``drop`` it, ``truncate`` it, or ``raise`` an error."""

    pad_to_sequence_len: Annotated[bool, Flag()] = False
    """Whether every batch is padded to sequence_len, in place of its longest sample."""

    attn_implementation: Annotated[Attention, Choice(get_args(Attention), PLANNED_ATTENTION)] = "auto"
    """How attention is computed: ``sdpa`` (PyTorch's own kernels), ``eager`` (plain matrix products, slow),
    ``flash_attention_2`` (needs the package flash-attn and a GPU), or ``auto``: what Transformers picks for the model,
    mostly ``sdpa``."""
