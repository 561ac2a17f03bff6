"""Packed samples as one training row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ft_core.data.sample import IGNORE, Sample


@dataclass(frozen=True)
class PackLayout:
    """The rows of a packed micro-batch.

    Attributes
    ----------
    rows
        How many there are, each one pack.
    capacity
        Tokens of each.
    """

    rows: int
    capacity: int


def pack_layout(
    micro_batch_size: int, sequence_len: int, attention: Literal["varlen", "dense"]
) -> PackLayout:
    """Return the rows of a micro-batch, which has the same number of tokens either way.

    Attention that takes documents of different length (``varlen``) costs no more on one long row than on many short ones,
    and the longer a row, the better samples fill it. Attention over a mask (``dense``) costs the square of the row, so
    there a row is no longer than `sequence_len`.

    Examples
    --------
    >>> pack_layout(4, 2048, "varlen")
    PackLayout(rows=1, capacity=8192)
    >>> pack_layout(4, 2048, "dense")
    PackLayout(rows=4, capacity=2048)
    """
    if attention == "varlen":
        return PackLayout(rows=1, capacity=micro_batch_size * sequence_len)
    return PackLayout(rows=micro_batch_size, capacity=sequence_len)


@dataclass(frozen=True, eq=False)
class Pack:
    """One training row: samples laid end to end, then padding. All arrays are int32 of shape ``[n]``, read-only.

    Attributes
    ----------
    samples
        Indices of the samples, in the order in which they lie here.
    input_ids
        Token ids.
    labels
        For each token its id, or -100 where it is not trained on. The first token of each document is not, whatever its
        sample says: no document predicts how the next one starts.
    position_ids
        Counted from 0 in each document, and in the padding as if it were one.
    document_ids
        1, 2, 3 ... for the documents, 0 in the padding.
    """

    samples: tuple[int, ...]
    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    position_ids: NDArray[np.int32]
    document_ids: NDArray[np.int32]

    def __post_init__(self) -> None:
        for array in (self.input_ids, self.labels, self.position_ids, self.document_ids):
            array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.input_ids)


def assemble_pack(
    samples: Sequence[Sample], indices: Iterable[int], *, pad_token_id: int, length: int = 0
) -> Pack:
    """Lay samples end to end.

    ::

        samples       0: ids 7 8 9   labels _ 8 9       1: ids 5 6   labels 5 6         (_ is -100)

        input_ids     7 8 9 5 6 0 0
        labels        _ 8 9 _ 6 _ _
        position_ids  0 1 2 0 1 0 1
        document_ids  1 1 1 2 2 0 0

    Parameters
    ----------
    samples
        All samples.
    indices
        Which of them, in order; none gives a row of padding.
    pad_token_id
        The id that fills the row up.
    length
        Tokens of the row; it is longer where the samples are.

    Examples
    --------
    >>> samples = [
    ...     Sample(input_ids=[7, 8, 9], labels=[-100, 8, 9], spans=(), row=0, source="rows.jsonl"),
    ...     Sample(input_ids=[5, 6], labels=[5, 6], spans=(), row=1, source="rows.jsonl"),
    ... ]
    >>> pack = assemble_pack(samples, [0, 1], pad_token_id=0, length=7)
    >>> pack.input_ids.tolist()
    [7, 8, 9, 5, 6, 0, 0]
    >>> pack.labels.tolist()
    [-100, 8, 9, -100, 6, -100, -100]
    >>> pack.position_ids.tolist()
    [0, 1, 2, 0, 1, 0, 1]
    >>> pack.document_ids.tolist()
    [1, 1, 1, 2, 2, 0, 0]
    """
    chosen = tuple(int(index) for index in indices)
    documents = [samples[index] for index in chosen]
    sizes = [len(document) for document in documents]
    padding = max(length - sum(sizes), 0)
    sizes.append(padding)
    starts = np.cumsum(sizes) - sizes
    input_ids = _joined([document.input_ids for document in documents], np.full(padding, pad_token_id))
    labels = _joined([document.labels for document in documents], np.full(padding, IGNORE))
    position_ids = np.arange(len(input_ids)) - np.repeat(starts, sizes)
    labels[position_ids == 0] = IGNORE
    numbers = [*range(1, len(documents) + 1), 0]
    return Pack(
        samples=chosen,
        input_ids=input_ids,
        labels=labels,
        position_ids=position_ids.astype(np.int32),
        document_ids=np.repeat(np.array(numbers, np.int32), sizes),
    )


def _joined(arrays: Iterable[ArrayLike], padding: ArrayLike) -> NDArray[np.int32]:
    """Return the arrays end to end, and the padding after them."""
    return np.concatenate([*arrays, padding], dtype=np.int32)
