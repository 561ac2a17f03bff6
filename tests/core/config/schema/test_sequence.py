"""What the keys of length, packing and attention accept."""

from __future__ import annotations

import pytest

from ft_core.config import load_config
from ft_core.config.config import Origin

ATTENTION = (
    "use 'auto', 'sdpa', 'eager', 'varlen', 'flash_attention_2', 'flash_attention_3', 'flash_attention_4', "
    "'flex_attention' or 'xformers'"
)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("sequence_len: 2048", 2048),
        ("excess_length_strategy: truncate", "truncate"),
        ("sample_packing: true", True),
        ("batch_flattening: auto", "auto"),
        ("batch_flattening: true", True),
        ("attn_implementation: flash_attention_2", "flash_attention_2"),
        ("attn_implementation: varlen", "varlen"),
        ("attn_implementation: flash_attention_3", "flash_attention_3"),
        ("attn_implementation: flash_attention_4", "flash_attention_4"),
        ("attn_implementation: flex_attention", "flex_attention"),
        ("attn_implementation: xformers", "xformers"),
        ("flex_attn_compile_kwargs: {dynamic: false}", {"dynamic": False}),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("flash", "flash_attention_2"),
        ("flash_attn", "flash_attention_2"),
        ("flash_attention", "flash_attention_2"),
        ("FA2", "flash_attention_2"),
        ("fa3", "flash_attention_3"),
        ("flash4", "flash_attention_4"),
        ("flex", "flex_attention"),
        ("sdp", "sdpa"),
        ("sdp_attention", "sdpa"),
        ("eager_attention", "eager"),
        ("spda", "sdpa"),
    ],
)
def test_other_names_of_attention(complaint, name, meant):
    message = f"cannot be '{name}'; did you mean '{meant}'?"
    assert complaint(f"attn_implementation: {name}") == (message, ATTENTION)


@pytest.mark.parametrize(
    "name",
    [
        "sage",
        "fp8",
        "kernels-community/flash-attn3",
        "kernels-community/vllm-flash-attn3@main",
    ],
)
def test_attention_that_is_not_supported_yet(complaint, name):
    message = f"cannot be '{name}': it is not supported yet"
    assert complaint(f"attn_implementation: {name}") == (message, ATTENTION)


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("sequence_len: 1", "must be at least 2, not 1", ""),
        ("min_sample_len: 0", "must be at least 1, not 0", ""),
        ("batch_flattening: aut", "cannot be 'aut'; did you mean 'auto'?", "use true, false or 'auto'"),
        ("attn_implementation: a/b/c", "cannot be 'a/b/c'", ATTENTION),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("eval_sequence_len: 64", "remove it: sequence_len is the limit in evaluation too"),
        ("flash_attn_cross_entropy: true", "remove it: results are the same; only speed differs"),
    ],
)
def test_not_supported_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]


@pytest.mark.parametrize(
    "line", ["sample_packing: false", "min_sample_len:", "sample_packing_group_size: 1e5"]
)
def test_what_asks_for_nothing_passes(warnings, required, line):
    assert warnings(required + line) == []


PACKED = "sample_packing: true\nsequence_len: 64\n"


@pytest.mark.parametrize(
    ("lines", "key", "value", "reason"),
    [
        ("", "pad_to_sequence_len", False, "samples are not packed"),
        ("", "eval_sample_packing", False, "as sample_packing"),
        (PACKED, "pad_to_sequence_len", True, "samples are packed"),
        (PACKED, "eval_sample_packing", True, "as sample_packing"),
        (PACKED, "multipack_real_batches", True, "attention over a mask takes short rows"),
        (
            "eval_sample_packing: true",
            "multipack_real_batches",
            True,
            "attention over a mask takes short rows",
        ),
        (
            PACKED + "attn_implementation: flash_attention_2",
            "multipack_real_batches",
            False,
            "flash_attention_2 takes one long row",
        ),
        (
            PACKED + "attn_implementation: varlen",
            "multipack_real_batches",
            False,
            "varlen takes one long row",
        ),
        (
            "batch_flattening: auto",
            "batch_flattening",
            False,
            "attention is none that takes one long row",
        ),
        (
            PACKED + "attn_implementation: xformers",
            "multipack_real_batches",
            False,
            "xformers takes one long row",
        ),
        (
            PACKED + "attn_implementation: flash_attention_4",
            "multipack_real_batches",
            False,
            "flash_attention_4 takes one long row",
        ),
        (
            PACKED + "attn_implementation: flex_attention",
            "multipack_real_batches",
            True,
            "attention over a mask takes short rows",
        ),
        (
            "batch_flattening: auto\nattn_implementation: varlen",
            "batch_flattening",
            True,
            "varlen takes one long row",
        ),
        (
            "batch_flattening: auto\nattn_implementation: flash_attention_2",
            "batch_flattening",
            True,
            "flash_attention_2 takes one long row",
        ),
        (
            PACKED + "batch_flattening: auto\nattn_implementation: flash_attention_2",
            "batch_flattening",
            False,
            "samples are packed",
        ),
    ],
)
def test_what_follows_from_packing(required, lines, key, value, reason):
    config = load_config(required + lines)
    assert getattr(config, key) is value
    assert config.origin(key) == Origin("derived", None, reason)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("pad_to_sequence_len: false", False),
        ("eval_sample_packing: false", False),
        ("multipack_real_batches: false", False),
    ],
)
def test_what_is_given_stays(required, line, value):
    assert getattr(load_config(required + PACKED + line), line.partition(":")[0]) is value


def test_no_packed_rows_have_no_layout(required):
    assert load_config(required).multipack_real_batches is None
