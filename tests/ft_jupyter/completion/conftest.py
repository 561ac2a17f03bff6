"""Ask for completions as a front end does: the cell with ``|`` where the cursor stands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from ft_jupyter.completion import offers_for

Offered = list[tuple[str, str, str]]


@pytest.fixture
def offered() -> Callable[[str], Offered]:
    """Return a function from a cell to what is replaced, what replaces it, and its kind, of each of our offers."""

    def ask(marked: str) -> Offered:
        before, _, after = marked.partition("|")
        lines = before.split("\n")
        found = offers_for(before + after, len(lines) - 1, len(lines[-1]))
        assert found is not None
        assert before.endswith(found.fragment)
        return [(found.fragment, offer.text, offer.kind) for offer in found.offers]

    return ask


@pytest.fixture
def texts(offered: Callable[[str], Offered]) -> Callable[[str], list[str]]:
    """Return a function from a cell to what we offer, without the rest."""
    return lambda marked: [text for _, text, _ in offered(marked)]


@pytest.fixture
def completed(shell: Any) -> Callable[[str], Offered]:
    """Return the like of `offered` through IPython's completer, with whatever else it finds."""

    def ask(marked: str) -> Offered:
        before, _, after = marked.partition("|")
        with provisionalcompleter():
            found = list(shell.ip.Completer.completions(before + after, len(before)))
        assert all(each.end == len(before) for each in found)
        return [(before[each.start :], each.text, each.type) for each in found]

    return ask
