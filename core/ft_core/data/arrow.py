"""Samples as columns: how they pass from process to process and lie in a file.

A `Block` holds some hundred samples as arrays laid end to end. In a file each is one record batch of Arrow's format::

    row, cut, trained     int64, int32, int32     one of each for a sample
    input_ids, labels     list<int32>
    span_ends             list<int32>             each span begins where the one before it ends
    reasons               list<int32>             index into a table of (role, trained, rule), which is kept beside the file
    turns                 list<int32>             -1 where there is none
    text_lengths          list<int32>             characters of each span
    text                  binary                  the texts of all spans of a sample in one, UTF-8
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ft_core.data.labelled import Labelled
from ft_core.data.sample import IGNORE

Reason = tuple[str, bool, str]
"""What the spans of many samples have in common: role, whether trained, and rule."""

NO_TURN = -1

_PER_TOKEN = ("input_ids", "labels")
_PER_SPAN = ("span_ends", "reasons", "turns", "text_lengths")


@dataclass(frozen=True)
class Block:
    """Samples of one source as arrays.

    Attributes
    ----------
    row, cut
        Of each sample, as in `Sample`; of shape ``[samples]``.
    token_counts, span_counts
        Of each sample; int32 of shape ``[samples]``.
    input_ids, labels
        Of all samples, end to end; int32 of shape ``[tokens]``.
    span_ends, reasons, turns, text_lengths
        Of all spans, end to end; int32 of shape ``[spans]``. A reason is an index into `reason_table`.
    texts
        Of each sample, the texts of its spans in one.
    reason_table
        The reasons that occur.
    """

    row: NDArray[np.int64]
    cut: NDArray[np.int32]
    token_counts: NDArray[np.int32]
    span_counts: NDArray[np.int32]
    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    span_ends: NDArray[np.int32]
    reasons: NDArray[np.int32]
    turns: NDArray[np.int32]
    text_lengths: NDArray[np.int32]
    texts: list[bytes]
    reason_table: tuple[Reason, ...]


def to_block(samples: Sequence[Labelled]) -> Block:
    """Return `samples` as arrays."""
    table: dict[Reason, int] = {}
    # By identity: samples that are laid out alike share their authors, which live as long as the samples do.
    known: dict[int, tuple[NDArray[np.int32], NDArray[np.int32]]] = {}
    reasons, turns = [_EMPTY], [_EMPTY]
    for sample in samples:
        if (columns := known.get(id(sample.authors))) is None:
            each = sample.authors.each
            numbers = [table.setdefault((at.role, at.trained, at.rule), len(table)) for at in each]
            turn_numbers = [NO_TURN if at.turn is None else at.turn for at in each]
            columns = np.array(numbers, np.int32), np.array(turn_numbers, np.int32)
            known[id(sample.authors)] = columns
        reasons.append(columns[0][sample.span_owners])
        turns.append(columns[1][sample.span_owners])
    return Block(
        row=np.array([sample.row for sample in samples], np.int64),
        cut=np.array([sample.cut for sample in samples], np.int32),
        token_counts=np.array([len(sample.input_ids) for sample in samples], np.int32),
        span_counts=np.array([len(sample.span_ends) for sample in samples], np.int32),
        input_ids=np.concatenate([_EMPTY, *(sample.input_ids for sample in samples)]),
        labels=np.concatenate([_EMPTY, *(sample.labels for sample in samples)]),
        span_ends=np.concatenate([_EMPTY, *(sample.span_ends for sample in samples)]),
        reasons=np.concatenate(reasons),
        turns=np.concatenate(turns),
        text_lengths=np.concatenate([_EMPTY, *(sample.text_lengths for sample in samples)]),
        texts=[sample.text.encode() for sample in samples],
        reason_table=tuple(table),
    )


_EMPTY = np.zeros(0, np.int32)


def sample_schema() -> Any:
    """Return the columns of samples in a file, as pyarrow's schema."""
    import pyarrow as pa

    lists = [(name, pa.list_(pa.int32())) for name in (*_PER_TOKEN, *_PER_SPAN)]
    numbers = [("row", pa.int64()), ("cut", pa.int32()), ("trained", pa.int32())]
    return pa.schema([*numbers, *lists, ("text", pa.binary())])


class BlockWriter:
    """Writes blocks to a file, which is whole when `close` has returned.

    Parameters
    ----------
    sink
        What takes the bytes: an open file, or a buffer of pyarrow.
    """

    def __init__(self, sink: Any) -> None:
        import pyarrow as pa

        self._schema = sample_schema()
        self._table: dict[Reason, int] = {}
        self._writer = pa.ipc.new_file(sink, self._schema)

    def write(self, block: Block) -> None:
        """Write the samples of a block after those before it."""
        import pyarrow as pa

        numbers = [self._table.setdefault(reason, len(self._table)) for reason in block.reason_table]
        token_edges, span_edges = _edges(block.token_counts), _edges(block.span_counts)
        targets = _edges(block.labels != IGNORE)
        lists = {name: (token_edges, getattr(block, name)) for name in _PER_TOKEN}
        lists |= {name: (span_edges, getattr(block, name)) for name in _PER_SPAN}
        lists["reasons"] = (span_edges, np.array(numbers, np.int32)[block.reasons])
        columns: list[Any] = [
            block.row,
            block.cut,
            np.diff(targets[token_edges]),
            *(pa.ListArray.from_arrays(edges, values) for edges, values in lists.values()),
            pa.array(block.texts, pa.binary()),
        ]
        arrays = [pa.array(column) for column in columns]
        self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))

    def close(self) -> tuple[Reason, ...]:
        """End the file, and return the table of reasons that reading it takes."""
        self._writer.close()
        return tuple(self._table)


def _edges(counts: NDArray[Any]) -> NDArray[np.int32]:
    """Return where parts of these sizes begin when they lie end to end, and where the last one ends.

    >>> _edges(np.array([2, 0, 3])).tolist()
    [0, 2, 2, 5]
    """
    return np.concatenate((np.zeros(1, np.int32), np.cumsum(counts, dtype=np.int32)))
