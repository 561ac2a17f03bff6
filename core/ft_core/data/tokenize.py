"""Rows to samples: the only place where text becomes ids, and ids get their labels and the reasons for them.

::

    row --format--> Document (text, pieces) --tokenizer--> ids + character offsets --> labels, spans --> Sample

The inspector calls `tokenize_rows` on the row that is looked at, preprocessing on all rows, and the trainer trains on what
it returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ft_core.data.document import TEMPLATE_ROLE, Chunk, Document, Format, Piece, Tokenized
from ft_core.data.encode import Encoded, encode, tokens_before_text
from ft_core.data.files import Skipped
from ft_core.data.formats import resolve_format
from ft_core.data.given import given_sample
from ft_core.data.sample import IGNORE, Sample, Span
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

BATCH = 256
"""Rows of one call: enough for the tokenizer to work on many texts, few enough to show progress and to hold in memory."""

NumberedRow = tuple[int, Mapping[str, Any]]
"""A row, and its number in its source, counted from 0."""


def tokenize_rows(
    config: Config,
    rows: Iterable[Mapping[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    *,
    dataset: Dataset | None = None,
    first_row: int = 0,
    skipped: Skipped | None = None,
) -> list[Sample]:
    """Return the samples of `rows`, in order.

    Every row gives one sample, except that a long ``completion`` gives one for each sequence_len tokens, and a long
    ``pretrain`` one for each window. Samples that
    training will leave out are here too (`ft_core.data.sieve.drop_reason` tells them); with ``excess_length_strategy:
    truncate`` they come truncated.

    Parameters
    ----------
    config
        What says how rows become samples.
    rows
        As a table: a column that some rows lack is null there.
    tokenizer
        As `ft_core.models.load_tokenizer` returns it.
    dataset
        Which entry of ``config.datasets`` the rows are of. Default: the first.
    first_row
        The number of the first row in its source.
    skipped
        Counts the rows that do not fit the type, which are left out. Default: the first one is an error.

    Raises
    ------
    DataError
        A row does not fit the dataset's type; the message names the row.
    """
    entry = dataset or config.datasets[0]
    tokenize_batch = batch_tokenizer(config, tokenizer, entry)
    numbered = iter(enumerate(rows, first_row))
    samples: list[Sample] = []
    while batch := list(islice(numbered, BATCH)):
        samples += tokenize_batch(batch, skipped)
    return samples


def batch_tokenizer(
    config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset
) -> Callable[[Sequence[NumberedRow], Skipped | None], list[Sample]]:
    """Return the function from a few hundred rows to their samples, with all settled that does not depend on rows.

    Its second argument counts the rows that do not fit the type; with None, the first of them is an error.

    What a row becomes does not depend on the rows beside it, but whether the columns that the type needs are there is
    asked of all rows of a call together.
    """
    form = resolve_format(config, dataset, tokenizer)
    prefix = tokens_before_text(tokenizer)

    def tokenize_batch(batch: Sequence[NumberedRow], skipped: Skipped | None) -> list[Sample]:
        _require_fields(form, batch, dataset)
        numbered: list[tuple[int, Document | Tokenized]] = []
        for number, row in batch:
            try:
                numbered.append((number, _render(form, row, number, dataset)))
            except DataError as error:  # noqa: PERF203 - a batch is a few hundred rows
                if skipped is None:
                    raise
                skipped.add(dataset.path, error.message)
        texts = [
            chunk.text
            for _, document in numbered
            if isinstance(document, Document)
            for chunk in document.chunks
        ]
        encoded = iter(encode(tokenizer, texts))
        samples: list[Sample] = []
        for number, document in numbered:
            if isinstance(document, Tokenized):
                samples.append(given_sample(document, config, tokenizer, number, dataset.path))
                continue
            bodies = [_body(chunk, next(encoded)) for chunk in document.chunks]
            if document.windows and document.windows.closed:
                samples += _closed_windows(
                    bodies[0], document, config, prefix, tokenizer, number, dataset.path
                )
                continue
            closed = [
                _close(body, chunk, prefix, tokenizer)
                for body, chunk in zip(bodies, document.chunks, strict=True)
            ]
            samples += _cut(_join(closed), document, config, number, dataset.path)
        return samples

    return tokenize_batch


def _require_fields(form: Format, batch: Sequence[NumberedRow], dataset: Dataset) -> None:
    """Raise where no row of `batch` has a column that the format needs."""
    columns = list(dict.fromkeys(key for _, row in batch for key in row))
    for name in form.fields:
        if name not in columns:
            first, last = batch[0][0] + 1, batch[-1][0] + 1
            rows = f"row {first}" if first == last else f"rows {first} to {last}"
            raise DataError(
                f"{dataset.path}, {rows}: there is no field '{name}', which {dataset.type_words} needs; "
                f"the fields are {', '.join(map(repr, columns)) or 'none'}.",
                "Leave the type empty ('type:'): these rows are tokenized already."
                if {"input_ids", "labels"} <= set(columns)
                else "Choose the type that fits these rows, or name the field in the dataset's options.",
            )


def _render(form: Format, row: Mapping[str, Any], number: int, dataset: Dataset) -> Document | Tokenized:
    """Return the document of a row, or raise with the row's number (from 1, as people count)."""
    try:
        document = form.render(row)
        if isinstance(document, Document):
            for chunk in document.chunks:
                _require_characters(chunk.text)
        return document
    except DataError as error:
        raise DataError(f"{dataset.path}, row {number + 1}: {error.message}", error.fix) from error


