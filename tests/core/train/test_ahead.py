"""Items made in a thread: in order, one ahead, errors in their turn, and an end when nobody wants more."""

from __future__ import annotations

import threading
from collections.abc import Generator

import pytest

from ft_core.train.ahead import made_ahead


def test_all_come_in_their_order() -> None:
    assert list(made_ahead(number for number in range(50))) == list(range(50))


def test_one_is_made_while_the_one_before_is_used() -> None:
    made = threading.Event()

    def items() -> Generator[int]:
        yield 0
        made.set()
        yield 1

    ahead = made_ahead(items())
    assert next(ahead) == 0
    assert made.wait(5)
    assert next(ahead) == 1


def test_an_error_comes_where_its_item_would() -> None:
    def items() -> Generator[int]:
        yield 0
        raise ValueError("no more")

    ahead = made_ahead(items())
    assert next(ahead) == 0
    with pytest.raises(ValueError, match="no more"):
        next(ahead)


def test_what_is_left_is_closed() -> None:
    closed = threading.Event()

    def items() -> Generator[int]:
        try:
            yield from range(1000)
        finally:
            closed.set()

    ahead = made_ahead(items())
    next(ahead)
    ahead.close()
    assert closed.wait(5)
