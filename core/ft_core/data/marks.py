r"""Marks in the texts of messages, by which these are found again in what a template made of them.

A mark is a character that none of the texts holds. Marks stand just inside the white space at the edges of a text, and
around tags such as ``<think>``, so that a template which trims, splits or escapes a text does the same to a marked one::

    "\n\nHi there "   becomes   "{w}\n\n{a}Hi there{b} {w}"

The marks {a} and {b} are this text's own. The mark {w} is itself white space: a template that trims removes it, and so tells
whether the white space beside it is part of the rendered text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

# Private use plane 15: 65,534 characters that mean nothing.
_FIRST, _LAST = 0xF0000, 0xFFFFD
# White space that str.strip removes, and that JSON writes as it is.
_SPACES = "\u2005\u2006\u2004\u2008\u200a"
# Tags at which templates take a message apart.
_TAG = re.compile(r"<[/|]?\w*(?:think|thought|reason|solution|answer)\w*\|?>|\[/?THINK\]", re.IGNORECASE)
_OUTER_TAG = re.compile(r"<[^<>\s]{1,40}>")


@dataclass(frozen=True)
class Stretch:
    """The characters ``[start, end)`` of a message's text, which stand unchanged from `at` on in the rendered text."""

    start: int
    end: int
    at: int


@dataclass(frozen=True)
class Found:
    """Where a message's text is in the rendered text: characters ``[start, end)``, and what of it is unchanged there."""

    start: int
    end: int
    stretches: tuple[Stretch, ...]


ABSENT = Found(0, 0, ())
"""Said of a text that the template leaves out."""


@dataclass(frozen=True)
class MarkedText:
    """A text, the same with marks in it, and what the marks delimit.

    Attributes
    ----------
    value, marked
        The text without and with marks.
    segments
        For each pair of marks: the two, and the characters of `value` between them.
    before, after
        The characters of `value` outside the outermost pair that belong to a text which is rendered whole: tags, and
        white space beside a mark of white space.
    """

    value: str
    marked: str
    segments: tuple[tuple[str, str, int, int], ...]
    before: tuple[str, str] = ("", "")
    after: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Reading:
    """A rendered text without its marks, and where in it they were."""

    text: str
    places: Mapping[str, Sequence[int]]
    spaces: frozenset[int]


class Marker:
    """Gives out marks that none of `texts` holds, and reads them."""

    def __init__(self, texts: Iterable[str]) -> None:
        taken = set[str]().union(*texts)
        self._space = next((space for space in _SPACES if space not in taken), "")
        self._free = (chr(code) for code in range(_FIRST, _LAST + 1) if chr(code) not in taken)
        self._given: set[str] = set()

    def mark(self, value: str, *, line_breaks: bool, whole: bool) -> MarkedText | None:
        """Return `value` with marks; None where it is only white space, or no marks are left.

        Parameters
        ----------
        value
            The text of a message.
        line_breaks
            Whether white space is marked from its outermost character on; if not, from the first that is no line break,
            so that a template can strip line breaks alone.
        whole
            Whether nobody takes this text apart at tags, so that a tag which begins or ends it may stay in its place for
            a template that asks how the text begins.
        """
        core = value.strip()
        if not core:
            return None
        lead, trail = value[: value.index(core)], value[value.index(core) + len(core) :]
        head = tail = ""
        if whole:
            first, last = _OUTER_TAG.match(core), re.search(r"<[^<>\s]{1,40}>$", core)
            head, tail = first[0] if first else "", last[0] if last else ""
            if len(head) + len(tail) >= len(core):
                head = tail = ""
            parts = [(len(head), len(core) - len(tail))]
        else:
            parts = _between_tags(core)
        segments: list[tuple[str, str, int, int]] = []
        for start, end in parts:
            marks = (next(self._free, ""), next(self._free, ""))
            if not marks[1]:
                return None
            self._given.update(marks)
            segments.append((*marks, len(lead) + start, len(lead) + end))
        kept = (lead, trail) if line_breaks else (lead.lstrip("\n"), trail.rstrip("\n"))
        places = [(at, mark) for one, two, start, end in segments for at, mark in ((start, one), (end, two))]
        if kept[0]:
            places.insert(0, (len(lead) - len(kept[0]), self._space))
        if kept[1]:
            places.append((len(value) - len(trail) + len(kept[1]), self._space))
        before = (kept[0] if self._space else "", value[len(lead) : segments[0][2]])
        after = (value[segments[-1][3] : len(lead) + len(core)], kept[1] if self._space else "")
        return MarkedText(value, _insert(value, places), tuple(segments), before, after)

    def alone(self) -> MarkedText | None:
        """Return a text of nothing but two marks, to stand for an empty one."""
        one, two = next(self._free, ""), next(self._free, "")
        self._given.update((one, two))
        return MarkedText("", one + two, ((one, two, 0, 0),)) if two else None

    def read(self, rendered: str) -> Reading:
        """Return `rendered` without marks, and where they were in what is left."""
        places: dict[str, list[int]] = {}
        spaces: set[int] = set()
        kept: list[str] = []
        position = length = 0
        for match in re.finditer(f"[{self._space}{chr(_FIRST)}-{chr(_LAST)}]", rendered):
            if match[0] != self._space and match[0] not in self._given:
                continue
            kept.append(rendered[position : match.start()])
            length += match.start() - position
            position = match.end()
            if match[0] == self._space:
                spaces.add(length)
            else:
                places.setdefault(match[0], []).append(length)
        kept.append(rendered[position:])
        return Reading("".join(kept), places, frozenset(spaces))


