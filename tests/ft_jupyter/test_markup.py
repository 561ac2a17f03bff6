"""The pieces of static HTML: escaped, and numbers as people write them."""

from __future__ import annotations

import pytest

from ft_jupyter.markup import code, columns, duration, notice, number, table, text

HOSTILE = "<img src=x onerror=\"alert('1')\">&"
SAFE = "&lt;img src=x onerror=&quot;alert(&#x27;1&#x27;)&quot;&gt;&amp;"


def test_text_is_safe_in_an_element_and_in_an_attribute() -> None:
    assert text(HOSTILE) == SAFE
    assert code(HOSTILE) == f"<code>{SAFE}</code>"


def test_a_notice_escapes_both_sentences() -> None:
    drawn = notice(HOSTILE, HOSTILE)
    assert "<img" not in drawn
    assert drawn.count(SAFE) == 2
    assert "<strong>Warning:</strong>" in drawn


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "0"),
        (30, "30"),
        (30.0, "30"),
        (1234567, "1,234,567"),
        (1234.56, "1,234.6"),
        (2e-4, "0.0002"),
        (2.34567, "2.346"),
    ],
)
def test_numbers(value: float, words: str) -> None:
    assert number(value) == words


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_a_number_that_is_not_known_is_a_dash(value: float | None) -> None:
    assert number(value) == "-"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (75, "1 min 15 s"),
        (3600, "1 h"),
        (7300, "2 h 1 min"),
        (90_000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_a_table_names_its_rows_or_its_columns() -> None:
    assert '<th scope="row"' in table([("Loss", "1.5")])
    headed = table([("joker", "done")], header=("run", "state"))
    assert '<th scope="row"' not in headed
    assert headed.count('<th scope="col"') == 2


def test_numbers_are_flush_right_and_names_stay_whole() -> None:
    headed = table([("joker", "1.5")], header=("run", "loss"), numbers=("loss",))
    flush_right = "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"
    assert [flush_right in cell for cell in headed.split("</t")[:-1] if "joker" in cell] == [False]
    assert headed.count(flush_right) == 2
    named = table([("Trained parameters", "8,192")])
    assert 'vertical-align:top;white-space:nowrap">Trained parameters</th>' in named


def test_columns_align() -> None:
    assert columns([("a", "1"), ("long", "2")]) == "a     1\nlong  2"