def _require_characters(text: str) -> None:
    r"""Raise where `text` holds half of a surrogate pair, as ``"\ud83d"`` in JSON may: no tokenizer takes it."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            half = f"\\u{ord(text[error.start]):x}"
            raise DataError(
                f"A text holds {half}, which is half of a character.",
                "Write the whole character, or drop it.",
            ) from error


@dataclass(frozen=True)
class _Tokens:
    """A document in tokens: ids, the characters each covers in `text`, and which of `pieces` it belongs to."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    owners: NDArray[np.int32]
    pieces: list[Piece]
    text: str

    def part(self, start: int, stop: int) -> _Tokens:
        """Return the tokens ``[start, stop)``; the text stays whole."""
        return replace(
            self,
            ids=self.ids[start:stop],
            starts=self.starts[start:stop],
            ends=self.ends[start:stop],
            owners=self.owners[start:stop],
        )


def _body(chunk: Chunk, encoded: Encoded) -> _Tokens:
    """Give each token of a chunk its piece."""
    pieces = _without_gaps(chunk)
    return _Tokens(encoded.ids, encoded.starts, encoded.ends, _owners(encoded, pieces), pieces, chunk.text)


def _close(body: _Tokens, chunk: Chunk, prefix: list[int], tokenizer: PreTrainedTokenizerBase) -> _Tokens:
    """Add what begins and ends a text to the tokens of a chunk; an empty text stays empty."""
    ids = body.ids.tolist()
    if not ids:
        return body
    parts = [body]
    # A text that brings its own BOS gets no second one (https://github.com/huggingface/trl/issues/1400).
    if chunk.begins_text and prefix and ids[: len(prefix)] != prefix:
        parts.insert(0, _special_tokens(prefix, body.pieces[0], "start of text before the", tokenizer))
    elif chunk.drops_bos and ids[0] == tokenizer.bos_token_id:
        parts[0] = body.part(1, len(ids))
    if chunk.ends_text and tokenizer.eos_token_id is not None:
        missing = chunk.end_count - (ids[-1] == tokenizer.eos_token_id)
        if missing:
            end = [int(cast("int", tokenizer.eos_token_id))] * missing
            parts.append(_special_tokens(end, body.pieces[-1], "end of text after the", tokenizer))
    return _join(parts)


def _special_tokens(ids: list[int], beside: Piece, what: str, tokenizer: PreTrainedTokenizerBase) -> _Tokens:
    """Return tokens that stand in no text and are trained as the piece beside them is."""
    text = "".join(cast("list[str]", tokenizer.convert_ids_to_tokens(ids)))
    rule = f"{'trained' if beside.trained else 'masked'}: {what} {beside.role}"
    piece = Piece(0, len(text), beside.role, beside.turn, beside.trained, rule)
    count = len(ids)
    edges = np.zeros(count + 1, np.int32)
    edges[1:] = np.cumsum([len(cast("str", tokenizer.convert_ids_to_tokens(token))) for token in ids])
    return _Tokens(np.array(ids, np.int32), edges[:-1], edges[1:], np.zeros(count, np.int32), [piece], text)


def _without_gaps(chunk: Chunk) -> list[Piece]:
    """Return the pieces of a chunk, with what lies between them as text of the template; none is empty."""
    pieces: list[Piece] = []
    position = 0
    for piece in (*chunk.pieces, None):
        start = piece.start if piece else len(chunk.text)
        if position < start:
            pieces.append(
                Piece(position, start, TEMPLATE_ROLE, None, False, "masked: text of the chat template")
            )
        if piece and piece.start < piece.end:
            pieces.append(piece)
        position = piece.end if piece else start
    return pieces


