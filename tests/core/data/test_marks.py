from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data.marks import ABSENT, Found, Marker, Stretch, find

TEXTS = st.text(alphabet="ab \n<>/\u2005\U000f0000", max_size=12)


def found_after(
    value: str, change: str = "{}", *, line_breaks: bool = True, whole: bool = False
) -> Found | None:
    """Return where `value` is found in `change`, in which a marked `value` stands."""
    marker = Marker([value, change])
    marked = marker.mark(value, line_breaks=line_breaks, whole=whole)
    assert marked is not None
    return find(marked, marker.read(change.format(marked.marked)))


def test_a_text_is_found_with_the_white_space_that_was_kept() -> None:
    assert found_after(" Hi\n", "<u>{}</u>") == Found(3, 7, (Stretch(0, 4, 3),))


def test_white_space_that_was_trimmed_is_not_part_of_it() -> None:
    marker = Marker([" Hi\n"])
    marked = marker.mark(" Hi\n", line_breaks=True, whole=False)
    assert marked is not None
    reading = marker.read(f"<u> {marked.marked.strip()}\n</u>")

    assert reading.text == "<u> Hi\n</u>"
    assert find(marked, reading) == Found(4, 6, (Stretch(1, 3, 4),))


def test_line_breaks_may_be_stripped_alone() -> None:
    marker = Marker(["\n Hi\n"])
    marked = marker.mark("\n Hi\n", line_breaks=False, whole=False)
    assert marked is not None

    assert find(marked, marker.read(marked.marked.strip("\n"))) == Found(0, 3, (Stretch(1, 4, 0),))


@pytest.mark.parametrize(
    ("value", "kept", "found"),
    [
        ("<think>a</think>b", ("", "</think>"), Found(0, 1, (Stretch(16, 17, 0),))),
        ("<think>a</think> b", ("<think>", ""), Found(0, 11, (Stretch(7, 18, 0),))),
        ("<think>a</think>", ("", ""), Found(0, 16, (Stretch(0, 16, 0),))),
    ],
)  # fmt: skip
def test_a_text_is_found_though_it_was_split_at_a_tag(
    value: str, kept: tuple[str, str], found: Found
) -> None:
    marker = Marker([value])
    marked = marker.mark(value, line_breaks=True, whole=False)
    assert marked is not None
    before, after = kept
    text = marked.marked.split(after)[-1] if after else marked.marked
    text = text.split(before)[-1] if before else text

    assert find(marked, marker.read(text)) == found


def test_outer_tags_stay_in_their_place() -> None:
    marker = Marker(["<tool>x</tool>"])
    marked = marker.mark("<tool>x</tool>", line_breaks=True, whole=True)
    assert marked is not None

    assert marked.marked.startswith("<tool>")
    assert marked.marked.endswith("</tool>")
    assert find(marked, marker.read(marked.marked)) == Found(0, 14, (Stretch(0, 14, 0),))


def test_an_outer_tag_that_was_cut_off_is_not_part_of_the_text() -> None:
    marker = Marker(["<tool>x</tool>"])
    marked = marker.mark("<tool>x</tool>", line_breaks=True, whole=True)
    assert marked is not None

    without = marked.marked.removeprefix("<tool>")
    assert find(marked, marker.read(without)) == Found(0, 8, (Stretch(6, 14, 0),))
    without = marked.marked.removesuffix("</tool>")
    assert find(marked, marker.read(without)) == Found(0, 7, (Stretch(0, 7, 0),))


def test_a_text_that_was_changed_has_a_place_and_no_stretches() -> None:
    marker = Marker(["Hi", "HI"])
    marked = marker.mark("Hi", line_breaks=True, whole=False)
    assert marked is not None

    assert find(marked, marker.read("<" + marked.marked.upper() + ">")) == Found(1, 3, ())


def test_a_text_that_is_not_there_is_absent_and_one_that_is_there_twice_is_nowhere() -> None:
    marker = Marker(["Hi"])
    marked = marker.mark("Hi", line_breaks=True, whole=False)
    assert marked is not None

    assert find(marked, marker.read("Hi")) is ABSENT
    assert find(marked, marker.read(marked.marked * 2)) is None
    assert find(marked, marker.read(marked.marked[:-1])) is None


def test_the_mark_of_another_text_is_not_that_of_this_ones_white_space() -> None:
    marker = Marker(["a\t", "\r\rb"])
    first = marker.mark("a\t", line_breaks=True, whole=True)
    second = marker.mark("\r\rb", line_breaks=True, whole=True)
    assert first is not None
    assert second is not None

    reading = marker.read(first.marked + "\n\n" + second.marked.strip())

    assert reading.text == "a\t\n\nb"
    assert find(second, reading) == Found(4, 5, (Stretch(2, 3, 4),))


def test_the_mark_of_the_text_after_is_not_that_of_this_ones_white_space() -> None:
    marker = Marker(["a\r\r", "\tb"])
    first = marker.mark("a\r\r", line_breaks=True, whole=True)
    second = marker.mark("\tb", line_breaks=True, whole=True)
    assert first is not None
    assert second is not None

    assert find(first, marker.read(first.marked.strip() + "\n\n" + second.marked)) == Found(
        0, 1, (Stretch(0, 1, 0),)
    )


@pytest.mark.parametrize("value", ["", " ", "\n\t"])
def test_white_space_alone_has_no_marks(value: str) -> None:
    assert Marker([value]).mark(value, line_breaks=True, whole=False) is None


@given(TEXTS, TEXTS, st.booleans(), st.booleans())
def test_marks_never_change_a_text_and_find_all_of_it(
    value: str, around: str, line_breaks: bool, whole: bool
) -> None:
    marker = Marker([value, around])
    marked = marker.mark(value, line_breaks=line_breaks, whole=whole)
    if marked is None:
        assert not value.strip()
        return
    reading = marker.read(around + marked.marked + around)

    assert reading.text == around + value + around
    found = find(marked, reading)
    assert found is not None
    shown = reading.text[found.start : found.end]
    assert shown == (value if line_breaks else value.strip("\n"))
