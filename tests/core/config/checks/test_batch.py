"""The batch, and what it is made of."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "batch_size: 8\nmicro_batch_size: 2\ngradient_accumulation_steps: 3",
        4,
        13,
        "'batch_size: 8' is not micro_batch_size 2 x gradient_accumulation_steps 3",
        "keep 'micro_batch_size' and one of the other two",
        "batch_size: 8\nmicro_batch_size: 2\ngradient_accumulation_steps: 4",
    ),
    (
        "batch_size: 8",
        4,
        1,
        "'batch_size' does not say how many samples a device computes at a time",
        "add 'micro_batch_size: 1'",
        "batch_size: 8\nmicro_batch_size: 1",
    ),
    (
        "batch_size: 9\nmicro_batch_size: 2",
        4,
        13,
        "'batch_size: 9' is no multiple of 'micro_batch_size: 2'",
        "write 'batch_size: 10'",
        "batch_size: 8\nmicro_batch_size: 2",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []
