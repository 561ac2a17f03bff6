r"""What a format makes of a row: text in chunks, and for each stretch of it who speaks and whether it is trained.

A format knows neither ids nor lengths. This is an Alpaca row (the second chunk ends the text with EOS)::

    Document
    ├── Chunk  "### Instruction:\nAdd 2 and 2.\n\n### Response:\n"   begins_text
    │   └── Piece  0..45  prompt    masked: prompt (train_on_inputs is false)
    └── Chunk  "4"                                                     ends_text
        └── Piece  0..1   response  trained: response
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

TEMPLATE_ROLE = "template"
"""The role of text that nobody said: headers and separators that a chat template writes."""


@dataclass(frozen=True)
class Piece:
    """The characters ``[start, end)`` of a chunk: who speaks, in which turn, trained or not, and why."""

    start: int
    end: int
    role: str
    turn: int | None
    trained: bool
    rule: str


@dataclass(frozen=True)
class Chunk:
    """Text that is tokenised in one go, so that tokens merge across its pieces but not across chunks.

    Attributes
    ----------
    text
        The characters.
    pieces
        In order, without overlap. What lies between them is masked as text of the template.
    begins_text
        Whether the tokens come first that the tokenizer itself puts before a text (BOS, for most that have one).
    ends_text
        Whether EOS is appended, unless the text ends in it.
    """

    text: str
    pieces: tuple[Piece, ...]
    begins_text: bool = False
    ends_text: bool = False


@dataclass(frozen=True)
class Document:
    """All chunks of a row; the ids of a sample are theirs, end to end.

    Attributes
    ----------
    chunks
        In order.
    in_windows
        Whether a document longer than sequence_len becomes several samples, in place of one that is too long.
    """

    chunks: tuple[Chunk, ...]
    in_windows: bool = False


@dataclass(frozen=True)
class Format:
    """One dataset's way from a row to a document.

    Attributes
    ----------
    fields
        The columns that the dataset must have.
    render
        Row to document; raises DataError, without naming the row, for a row that makes no sense.
    warnings
        What is doubtful about this format with this tokenizer, as sentences.
    """

    fields: tuple[str, ...]
    render: Callable[[Mapping[str, Any]], Document]
    warnings: tuple[str, ...] = ()
