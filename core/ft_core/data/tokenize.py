"""Rows to samples: the only place where text becomes ids, and ids get their labels and the reasons for them.

::

    row --format--> Document (text, pieces) --tokenizer--> ids + character offsets --> labels, spans --> Sample

The inspector calls `tokenize_rows` on the row that is looked at, preprocessing on all rows, and the trainer trains on what
it returned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ft_core.data.document import (
    TEMPLATE_ROLE,
    Author,
    Authors,
    Chunk,
    Document,
    Format,
    Pieces,
    Tokenized,
    without_gaps,
)
from ft_core.data.encode import Encoded, encoder, tokens_before_text
from ft_core.data.files import Skipped
from ft_core.data.formats import resolve_format
from ft_core.data.given import given_sample
from ft_core.data.labelled import Labelled
from ft_core.data.sample import IGNORE, Sample
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
    label_batch = batch_labeller(config, tokenizer, dataset)

    def tokenize_batch(batch: Sequence[NumberedRow], skipped: Skipped | None) -> list[Sample]:
        return [labelled.sample() for labelled in label_batch(batch, skipped)]

    return tokenize_batch


def batch_labeller(
    config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset
) -> Callable[[Sequence[NumberedRow], Skipped | None], list[Labelled]]:
    """Return the function of `batch_tokenizer`, for samples whose spans stay arrays."""
    form = resolve_format(config, dataset, tokenizer)
    prefix = tokens_before_text(tokenizer)
    encode_texts = encoder(tokenizer)

    def label_batch(batch: Sequence[NumberedRow], skipped: Skipped | None) -> list[Labelled]:
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
        encoded = iter(encode_texts(texts))
        samples: list[Labelled] = []
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
                part
                for body, chunk in zip(bodies, document.chunks, strict=True)
                for part in _close(body, chunk, prefix, tokenizer)
            ]
            samples += _cut(_join(closed), document, config, number, dataset.path)
        return samples

    return label_batch


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
    """A document in tokens: ids, the characters each covers in `text`, and which of `authors` it is of."""

    ids: NDArray[np.int32]
    starts: NDArray[np.int32]
    ends: NDArray[np.int32]
    owners: NDArray[np.int32]
    authors: Authors
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
    """Give each token of a chunk its author."""
    pieces = chunk.pieces if isinstance(chunk.pieces, Pieces) else without_gaps(chunk.text, chunk.pieces)
    owners = _owners(encoded, pieces)
    return _Tokens(encoded.ids, encoded.starts, encoded.ends, owners, pieces.authors, chunk.text)


def _close(
    body: _Tokens, chunk: Chunk, prefix: list[int], tokenizer: PreTrainedTokenizerBase
) -> list[_Tokens]:
    """Return what begins a text, the tokens of a chunk, and what ends a text; an empty text stays empty."""
    if not len(body.ids) or not (chunk.begins_text or chunk.ends_text or chunk.drops_bos):
        return [body]
    ids = body.ids.tolist()
    parts = [body]
    # A text that brings its own BOS gets no second one (https://github.com/huggingface/trl/issues/1400).
    if chunk.begins_text and prefix and ids[: len(prefix)] != prefix:
        parts.insert(0, _special_tokens(prefix, body.authors.each[0], "start of text before the", tokenizer))
    elif chunk.drops_bos and ids[0] == tokenizer.bos_token_id:
        parts[0] = body.part(1, len(ids))
    if chunk.ends_text and tokenizer.eos_token_id is not None:
        missing = chunk.end_count - (ids[-1] == tokenizer.eos_token_id)
        if missing:
            end = [int(cast("int", tokenizer.eos_token_id))] * missing
            parts.append(_special_tokens(end, body.authors.each[-1], "end of text after the", tokenizer))
    return parts


def _special_tokens(ids: list[int], beside: Author, what: str, tokenizer: PreTrainedTokenizerBase) -> _Tokens:
    """Return tokens that stand in no text and are trained as what is beside them is."""
    names = cast("list[str]", tokenizer.convert_ids_to_tokens(ids))
    rule = f"{'trained' if beside.trained else 'masked'}: {what} {beside.role}"
    count = len(ids)
    edges = np.zeros(count + 1, np.int32)
    edges[1:] = np.cumsum([len(name) for name in names])
    return _Tokens(
        np.array(ids, np.int32),
        edges[:-1],
        edges[1:],
        np.zeros(count, np.int32),
        Authors((Author(beside.role, beside.turn, beside.trained, rule),)),
        "".join(names),
    )


def _owners(encoded: Encoded, pieces: Pieces) -> NDArray[np.int32]:
    """Return for each token the index of its piece.

    A token that covers characters of several pieces (``.<`` where a template's mark is no token of its own) belongs to
    what somebody said rather than to the template, and of two such pieces to the masked one.
    """
    if len(pieces.edges) <= 1:
        return np.zeros(len(encoded.ids), np.int32)
    edges, authors = pieces.edges, pieces.authors.each
    first = np.minimum(np.searchsorted(edges, encoded.starts, side="right"), len(authors) - 1)
    last = np.searchsorted(edges, np.maximum(encoded.ends - 1, encoded.starts), side="right")
    last = np.minimum(last, len(authors) - 1)
    owners = first.astype(np.int32)
    for token in np.flatnonzero(first != last):
        candidates = range(int(first[token]), int(last[token]) + 1)
        owners[token] = min(
            candidates, key=lambda at: (authors[at].role == TEMPLATE_ROLE, authors[at].trained)
        )
    return owners


def _join(parts: Sequence[_Tokens]) -> _Tokens:
    """Lay tokens end to end."""
    if len(parts) == 1:
        return parts[0]
    empty = np.zeros(0, np.int32)
    starts, ends, owners = [empty], [empty], [empty]
    authors: list[Author] = []
    text = ""
    for part in parts:
        starts.append(part.starts + np.int32(len(text)))
        ends.append(part.ends + np.int32(len(text)))
        owners.append(part.owners + np.int32(len(authors)))
        authors += part.authors.each
        text += part.text
    return _Tokens(
        np.concatenate([empty, *(part.ids for part in parts)]),
        np.concatenate(starts),
        np.concatenate(ends),
        np.concatenate(owners),
        Authors(tuple(authors)),
        text,
    )


def _closed_windows(
    body: _Tokens,
    document: Document,
    config: Config,
    prefix: list[int],
    tokenizer: PreTrainedTokenizerBase,
    row: int,
    source: str,
) -> list[Labelled]:
    """Return one sample for each window, which begins and ends as a text and is at most sequence_len long."""
    assert document.windows is not None
    [chunk] = document.chunks
    size = max(1, config.sequence_len - len(prefix) - 1)
    step = max(1, size - document.windows.overlap)
    total = len(body.ids)
    # A window that would hold nothing but what the one before it held is left out.
    starts = range(0, max(1, total - size + step), step)
    windows = [_join(_close(body.part(start, start + size), chunk, prefix, tokenizer)) for start in starts]
    return [_label(window, 0, len(window.ids), row, source) for window in windows]


def _cut(tokens: _Tokens, document: Document, config: Config, row: int, source: str) -> list[Labelled]:
    """Return one sample of all tokens; or windows of sequence_len; or the first sequence_len tokens."""
    total, limit = len(tokens.ids), config.sequence_len
    if document.windows and total > limit:
        return [
            _label(tokens, start, min(start + limit, total), row, source) for start in range(0, total, limit)
        ]
    if config.excess_length_strategy == "truncate" and total > limit:
        return [_label(tokens, 0, limit, row, source, cut=total - limit)]
    return [_label(tokens, 0, total, row, source)]


def _label(tokens: _Tokens, start: int, stop: int, row: int, source: str, *, cut: int = 0) -> Labelled:
    """Return the sample of the tokens ``[start, stop)``."""
    ids, owners, authors = tokens.ids[start:stop], tokens.owners[start:stop], tokens.authors
    if not len(ids):
        return Labelled(ids, ids, ids, ids, authors, ids, "", row, source, cut)
    labels = np.where(authors.trained[owners], ids, np.int32(IGNORE))
    cuts = np.flatnonzero(owners[1:] != owners[:-1]) + 1
    firsts = np.concatenate((_ZERO, cuts))
    span_ends = np.concatenate((cuts, [len(ids)])).astype(np.int32)
    span_owners = owners[firsts]
    if authors.label_other_tokens:
        for first, end, owner in zip(firsts, span_ends, span_owners, strict=True):
            if (label := authors.each[owner].label) is not None:
                labels[first:end] = IGNORE
                labels[end - 1] = label
    text_starts, text_ends = tokens.starts[start + firsts], tokens.ends[start - 1 + span_ends]
    if np.array_equal(text_starts[1:], text_ends[:-1]):
        text = tokens.text[int(text_starts[0]) : int(text_ends[-1])]
    else:
        edges = zip(text_starts.tolist(), text_ends.tolist(), strict=True)
        text = "".join(tokens.text[first:end] for first, end in edges)
    return Labelled(
        ids.copy(), labels, span_ends, span_owners, authors, text_ends - text_starts, text, row, source, cut
    )


_ZERO = np.zeros(1, np.intp)