def find(marked: MarkedText, reading: Reading) -> Found | None:
    """Return where the text of `marked` is in `reading`, `ABSENT`, or None where that cannot be told."""
    text, value = reading.text, marked.value
    places: list[tuple[int, int, int, int]] = []
    for one, two, start, end in marked.segments:
        at, until = reading.places.get(one, ()), reading.places.get(two, ())
        # A text that is written twice, or cut, stands nowhere in particular.
        if len(at) > 1 or len(at) != len(until):
            return None
        if at:
            places.append((start, end, at[0], until[0]))
    if not places:
        return ABSENT
    low, high = min(place[2] for place in places), max(place[3] for place in places)
    first, last = places[0][0], places[-1][1]
    if places[0][2] == low and first == marked.segments[0][2]:
        space, tag = marked.before
        if text.endswith(tag, 0, low):
            low, first = low - len(tag), first - len(tag)
            # The mark there may be that of the message before, with as many characters between of the template's own.
            if space and low - len(space) in reading.spaces and text.endswith(space, 0, low):
                low, first = low - len(space), first - len(space)
    if places[-1][3] == high and last == marked.segments[-1][3]:
        tag, space = marked.after
        if text.startswith(tag, high):
            high, last = high + len(tag), last + len(tag)
            if space and high + len(space) in reading.spaces and text.startswith(space, high):
                high, last = high + len(space), last + len(space)
    if text[low:high] == value[first:last]:
        return Found(low, high, (Stretch(first, last, low),))
    same = [(start, end, at) for start, end, at, until in places if text[at:until] == value[start:end]]
    return Found(low, high, tuple(Stretch(*place) for place in same))


def _insert(value: str, places: Sequence[tuple[int, str]]) -> str:
    """Return `value` with a mark at each of `places`, which are in order."""
    pieces: list[str] = []
    position = 0
    for at, mark in places:
        pieces += [value[position:at], mark]
        position = at
    return "".join([*pieces, value[position:]])


def _between_tags(core: str) -> list[tuple[int, int]]:
    """Return what stands before, between and after the tags of a text, without white space at its edges.

    A tag that begins or ends the text has an empty range on its outer side.
    """
    edges = [0, *(edge for tag in _TAG.finditer(core) for edge in tag.span()), len(core)]
    parts: list[tuple[int, int]] = []
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        text = core[start:end]
        if text.strip():
            start += len(text) - len(text.lstrip())
            parts.append((start, start + len(text.strip())))
        elif start in (0, len(core)):
            parts.append((start, start))
    return parts