def _owners(encoded: Encoded, pieces: Sequence[Piece]) -> NDArray[np.int32]:
    """Return for each token the index of its piece.

    A token that covers characters of several pieces (``.<`` where a template's mark is no token of its own) belongs to
    what somebody said rather than to the template, and of two such pieces to the masked one.
    """
    if not len(encoded.ids):
        return np.zeros(0, np.int32)
    edges = np.array([piece.end for piece in pieces], np.int32)
    first = np.minimum(np.searchsorted(edges, encoded.starts, side="right"), len(pieces) - 1)
    last = np.searchsorted(edges, np.maximum(encoded.ends - 1, encoded.starts), side="right")
    last = np.minimum(last, len(pieces) - 1)
    owners = first.astype(np.int32)
    for token in np.flatnonzero(first != last):
        candidates = range(int(first[token]), int(last[token]) + 1)
        owners[token] = min(candidates, key=lambda at: (pieces[at].role == TEMPLATE_ROLE, pieces[at].trained))
    return owners


def _join(parts: Sequence[_Tokens]) -> _Tokens:
    """Lay tokens end to end."""
    if len(parts) == 1:
        return parts[0]
    empty = np.zeros(0, np.int32)
    starts, ends, owners = [empty], [empty], [empty]
    pieces: list[Piece] = []
    text = ""
    for part in parts:
        starts.append(part.starts + np.int32(len(text)))
        ends.append(part.ends + np.int32(len(text)))
        owners.append(part.owners + np.int32(len(pieces)))
        pieces += part.pieces
        text += part.text
    ids = np.concatenate([empty, *(part.ids for part in parts)])
    return _Tokens(ids, np.concatenate(starts), np.concatenate(ends), np.concatenate(owners), pieces, text)


def _closed_windows(
    body: _Tokens,
    document: Document,
    config: Config,
    prefix: list[int],
    tokenizer: PreTrainedTokenizerBase,
    row: int,
    source: str,
) -> list[Sample]:
    """Return one sample for each window, which begins and ends as a text and is at most sequence_len long."""
    assert document.windows is not None
    [chunk] = document.chunks
    size = max(1, config.sequence_len - len(prefix) - 1)
    step = max(1, size - document.windows.overlap)
    total = len(body.ids)
    # A window that would hold nothing but what the one before it held is left out.
    starts = range(0, max(1, total - size + step), step)
    windows = [_close(body.part(start, start + size), chunk, prefix, tokenizer) for start in starts]
    return [_sample(window, 0, len(window.ids), row, source) for window in windows]


def _cut(tokens: _Tokens, document: Document, config: Config, row: int, source: str) -> list[Sample]:
    """Return one sample of all tokens; or windows of sequence_len; or the first sequence_len tokens."""
    total, limit = len(tokens.ids), config.sequence_len
    if document.windows and total > limit:
        return [
            _sample(tokens, start, min(start + limit, total), row, source) for start in range(0, total, limit)
        ]
    if config.excess_length_strategy == "truncate" and total > limit:
        return [_sample(tokens, 0, limit, row, source, cut=total - limit)]
    return [_sample(tokens, 0, total, row, source)]


def _sample(tokens: _Tokens, start: int, stop: int, row: int, source: str, *, cut: int = 0) -> Sample:
    """Return the sample of the tokens ``[start, stop)``."""
    ids, owners = tokens.ids[start:stop], tokens.owners[start:stop]
    trained = np.array([piece.trained for piece in tokens.pieces], dtype=bool)
    labels = np.where(trained[owners], ids, np.int32(IGNORE)) if len(ids) else ids
    edges = [0, *(np.flatnonzero(np.diff(owners)) + 1).tolist(), len(ids)] if len(ids) else []
    spans: list[Span] = []
    for first, end in pairwise(edges):
        piece = tokens.pieces[int(owners[first])]
        text = tokens.text[int(tokens.starts[start + first]) : int(tokens.ends[start + end - 1])]
        spans.append(Span(first, end, piece.role, piece.turn, piece.trained, piece.rule, text))
        if piece.label is not None:
            labels[first:end] = IGNORE
            labels[end - 1] = piece.label
    return Sample(ids.copy(), labels, tuple(spans), row, source, cut)
