"""Where the cursor stands in a YAML that is being written: in a key or a value, under which keys, and what is typed of it.

A parser would give up on a half-written text, so this reads line by line, by indentation and brackets, and never fails:
what it cannot follow is a place where nothing is offered.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

KEY = re.compile(r"""(["']?)([^\s"'{}\[\],#&*!|>%@`:-][^\s"'{}\[\],#:]*)\1\s*:(?=\s|$)""")
"""A key with its colon, at the start of what a line holds."""

DASH = re.compile(r"-(?=\s|$)")
BLOCK_TEXT = re.compile(r"[|>][-+\d]*\s*(#.*)?$")
"""The head of a text that goes on in the lines below, as long as they are indented."""


@dataclass(frozen=True)
class Place:
    """Where the cursor stands.

    Attributes
    ----------
    kind
        ``key``, ``value``, ``entry`` (in a list: a value, or the first key of a map), or ``other`` (a comment, a long text).
    path
        For a value, its key and those that hold it; otherwise those that hold the place. Lists add nothing.
    fragment
        What is typed of it, up to the cursor.
    given
        Keys that the map has already.
    opens
        Whether the place would begin a new map under `path`, which a list needs a dash or a brace for.
    flow
        Whether it stands in brackets or braces.
    colon_follows
        Whether the line goes on with the key's colon.
    quoted
        Whether a quote is open before the fragment.
    touches_colon
        Whether the cursor follows the colon without a space.
    """

    kind: Literal["key", "value", "entry", "other"]
    path: tuple[str, ...] = ()
    fragment: str = ""
    given: frozenset[str] = frozenset()
    opens: bool = False
    flow: bool = False
    colon_follows: bool = False
    quoted: bool = False
    touches_colon: bool = False


def find_place(lines: Sequence[str], line: int, column: int) -> Place:
    """Return where the cursor stands.

    Parameters
    ----------
    lines
        The YAML.
    line, column
        The cursor, both from 0.

    Examples
    --------
    >>> find_place(["datasets:", "  - path: x", "    ty"], 2, 6)
    Place(kind='key', path=('datasets',), fragment='ty', given=frozenset({'path'}), opens=False, flow=False, colon_follows=False, quoted=False, touches_colon=False)
    """
    reader = _Reader(line, column)
    for number, text in enumerate(lines):
        reader.read(number, text)
    return reader.place()


@dataclass
class _Level:
    """A map or list that is open: the keys that hold it, where it begins, and the keys it has."""

    path: tuple[str, ...]
    column: int
    is_list: bool
    keys: set[str] = field(default_factory=set[str])
    key: str = ""
    closed: bool = False

    @property
    def inside(self) -> tuple[str, ...]:
        """The keys that hold what is nested here now."""
        return (*self.path, self.key) if self.key else self.path


@dataclass
class _Reader:
    """Reads lines in order and remembers the place of the cursor with the map it stands in."""

    line: int
    column: int
    levels: list[_Level] = field(default_factory=list[_Level])
    flow: list[_Level] = field(default_factory=list[_Level])
    text_column: int | None = None
    """Where the key of a text that goes on below stands."""
    found: Place = Place("other")
    found_level: _Level | None = None

    def place(self) -> Place:
        """Return the place, with the keys that its map has above and below."""
        if self.found_level is None:
            return self.found
        return replace(self.found, given=frozenset(self.found_level.keys))

    def read(self, number: int, text: str) -> None:
        """Read one line."""
        at = min(self.column, len(text)) if number == self.line else None
        content = text.strip()
        indent = len(text) - len(text.lstrip())
        if self.text_column is not None:
            if indent > self.text_column if content else at is None or at > self.text_column:
                return
            if content:
                self.text_column = None
        if self.flow:
            # A bracket that was never closed must not swallow the keys below it.
            begun = self.levels[-1].column if self.levels else 0
            if not (KEY.match(content) and indent <= begun):
                self.read_flow(text, 0, at)
                return
            self.flow.clear()
        if not content or content.startswith("#"):
            if at is not None and (not content or at <= indent):
                self.find_on_blank_line(at)
            return
        self.read_block(text, indent, at)

    def read_block(self, text: str, column: int, at: int | None) -> None:
        """Read a line that holds dashes, a key, a value."""
        first = column
        while DASH.match(text, column):
            self.open_list(column)
            column += 1
            column += len(text) - column - len(text[column:].lstrip())
        if at is not None and at <= column and (at <= first or at < column or column == len(text)):
            # Before the content; between a dash and its entry, the entry is what is completed.
            if at > first and text[at - 1] != "-":
                self.find_entry(at, "")
            return
        match = KEY.match(text, column)
        if match is None:
            if text[column : column + 1] in ("{", "["):
                self.read_flow(text, column, at)
            elif at is not None:
                self.find_entry(column, text[column:at])
            return
        level = self.open_map(column)
        level.key = match[2]
        colon = match.end()
        if at is not None and at < colon:
            self.found = Place("key", level.path, text[column:at].lstrip("\"'"), colon_follows=True)
            self.found_level = level
        else:
            level.keys.add(match[2])
            self.read_value(text, colon, at, level)

    def read_value(self, text: str, colon: int, at: int | None, level: _Level) -> None:
        """Read what follows a key's colon."""
        start = len(text) - len(text[colon:].lstrip())
        if BLOCK_TEXT.match(text, start):
            self.text_column = level.column
            return
        if text[start : start + 1] in ("{", "[") and (at is None or at > start):
            self.read_flow(text, start, at)
            return
        if at is None:
            return
        fragment = text[start:at] if at > start else ""
        self.found = _value_place(level.inside, fragment, touches_colon=at == colon)

    def read_flow(self, text: str, start: int, at: int | None) -> None:
        """Read brackets and braces from `start` on, over lines if they are not closed."""
        token = start
        quote = ""
        for index in range(start, len(text)):
            if index == at:
                self.find_in_flow(text[token:at], quote, text[at:])
            character = text[index]
            if quote:
                quote = "" if character == quote else quote
            elif character in "\"'" and not text[token:index].strip():
                quote = character
            elif character == "#" and index and text[index - 1] in " \t":
                return
            elif character in "{[":
                self.flow.append(_Level(self.inside_flow(), index, character == "["))
                token = index + 1
            elif character in "}]":
                self.flow.pop()
                token = index + 1
                if not self.flow:
                    return
                self.flow[-1].closed = True
            elif character == ",":
                self.flow[-1].key, self.flow[-1].closed = "", False
                token = index + 1
            elif character == ":" and not self.flow[-1].is_list and not self.flow[-1].key:
                name = text[token:index].strip().strip("\"'")
                begun = index - len(text[token:index].lstrip())
                self.flow[-1].key = name
                if at is None or not begun <= at <= index:
                    self.flow[-1].keys.add(name)
                token = index + 1
        if at == len(text) and self.flow:
            self.find_in_flow(text[token:at], quote, "")

    def inside_flow(self) -> tuple[str, ...]:
        """Return the keys that hold what opens now."""
        holders = self.flow or self.levels
        return holders[-1].inside if holders else ()

    def open_map(self, column: int) -> _Level:
        """Return the map whose keys stand at `column`, after closing what is nested deeper."""
        while self.levels and (
            self.levels[-1].column > column or (self.levels[-1].column == column and self.levels[-1].is_list)
        ):
            self.levels.pop()
        if not self.levels or self.levels[-1].column < column:
            self.levels.append(_Level(self.inside(), column, is_list=False))
        return self.levels[-1]

    def open_list(self, column: int) -> None:
        """Begin an entry of the list whose dashes stand at `column`, after closing what is nested deeper."""
        while self.levels and self.levels[-1].column > column:
            self.levels.pop()
        if not (self.levels and self.levels[-1].is_list and self.levels[-1].column == column):
            self.levels.append(_Level(self.inside(), column, is_list=True))

    def inside(self) -> tuple[str, ...]:
        """Return the keys that hold what is nested deepest."""
        return self.levels[-1].inside if self.levels else ()

    def find_entry(self, column: int, fragment: str) -> None:
        """Note the cursor in a word that is no key yet: after a dash, or at the start of a line."""
        if self.levels and self.levels[-1].is_list and self.levels[-1].column < column:
            self.found = _value_place(self.levels[-1].path, fragment, kind="entry")
            # The keys of the map that the entry may become, if they follow below.
            self.found_level = self.open_map(column)
            return
        self.find_on_blank_line(column, fragment)

    def find_on_blank_line(self, column: int, fragment: str = "") -> None:
        """Note the cursor where a key may begin: in the map at its column, or in a new one under the last key."""
        if not self.levels:
            self.open_map(column)
        around = [level for level in self.levels if level.column <= column]
        if not around:
            return
        nearest = around[-1]
        here = next((level for level in around if level.column == column and not level.is_list), None)
        if here is not None:
            self.found = Place("key", here.path, fragment)
            self.found_level = here
        elif nearest.column == column:
            self.found = Place("key", nearest.path, fragment, opens=True)
        else:
            self.found = Place("key", nearest.inside, fragment, opens=not nearest.is_list)

    def find_in_flow(self, typed: str, quote: str, rest: str) -> None:
        """Note the cursor in brackets or braces, between what is typed since the last of them and the rest of the line."""
        if not self.flow or self.flow[-1].closed:
            return
        level = self.flow[-1]
        fragment = typed.lstrip()
        if level.key:
            self.found = _value_place(level.inside, fragment, touches_colon=not typed, flow=True)
        elif level.is_list:
            self.found = replace(_value_place(level.path, fragment, kind="entry", flow=True), opens=True)
        else:
            colon = re.match(r"[^\s:,{}\[\]]*:", rest) is not None
            self.found = Place(
                "key", level.path, fragment.lstrip("\"'"), flow=True, colon_follows=colon, quoted=bool(quote)
            )
            self.found_level = level


def _value_place(
    path: tuple[str, ...],
    fragment: str,
    *,
    kind: Literal["value", "entry"] = "value",
    touches_colon: bool = False,
    flow: bool = False,
) -> Place:
    """Return the place of a value; where its quote is closed, or a comment has begun, nothing is written."""
    quote = fragment[:1] if fragment[:1] in ("'", '"') else ""
    if quote:
        fragment = fragment[1:]
    if quote in fragment if quote else re.search(r"(^|\s)#", fragment):
        return Place("other")
    return Place(kind, path, fragment, flow=flow, quoted=bool(quote), touches_colon=touches_colon)
