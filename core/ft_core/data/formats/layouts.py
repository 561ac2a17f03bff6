r"""Conversations of a template that only copies what is said: laid out without rendering them.

Of an opaque template (`ft_core.data.opaque`), what a conversation is rendered to depends on its roles alone, but for the
contents. So each sequence of roles is rendered once, with placeholders, in the one way there is (`Render`); its text around
them, and its pieces, are those of every conversation of these roles::

    user, assistant    "<|user|>" ▢ "<|end|>\n<|assistant|>" ▢ "<|end|>"        the text around two contents
                       template   user  template              assistant  end of turn    its pieces
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from ft_core.data.document import Authors, Chunk, Document, Pieces, without_gaps
from ft_core.data.opaque import Opaque
from ft_core.errors import DataError

Turn = tuple[str, str]
"""A role, and what it says."""

Render = Callable[[Sequence[Turn]], Document]
"""Makes a document of any conversation, by its template; of one chunk."""

MOST = 2_000
"""Layouts that are kept; data with more sequences of roles than that gain nothing from further ones."""

# White space of three kinds: what takes off only some kinds leaves some of it.
_LEAD, _TRAIL = " \n\t", "\t\n "


@dataclass(frozen=True)
class Layout:
    """What the conversations of some roles have in common.

    Attributes
    ----------
    around
        The texts before, between and after the contents.
    contents
        Which messages are written, in the order of the text, and for each whether the white space before and after what it
        says is written as well.
    passed
        For each piece, how many contents end before it does or where it does; of shape ``[pieces]``.
    offsets
        For each piece, where it would end if these were empty; of shape ``[pieces]``.
    authors
        Of the pieces.
    """

    around: tuple[str, ...]
    contents: tuple[tuple[int, bool, bool], ...]
    passed: NDArray[np.intp]
    offsets: NDArray[np.int32]
    authors: Authors

    def document(self, turns: Sequence[Turn]) -> Document:
        """Return the document of a conversation of these roles, whose contents are not blank."""
        parts = [*self.around, *self.around[1:]]
        parts[::2] = self.around
        parts[1::2] = [_cut(turns[index][1], lead, trail) for index, lead, trail in self.contents]
        ends = np.zeros(len(self.contents) + 1, np.int32)
        np.cumsum([len(part) for part in parts[1::2]], out=ends[1:])
        return Document((Chunk("".join(parts), Pieces(self.offsets + ends[self.passed], self.authors)),))


@dataclass
class Layouts:
    """Makes documents of conversations, of those that it has a layout for without rendering them.

    Attributes
    ----------
    opaque
        What the layouts depend on besides the roles.
    render
        The one way from a conversation to its document.
    learn
        The same for placeholders; None where what else is done with their text depends on what is said.
    """

    opaque: Opaque
    render: Render
    learn: Callable[[Sequence[Turn]], Document | None]
    _known: dict[tuple[str, ...], Layout | None] = field(
        default_factory=dict[tuple[str, ...], "Layout | None"]
    )

    def document(self, turns: Sequence[Turn]) -> Document:
        """Return the document of a conversation."""
        key = self._key(turns)
        if key is None:
            return self.render(turns)
        layout = self._known.get(key)
        if layout is not None:
            return layout.document(turns)
        document = self.render(turns)
        if key not in self._known and len(self._known) < MOST:
            layout = self._learn(turns)
            # What was proven of the template is seen at the first conversation of these roles as well.
            same = layout is not None and _alike(layout.document(turns), document)
            self._known[key] = layout if same else None
        return document

    def _key(self, turns: Sequence[Turn]) -> tuple[str, ...] | None:
        """Return what a layout of `turns` depends on; None where there is none."""
        contents = [content for _, content in turns]
        bare = [content.strip() for content in contents]
        if not all(bare) or (self.opaque.strips_some and bare != contents):
            return None
        return (*(role for role, _ in turns), *map(written_now, self.opaque.date_formats))

    def _learn(self, turns: Sequence[Turn]) -> Layout | None:
        lead, trail = ("", "") if self.opaque.strips_some else (_LEAD, _TRAIL)
        # No template writes such a word.
        words = [f"zq{index}qz" for index in range(len(turns))]
        placeholders = [(role, lead + word + trail) for (role, _), word in zip(turns, words, strict=True)]
        try:
            document = self.learn(placeholders)
        except DataError:
            return None
        if document is None:
            return None
        [chunk] = document.chunks
        assert not isinstance(chunk.pieces, Pieces)
        places: list[tuple[int, int, int]] = []
        for index, word in enumerate(words):
            count = chunk.text.count(word)
            if count > 1:
                return None
            if count:
                at = chunk.text.index(word)
                start = at - len(lead) * chunk.text.endswith(lead, 0, at)
                end = at + len(word)
                places.append((start, end + len(trail) * chunk.text.startswith(trail, end), index))
        places.sort()
        return _layout(chunk, places, words)


def written_now(date_format: str) -> str:
    """Return the date as a template writes it."""
    return datetime.now().strftime(date_format)


def _layout(chunk: Chunk, places: Sequence[tuple[int, int, int]], words: Sequence[str]) -> Layout | None:
    """Return what is around contents at `places`; None where a piece ends within one."""
    around: list[str] = []
    contents: list[tuple[int, bool, bool]] = []
    position = 0
    for start, end, index in places:
        at = chunk.text.index(words[index])
        around.append(chunk.text[position:start])
        contents.append((index, start < at, at + len(words[index]) < end))
        position = end
    around.append(chunk.text[position:])
    assert not isinstance(chunk.pieces, Pieces)
    pieces = without_gaps(chunk.text, chunk.pieces)
    starts, ends = np.array([place[:2] for place in places], np.int64).reshape(-1, 2).T
    passed = np.searchsorted(ends, pieces.edges, side="right")
    if (np.searchsorted(starts, pieces.edges, side="left") != passed).any():
        return None
    lengths = np.concatenate((np.zeros(1, np.int64), np.cumsum(ends - starts)))
    offsets = (pieces.edges - lengths[passed]).astype(np.int32)
    return Layout(tuple(around), tuple(contents), passed, offsets, pieces.authors)


def _cut(content: str, lead: bool, trail: bool) -> str:
    """Return `content` without the white space that is not written."""
    if lead:
        return content if trail else content.rstrip()
    return content.lstrip() if trail else content.strip()


def _alike(one: Document, other: Document) -> bool:
    """Return whether two documents have the same text and the same pieces."""
    [mine], [theirs] = one.chunks, other.chunks
    return mine.text == theirs.text and _pieces(mine) == _pieces(theirs)


def _pieces(chunk: Chunk) -> list[object]:
    return list(chunk.pieces if isinstance(chunk.pieces, Pieces) else without_gaps(chunk.text, chunk.pieces))
