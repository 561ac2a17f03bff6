r"""What a format makes of a row: text in chunks, and for each stretch of it who speaks and whether it is trained.

A format knows neither ids nor lengths. This is an Alpaca row (the second chunk ends the text with EOS)::

    Document
    ├── Chunk  "### Instruction:\nAdd 2 and 2.\n\n### Response:\n"   begins_text
    │   └── Piece  0..45  prompt    masked: prompt (train_on_inputs is false)
    └── Chunk  "4"                                                     ends_text
        └── Piece  0..1   response  trained: response
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

TEMPLATE_ROLE = "template"
"""The role of text that nobody said: headers and separators that a chat template writes."""


@dataclass(frozen=True)
class Piece:
    """The characters ``[start, end)`` of a chunk: who speaks, in which turn, trained or not, and why.

    `label` is what the last of its tokens is trained to, where that is not the token itself: how good a step is.
    """

    start: int
    end: int
    role: str
    turn: int | None
    trained: bool
    rule: str
    label: int | None = None


@dataclass(frozen=True)
class Author:
    """Who speaks, in which turn, trained or not, and why: a `Piece` without its place."""

    role: str
    turn: int | None
    trained: bool
    rule: str
    label: int | None = None


@dataclass(frozen=True)
class Authors:
    """The authors of the pieces of a text, in order; texts that are laid out alike share them."""

    each: tuple[Author, ...]

    @cached_property
    def trained(self) -> NDArray[np.bool_]:
        """Of each author, whether what he says is trained."""
        return np.array([author.trained for author in self.each], bool)

    @cached_property
    def label_other_tokens(self) -> bool:
        """Whether any of them has a label of its own."""
        return any(author.label is not None for author in self.each)


@dataclass(frozen=True)
class Pieces:
    """The pieces of a text that leave no character out and of which none is empty.

    Attributes
    ----------
    edges
        Where each of them ends; int32 of shape ``[pieces]``.
    authors
        Of each of them.
    """

    edges: NDArray[np.int32]
    authors: Authors

    def __iter__(self) -> Iterator[Piece]:
        start = 0
        for end, author in zip(self.edges.tolist(), self.authors.each, strict=True):
            yield Piece(start, end, author.role, author.turn, author.trained, author.rule, author.label)
            start = end


_BETWEEN = Author(TEMPLATE_ROLE, None, False, "masked: text of the chat template")


def without_gaps(text: str, pieces: Sequence[Piece]) -> Pieces:
    """Return `pieces` with what lies between them as text of the template, and without empty ones.

    >>> [(piece.start, piece.role) for piece in without_gaps("Hi!", [Piece(0, 2, "user", 0, False, "")])]
    [(0, 'user'), (2, 'template')]
    """
    edges: list[int] = []
    authors: list[Author] = []
    position = 0
    for piece in pieces:
        if position < piece.start:
            edges.append(piece.start)
            authors.append(_BETWEEN)
        if piece.start < piece.end:
            edges.append(piece.end)
            authors.append(Author(piece.role, piece.turn, piece.trained, piece.rule, piece.label))
        position = piece.end
    if position < len(text):
        edges.append(len(text))
        authors.append(_BETWEEN)
    return Pieces(np.array(edges, np.int32), Authors(tuple(authors)))


@dataclass(frozen=True)
class Chunk:
    """Text that is tokenised in one go, so that tokens merge across its pieces but not across chunks.

    Attributes
    ----------
    text
        The characters.
    pieces
        In order, without overlap. What lies between them is masked as text of the template. `Pieces` where nothing does.
    begins_text
        Whether the tokens come first that the tokenizer itself puts before a text (BOS, for most that have one).
    ends_text
        Whether EOS is appended, unless the text ends in it.
    end_count
        How many EOS that makes in all.
    drops_bos
        Whether a BOS that the text itself begins with is left out: it goes on after another chunk.
    """

    text: str
    pieces: tuple[Piece, ...] | Pieces
    begins_text: bool = False
    ends_text: bool = False
    end_count: int = 1
    drops_bos: bool = False


@dataclass(frozen=True)
class Windows:
    """How a document longer than sequence_len becomes several samples.

    Attributes
    ----------
    overlap
        How many tokens a window repeats of the one before it.
    closed
        Whether each window begins and ends as a text of its own (BOS, EOS); else the document does so as a whole.
    """

    overlap: int = 0
    closed: bool = False


@dataclass(frozen=True)
class Document:
    """All chunks of a row; the ids of a sample are theirs, end to end.

    Attributes
    ----------
    chunks
        In order.
    windows
        How a document longer than sequence_len becomes several samples; None: it stays one that is too long. A document
        in closed windows has one chunk.
    """

    chunks: tuple[Chunk, ...]
    windows: Windows | None = None


@dataclass(frozen=True)
class Tokenized:
    """A row that came as ids and labels: nothing is left to tokenise."""

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]


@dataclass(frozen=True)
class Format:
    """One dataset's way from a row to a document.

    Attributes
    ----------
    fields
        The columns that the dataset must have.
    render
        Row to document, or to ids where the row holds them; raises DataError, without naming the row, for a row that
        makes no sense.
    warnings
        What is doubtful about this format with this tokenizer, as sentences.
    """

    fields: tuple[str, ...]
    render: Callable[[Mapping[str, Any]], Document | Tokenized]
    warnings: tuple[str, ...] = ()
