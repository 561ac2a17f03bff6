"""What a config says of packed rows: how many samples share one, how long it is, and which lie together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from ft_core.data.packing import Packing, pack, pack_sequentially
from ft_core.data.packing_rows import PackLayout, pack_layout

if TYPE_CHECKING:
    from ft_core.config import Config


def row_layout(config: Config, batch_size: int) -> PackLayout:
    """Return the packed rows of a micro-batch of `batch_size` times sequence_len tokens.

    >>> from types import SimpleNamespace
    >>> row_layout(SimpleNamespace(sequence_len=512, multipack_real_batches=True), 4)
    PackLayout(rows=4, capacity=512)
    >>> row_layout(SimpleNamespace(sequence_len=512, multipack_real_batches=False), 4)
    PackLayout(rows=1, capacity=2048)
    """
    attention = "dense" if config.multipack_real_batches else "varlen"
    return pack_layout(batch_size, config.sequence_len, attention)


def pack_lengths(config: Config, lengths: ArrayLike, batch_size: int) -> Packing:
    """Return which samples lie together, by their lengths in tokens, in rows for micro-batches of `batch_size`."""
    capacity = row_layout(config, batch_size).capacity
    put_together = pack_sequentially if config.sample_packing_sequentially else pack
    return put_together(lengths, capacity, max_samples=config.sample_packing_bin_size)
