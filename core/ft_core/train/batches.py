"""What a trainer takes its micro-batches from: samples each in a row of its own, or packed.

The order of an epoch depends on the seed and the epoch alone (`ft_core.data.packing_order`), and step ``k`` takes the
``k``-th global batch of that order, however the batch is cut::

    order              3 0 4 1 6 2 5 7 | 9 8            global batch of 8, 10 rows
    1 rank, 4 x 2      3 0 . 4 1 . 6 2 . 5 7 | 9 8 .
    2 ranks, 2 x 2     3 0 . 6 2             | 9 8      rank 0
                       4 1 . 5 7             | --       rank 1

So one rank and many, and few large micro-batches and many small ones, take the same steps. Where a rank has no row left, it
takes a row of padding: no target, which adds nothing to the loss but keeps the ranks in step. No row is trained twice,
which filling up from the epoch's beginning would do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch.utils.data import Dataset, Sampler

from ft_core.data import Sample
from ft_core.data.collate import Collator, FlatCollator, PackCollator
from ft_core.data.packing_order import ByLength, PackOrder
from ft_core.data.row_packing import pack_lengths, row_layout

if TYPE_CHECKING:
    from ft_core.config import Config
    from ft_core.data.packing import Packing


@dataclass(frozen=True)
class Rows:
    """Rows, and how they become tensors.

    Attributes
    ----------
    items
        What the collator takes: a sample, or all samples of a packed row.
    batch_size
        Rows of a micro-batch on one rank.
    collate
        Makes tensors of the items of a micro-batch.
    lengths
        Tokens of each row, where those of about the same length are to share a step; None else.
    packing
        Which samples lie together; None where each has its own row.
    """

    items: Sequence[Any] | PackedRows
    batch_size: int
    collate: Callable[[Sequence[Any]], dict[str, torch.Tensor]]
    lengths: NDArray[np.int64] | None = None
    packing: Packing | None = None

    def order(self, *, rank: int, world_size: int, accumulation: int, seed: int | None) -> PackOrder:
        """Return one rank's micro-batches; those of evaluation have no `seed`."""
        by_length = None
        if self.lengths is not None and seed is not None:
            by_length = ByLength(self.lengths, self.batch_size * world_size * accumulation)
        return PackOrder(len(self.items), self.batch_size, rank, world_size, seed, by_length)


def make_rows(
    config: Config,
    samples: Sequence[Sample],
    lengths: ArrayLike,
    *,
    pad_token_id: int,
    evaluation: bool = False,
) -> Rows:
    """Lay samples into rows, as the config says for training or for evaluation.

    Parameters
    ----------
    config
        The run's config.
    samples
        All of them.
    lengths
        Tokens of each sample.
    pad_token_id
        The id that fills rows up.
    evaluation
        Whether these are evaluated on.
    """
    shape = row_shape(config, pad_token_id=pad_token_id, evaluation=evaluation)
    if config.eval_sample_packing if evaluation else config.sample_packing:
        packing = pack_lengths(config, lengths, _batch_size(config, evaluation=evaluation))
        # No row is left out: one that is too long for a bin has a row of its own.
        bins = [*packing.bins, *packing.overlong.reshape(-1, 1)]
        return Rows(PackedRows(samples, bins), shape.batch_size, shape.collate, packing=packing)
    by_length = np.asarray(lengths, dtype=np.int64) if config.group_by_length else None
    return Rows(samples, shape.batch_size, shape.collate, by_length)


@dataclass(frozen=True)
class RowShape:
    """How many rows a micro-batch has on one rank, and what makes tensors of them."""

    batch_size: int
    collate: Callable[[Sequence[Any]], dict[str, torch.Tensor]]


def row_shape(config: Config, *, pad_token_id: int, evaluation: bool = False) -> RowShape:
    """Return the shape of micro-batches, as the config says for training or for evaluation."""
    batch_size = _batch_size(config, evaluation=evaluation)
    padded = bool(config.pad_to_sequence_len)
    if config.eval_sample_packing if evaluation else config.sample_packing:
        layout = row_layout(config, batch_size)
        return RowShape(layout.rows, PackCollator(pad_token_id, layout.capacity if padded else 0))
    if config.batch_flattening:
        length = batch_size * config.sequence_len if padded else 0
        return RowShape(batch_size, FlatCollator(PackCollator(pad_token_id, length)))
    collate = Collator(pad_token_id, pad_to_sequence_len=config.sequence_len if padded else None)
    return RowShape(batch_size, collate)


def _batch_size(config: Config, *, evaluation: bool) -> int:
    return (config.eval_batch_size if evaluation else None) or config.micro_batch_size


class PackedRows(Dataset[list[Sample]]):
    """The samples of each packed row."""

    def __init__(self, samples: Sequence[Sample], bins: Sequence[NDArray[np.int64]]) -> None:
        self._samples = samples
        self._bins = bins

    def __len__(self) -> int:
        return len(self._bins)

    def __getitem__(self, index: int) -> list[Sample]:
        return [self._samples[int(sample)] for sample in self._bins[index]]


class RankBatches(Sampler[list[int]]):
    """The micro-batches of an order, in the epoch that was set last."""

    def __init__(self, order: PackOrder) -> None:
        self._order = order
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Order the rows for `epoch`, counted from 0; Trainer calls it where it goes on within an epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[list[int]]:
        return self._order.batches(self.epoch)
