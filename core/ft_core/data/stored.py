"""Stored samples, read one by one: a list that lies in files and takes no memory of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from ft_core.data.arrow import NO_TURN, Reason
from ft_core.data.sample import Sample, Span


class SampleTable:
    """What a `BlockWriter` wrote: the samples of one source, in the order of its rows.

    Parameters
    ----------
    buffer
        What was written; a buffer of pyarrow, which may be a file that is mapped into memory.
    reasons
        What the writer's ``close`` returned.
    path
        The path of the dataset, as the config writes it.

    Raises
    ------
    pyarrow.ArrowInvalid
        It is no such file, or was not written to its end.
    """

    def __init__(self, buffer: Any, reasons: Sequence[Reason], path: str) -> None:
        import pyarrow as pa

        reader = pa.ipc.open_file(buffer)
        batches = [reader.get_batch(index) for index in range(reader.num_record_batches)]
        self._chunks = [_chunk(batch) for batch in batches if batch.num_rows]
        self._reasons = list(reasons)
        self._path = path
        self._starts = np.cumsum([0, *(len(chunk.row) for chunk in self._chunks)])

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def lengths(self) -> NDArray[np.int32]:
        """Tokens of each sample."""
        return self._joined([np.diff(chunk.tokens) for chunk in self._chunks])

    @cached_property
    def trained(self) -> NDArray[np.int32]:
        """Tokens of each sample that are trained on."""
        return self._joined([chunk.trained for chunk in self._chunks])

    @cached_property
    def cut(self) -> NDArray[np.int32]:
        """Tokens that each sample lost at its end."""
        return self._joined([chunk.cut for chunk in self._chunks])

    def sample(self, index: int) -> Sample:
        """Return the sample `index`, counted from 0."""
        number = int(np.searchsorted(self._starts, index, side="right")) - 1
        chunk, at = self._chunks[number], index - int(self._starts[number])
        tokens = slice(*chunk.tokens[at : at + 2].tolist())
        spans = slice(*chunk.spans[at : at + 2].tolist())
        text = chunk.text[at].as_py().decode()
        return Sample(
            chunk.input_ids[tokens],
            chunk.labels[tokens],
            self._spans(chunk, spans, text),
            int(chunk.row[at]),
            self._path,
            int(chunk.cut[at]),
        )

    def _spans(self, chunk: _Chunk, part: slice, text: str) -> tuple[Span, ...]:
        made: list[Span] = []
        start = read = 0
        for end, reason, turn, length in zip(
            chunk.span_ends[part].tolist(),
            chunk.reasons[part].tolist(),
            chunk.turns[part].tolist(),
            chunk.text_lengths[part].tolist(),
            strict=True,
        ):
            role, trained, rule = self._reasons[reason]
            words = text[read : read + length]
            made.append(Span(start, end, role, None if turn == NO_TURN else turn, trained, rule, words))
            start, read = end, read + length
        return tuple(made)

    @staticmethod
    def _joined(parts: Sequence[NDArray[np.int32]]) -> NDArray[np.int32]:
        return np.concatenate([np.zeros(0, np.int32), *parts])


class StoredSamples(Sequence[Sample]):
    """Samples of some tables in an order of their own; each is made when it is asked for.

    Parameters
    ----------
    tables
        Where the samples lie.
    order
        Which samples, as numbers that count through all tables; all of them, in their order, by default.
    """

    def __init__(self, tables: Sequence[SampleTable], order: NDArray[np.int64] | None = None) -> None:
        self._tables = tuple(tables)
        self._starts = np.cumsum([0, *(len(table) for table in self._tables)])
        self._order = np.arange(self._starts[-1]) if order is None else order

    def __len__(self) -> int:
        return len(self._order)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> StoredSamples: ...
    def __getitem__(self, index: int | slice) -> Sample | StoredSamples:
        if isinstance(index, slice):
            return StoredSamples(self._tables, self._order[index])
        number = int(self._order[index])
        table = int(np.searchsorted(self._starts, number, side="right")) - 1
        return self._tables[table].sample(number - int(self._starts[table]))

    def take(self, positions: NDArray[Any]) -> StoredSamples:
        """Return the samples at `positions`, in that order."""
        return StoredSamples(self._tables, self._order[positions])

    @property
    def lengths(self) -> NDArray[np.int32]:
        """Tokens of each sample; int32 of shape ``[samples]``."""
        return self._of_each("lengths")

    @property
    def trained(self) -> NDArray[np.int32]:
        """Tokens of each sample that are trained on; int32 of shape ``[samples]``."""
        return self._of_each("trained")

    @property
    def cut(self) -> NDArray[np.int32]:
        """Tokens that each sample lost at its end; int32 of shape ``[samples]``."""
        return self._of_each("cut")

    def _of_each(self, name: str) -> NDArray[np.int32]:
        columns = [getattr(table, name) for table in self._tables]
        return np.concatenate([np.zeros(0, np.int32), *columns])[self._order]


@dataclass(frozen=True)
class _Chunk:
    """The columns of one record batch; lists as their values, with where each sample's begin."""

    row: NDArray[np.int64]
    cut: NDArray[np.int32]
    trained: NDArray[np.int32]
    tokens: NDArray[np.int32]
    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    spans: NDArray[np.int32]
    span_ends: NDArray[np.int32]
    reasons: NDArray[np.int32]
    turns: NDArray[np.int32]
    text_lengths: NDArray[np.int32]
    text: Any


def _chunk(batch: Any) -> _Chunk:
    import pyarrow as pa

    columns = {name: batch.column(name) for name in batch.schema.names}
    text = columns.pop("text")
    edges = {
        "tokens": columns["input_ids"].offsets.to_numpy(),
        "spans": columns["span_ends"].offsets.to_numpy(),
    }
    values = {
        name: (column.values if pa.types.is_list(column.type) else column).to_numpy()
        for name, column in columns.items()
    }
    return _Chunk(text=text, **edges, **values)
