"""The kernels that compute the loss."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "chunked_cross_entropy: true\nliger_cross_entropy: true",
        5,
        1,
        "'chunked_cross_entropy' and 'liger_cross_entropy' both replace how the loss is computed",
        "keep one of them",
        "liger_cross_entropy: true",
    ),
    (
        "cut_cross_entropy: true\nliger_fused_linear_cross_entropy: true",
        5,
        1,
        "'cut_cross_entropy' and 'liger_fused_linear_cross_entropy' both replace how the loss is computed",
        "keep one of them",
        "cut_cross_entropy: true\nliger_cross_entropy: false",
    ),
]

LATER = [
    (
        "liger_cross_entropy: true\nflash_attn_cross_entropy: true",
        5,
        1,
        "'flash_attn_cross_entropy' and 'liger_cross_entropy' both replace how the loss is computed",
        "keep one of them",
        "flash_attn_cross_entropy: true",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), LATER)
def test_what_will_be_doubtful(found_once_supported, lines, line, column, message, fix, neighbour):
    assert found_once_supported(lines) == [("warning", line, column, message, fix)]
    assert found_once_supported(neighbour) == []
