"""What cannot be seen has a sign, and nothing in a sign acts on a terminal or a page."""

from __future__ import annotations

import doctest
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.inspection import signs
from ft_core.inspection.signs import readable, visible


def test_the_examples_hold() -> None:
    assert doctest.testmod(signs) == (0, 4)


@pytest.mark.parametrize(
    ("text", "shown", "running"),
    [
        ("plain <b> é 漢", "plain·<b>·é·漢", "plain <b> é 漢"),
        (" \n\t", "·⏎→", " \n\t"),
        ("\x00\x1b\r\x7f", "␀␛␍␡", "␀␛␍␡"),
        (
            "\u202eabc\u2066",
            "\u2039U+202E\u203aabc\u2039U+2066\u203a",
            "\u2039U+202E\u203aabc\u2039U+2066\u203a",
        ),
        ("\ufeffx\u200b", "\u2039U+FEFF\u203ax\u2039U+200B\u203a", "\u2039U+FEFF\u203ax\u2039U+200B\u203a"),
        ("\ud83d", "\u2039U+D83D\u203a", "\u2039U+D83D\u203a"),
        ("\U000e0041", "\u2039U+E0041\u203a", "\u2039U+E0041\u203a"),
        ("👩\u200d🚀", "👩\u2039U+200D\u203a🚀", "👩\u200d🚀"),
        ("\u00a0\u3000", "⍽\u2039U+3000\u203a", "\u00a0\u3000"),
    ],
)
def test_signs(text: str, shown: str, running: str) -> None:
    assert visible(text) == shown
    assert readable(text) == running


@given(st.text(st.characters(exclude_categories=())))
def test_nothing_that_acts_is_left(text: str) -> None:
    acting = {"Cc", "Cs", "Zl", "Zp"}
    for character in visible(text):
        assert unicodedata.category(character) not in acting
        assert unicodedata.bidirectional(character) not in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }
    readable(text).encode()
