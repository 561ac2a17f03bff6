"""How samples lie in rows: as the config lays them, and as it could.

::

    lengths  3 3 3 7 7 7     sequence_len 10, micro_batch_size 2          (. is padding)

    padded        a sample a row, as long as the longest of its micro-batch      3 . | 7    3 3    7 7
    sequential    neighbours share a row, in their order                         3 3 3 .    7 .    7 .    7 .
    packed        those share a row that fill it best                            3 7    3 7    3 7
    flattened     the samples of a micro-batch share a row                       3 7    3 3    7 7

Training takes the same samples through the same functions (`ft_core.data.row_packing`) after it has shuffled them; so of
samples that are equally long, another one may lie in a row there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ft_core.config.schema.sequence import ONE_LONG_ROW
from ft_core.data.packing import pack, pack_sequentially
from ft_core.data.packing_order import ByLength, PackOrder
from ft_core.data.packing_rows import Pack, PackLayout, assemble_pack, pack_layout
from ft_core.data.row_packing import row_layout

if TYPE_CHECKING:
    from ft_core.config import Config
    from ft_core.data import Sample

Name = Literal["packed", "sequential", "flattened", "padded"]

TITLES: dict[Name, tuple[str, str]] = {
    "packed": ("Packed", "Samples that fill a row best share it."),
    "sequential": ("Packed in order", "Neighbouring samples share a row."),
    "flattened": ("Flattened", "The samples of a micro-batch share a row."),
    "padded": ("One a row", "Each sample has a row, padded to the longest of its micro-batch."),
}
"""Title and description of each layout."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Samples in rows.

    Attributes
    ----------
    name
        Which way.
    current
        Whether the config lays samples so.
    capacity
        The most tokens that a row takes, or has.
    samples, tokens
        How many samples there are, and tokens of all of them.
    bins
        The samples of each row, as indices into the lengths.
    widths
        Tokens of each row in the first epoch, padding included; int64 of shape ``[rows]``.
    """

    name: Name
    current: bool
    capacity: int
    samples: int
    tokens: int
    bins: Sequence[NDArray[np.int64]] | NDArray[np.int64]
    widths: NDArray[np.int64]

    @property
    def title(self) -> str:
        """The way in a few words."""
        return TITLES[self.name][0]

    @property
    def description(self) -> str:
        """The way in a sentence."""
        return TITLES[self.name][1]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.bins)

    @property
    def fill(self) -> float:
        """The share of all rows that samples take, 0 to 1; 1 where there are no rows."""
        total = int(self.widths.sum())
        return self.tokens / total if total else 1.0

    @property
    def samples_per_row(self) -> float:
        """How many samples share a row, on average; 0 where there are no rows."""
        return self.samples / self.rows if self.rows else 0.0


def pack_layouts(config: Config, lengths: ArrayLike, *, evaluation: bool = False) -> tuple[Layout, ...]:
    """Return the ways to lay out samples, the config's own first.

    Parameters
    ----------
    config
        What says how long a row is, how many samples share one, and which way it is.
    lengths
        Tokens of each sample that is kept, in their order; of those looked at so far, where that is not all.
    evaluation
        Whether these are evaluated on.
    """
    sizes = np.asarray(lengths, dtype=np.int64)
    rows = _Rows(config, sizes, evaluation=evaluation)
    current = rows.current
    layouts = [rows.packed("packed"), rows.packed("sequential"), rows.padded()]
    if current == "flattened":
        layouts.append(rows.flattened())
    return tuple(sorted(layouts, key=lambda layout: not layout.current))


def layout_pack(layout: Layout, row: int, samples: Sequence[Sample], *, pad_token_id: int) -> Pack:
    """Return a row as training receives it.

    Parameters
    ----------
    layout, row
        Which row, counted from 0.
    samples
        The samples of that row, in the order of its bin.
    pad_token_id
        The id that fills rows up.
    """
    width = int(layout.widths[row])
    return assemble_pack(samples, range(len(samples)), pad_token_id=pad_token_id, length=width)


class _Rows:
    """Lays samples of some lengths into rows, as `ft_core.train.batches.make_rows` does for each of the ways."""

    def __init__(self, config: Config, sizes: NDArray[np.int64], *, evaluation: bool) -> None:
        self.config, self.sizes, self.evaluation = config, sizes, evaluation
        self.batch_size = (config.eval_batch_size if evaluation else None) or config.micro_batch_size
        self.full = bool(config.pad_to_sequence_len)

    @property
    def current(self) -> Name:
        """The way that the config asks for."""
        config = self.config
        if config.eval_sample_packing if self.evaluation else config.sample_packing:
            return "sequential" if config.sample_packing_sequentially else "packed"
        return "flattened" if config.batch_flattening else "padded"

    def packed(self, name: Literal["packed", "sequential"]) -> Layout:
        layout = self._row_layout()
        put_together = pack_sequentially if name == "sequential" else pack
        packing = put_together(self.sizes, layout.capacity, max_samples=self.config.sample_packing_bin_size)
        # One that is too long for a bin has a row of its own.
        bins = [*packing.bins, *packing.overlong.reshape(-1, 1)]
        order = self._order(len(bins))
        # Packing is of use where rows are full, so a row counts whole where the config does not pad without it.
        full = self.full or name != self.current
        widths = _widths(_held(self.sizes, bins), order, layout.rows, layout.capacity if full else 0)
        return self._layout(name, layout.capacity, bins, widths)

    def _row_layout(self) -> PackLayout:
        """Return the packed rows of a micro-batch; where the config packs nothing, those it would have."""
        config = self.config
        if config.multipack_real_batches is not None:
            return row_layout(config, self.batch_size)
        one_row = config.attn_implementation in ONE_LONG_ROW
        return pack_layout(self.batch_size, config.sequence_len, "varlen" if one_row else "dense")

    def padded(self) -> Layout:
        order = self._order(len(self.sizes), by_length=True)
        least = self.config.sequence_len if self.full and self.current == "padded" else 0
        widths = _widths(self.sizes, order, self.batch_size, least)
        return self._layout(
            "padded", int(widths.max(initial=0)), np.arange(len(self.sizes)).reshape(-1, 1), widths
        )

    def flattened(self) -> Layout:
        order = self._order(len(self.sizes), by_length=True)
        bins = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        least = self.batch_size * self.config.sequence_len if self.full else 0
        widths = np.maximum(_held(self.sizes, bins), least)
        return self._layout("flattened", int(widths.max(initial=0)), bins, widths)

    def _order(self, rows: int, *, by_length: bool = False) -> NDArray[np.int64]:
        """Return the rows in the order of the first epoch."""
        config = self.config
        seed = None if self.evaluation else config.seed
        grouped = None
        if by_length and config.group_by_length and not self.evaluation:
            grouped = ByLength(self.sizes, self.batch_size * config.gradient_accumulation_steps)
        whole = PackOrder(rows, max(rows, 1), rank=0, world_size=1, seed=seed, by_length=grouped)
        return np.array(next(whole.batches(0), []), np.int64)

    def _layout(
        self,
        name: Name,
        capacity: int,
        bins: Sequence[NDArray[np.int64]] | NDArray[np.int64],
        widths: NDArray[np.int64],
    ) -> Layout:
        return Layout(
            name, name == self.current, capacity, len(self.sizes), int(self.sizes.sum()), bins, widths
        )


def _held(sizes: NDArray[np.int64], bins: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return the tokens of the samples of each bin."""
    if not bins:
        return np.zeros(0, np.int64)
    counts = np.fromiter(map(len, bins), np.int64, len(bins))
    return np.add.reduceat(sizes[np.concatenate(bins)], np.cumsum(counts) - counts)


def _widths(
    held: NDArray[np.int64], order: NDArray[np.int64], batch_size: int, least: int
) -> NDArray[np.int64]:
    """Return how long rows become: as the longest of their micro-batch, and `least` at the least.

    >>> _widths(np.array([3, 7, 5]), np.array([2, 0, 1]), batch_size=2, least=0).tolist()
    [5, 7, 5]
    """
    widths = np.empty_like(held)
    if len(held):
        starts = np.arange(0, len(order), batch_size)
        longest = np.maximum(np.maximum.reduceat(held[order], starts), least)
        widths[order] = np.repeat(longest, batch_size)[: len(order)]
    return widths
