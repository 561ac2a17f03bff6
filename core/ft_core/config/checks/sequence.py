"""Checks of packing, padding and attention."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, refuse_pairs
from ft_core.config.schema.values import names

SEPARATING = names(
    "auto sdpa eager varlen flash_attention_2 flash_attention_3 flash_attention_4 flex_attention xformers"
)
"""Attention that tells the samples of a packed row apart."""

LOOKS_AT_ONE_ROW = ("flash_attention_2", "flash_attention_3", "flash_attention_4")
"""Attention in which Transformers looks for documents only where a batch has one row, unless the family is told of them."""

PAIRS = (
    (
        "sample_packing",
        "rl",
        "'sample_packing' lays samples end to end, and 'rl' compares answers row by row",
        "remove 'sample_packing'",
    ),
)


def check_sequence(asked: Asked) -> None:
    """Report what packing cannot stand beside, and warn of what it makes useless."""
    refuse_pairs(asked, PAIRS)
    if asked.value("batch_flattening") is True and asked.value("sample_packing"):
        message = "'batch_flattening' and 'sample_packing' both say which samples share a row"
        asked.draft.report(("batch_flattening",), message, BOTH, at="key")
    if asked.value("eval_sample_packing") and asked.lacks("sample_packing"):
        message = "'eval_sample_packing' packs samples for evaluation, and for training they are not packed"
        asked.draft.warn(
            ("eval_sample_packing",), message, "add 'sample_packing: true', or remove the line", at="key"
        )
    real_batches = asked.value("multipack_real_batches")
    attention = asked.value("attn_implementation")
    if real_batches and attention in LOOKS_AT_ONE_ROW:
        message = f"'multipack_real_batches' with '{attention}' would let the samples of a packed row see each other"
        fix = "remove 'multipack_real_batches': one long row costs no more"
        asked.draft.report(("multipack_real_batches",), message, fix, at="key")
    if asked.value("sample_packing"):
        _warn_beside_packing(asked)
    if asked.value("flex_attn_compile_kwargs") and attention != "flex_attention":
        message = "'flex_attn_compile_kwargs' has no effect: attention is not computed by flex_attention"
        fix = "remove it, or write 'attn_implementation: flex_attention'"
        asked.draft.warn(("flex_attn_compile_kwargs",), message, fix, at="key")


def _warn_beside_packing(asked: Asked) -> None:
    draft = asked.draft
    attention = asked.value("attn_implementation")
    if attention not in SEPARATING and not asked.unclear("attn_implementation"):
        message = (
            f"'attn_implementation: {attention}' lets the samples of a packed row attend to each other, so that they "
            "are trained as one text"
        )
        draft.warn(("sample_packing",), message, "use 'attn_implementation: flash_attention_2' or 'sdpa'")
    if draft.given("pad_to_sequence_len") and not asked.config.pad_to_sequence_len:
        message = "with 'sample_packing', rows of different lengths leave gaps in the GPU's memory"
        draft.warn(("pad_to_sequence_len",), message, "write 'pad_to_sequence_len: true'")
    if asked.value("group_by_length"):
        message = "'group_by_length' has no effect: 'sample_packing' says which samples share a row"
        draft.warn(("group_by_length",), message, "remove the line")
    if not asked.given("sequence_len") and not asked.unclear("sequence_len"):
        length = asked.config.sequence_len
        message = f"'sequence_len' is not given: a packed row holds {length} tokens, and no longer sample"
        draft.warn(("sample_packing",), message, "add 'sequence_len: 2048'")
