"""Packing, padding and attention."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "sample_packing: true\nsequence_len: 2048\nrl: dpo",
        4,
        1,
        "'sample_packing' lays samples end to end, and 'rl' compares answers row by row",
        "remove 'sample_packing'",
        "rl: dpo",
    ),
    (
        "sample_packing: true\nsequence_len: 2048\nbatch_flattening: true",
        6,
        1,
        "'batch_flattening' and 'sample_packing' both say which samples share a row",
        "remove one of the two",
        "sample_packing: true\nsequence_len: 2048\nbatch_flattening: auto",
    ),
    (
        "sample_packing: true\nsequence_len: 2048\nattn_implementation: flash_attention_2\nmultipack_real_batches: true",
        7,
        1,
        "'multipack_real_batches' with 'flash_attention_2' would let the samples of a packed row see each other",
        "remove 'multipack_real_batches': one long row costs no more",
        "sample_packing: true\nsequence_len: 2048\nmultipack_real_batches: true",
    ),
    (
        "sample_packing: true\nsequence_len: 2048\nattn_implementation: flash_attention_4\nmultipack_real_batches: true",
        7,
        1,
        "'multipack_real_batches' with 'flash_attention_4' would let the samples of a packed row see each other",
        "remove 'multipack_real_batches': one long row costs no more",
        "sample_packing: true\nsequence_len: 2048\nmultipack_real_batches: true\nattn_implementation: xformers",
    ),
]

WARNINGS = [
    (
        "sample_packing: true\nsequence_len: 2048\npad_to_sequence_len: false",
        6,
        1,
        "with 'sample_packing', rows of different lengths leave gaps in the GPU's memory",
        "write 'pad_to_sequence_len: true'",
        "sample_packing: true\nsequence_len: 2048\npad_to_sequence_len: true",
    ),
    (
        "sample_packing: true",
        4,
        1,
        "'sequence_len' is not given: a packed row holds 512 tokens, and no longer sample",
        "add 'sequence_len: 2048'",
        "sample_packing: true\nsequence_len: 512",
    ),
    (
        "eval_sample_packing: true",
        4,
        1,
        "'eval_sample_packing' packs samples for evaluation, and for training they are not packed",
        "add 'sample_packing: true', or remove the line",
        "eval_sample_packing: true\nsample_packing: true\nsequence_len: 2048",
    ),
    (
        "sample_packing: true\nsequence_len: 2048\ngroup_by_length: true",
        6,
        1,
        "'group_by_length' has no effect: 'sample_packing' says which samples share a row",
        "remove the line",
        "group_by_length: true",
    ),
    (
        "flex_attn_compile_kwargs: {dynamic: false}",
        4,
        1,
        "'flex_attn_compile_kwargs' has no effect: attention is not computed by flex_attention",
        "remove it, or write 'attn_implementation: flex_attention'",
        "flex_attn_compile_kwargs: {dynamic: false}\nattn_implementation: flex_attention",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
