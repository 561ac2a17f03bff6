"""A set in figures: how long its samples are, what of them is trained, and what is left out."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_core.data.row_packing import pack_lengths
from ft_core.inspection.scan import Columns, Scanned, reasons

if TYPE_CHECKING:
    from ft_core.config import Config

BARS = 40
"""Bars of the histogram, about."""


@dataclass(frozen=True)
class RoleTokens:
    """The tokens of a role, and those of them that are trained."""

    role: str
    tokens: int
    trained: int


@dataclass(frozen=True)
class Dropped:
    """How many samples training leaves out, and why."""

    reason: str
    samples: int


@dataclass(frozen=True)
class Summary:
    """What a pass found, in figures.

    Attributes
    ----------
    samples, tokens, trained
        Samples in all, their tokens, and those of these that have a label.
    kept
        Samples that training takes.
    longest
        Tokens of the longest sample.
    edges, counts
        How many samples have a length in ``[edges[n], edges[n + 1])``; one edge more than there are counts.
    roles
        Who speaks how much, most first.
    dropped
        What is left out, most first.
    fill, packed_rows
        How full the packed rows of the kept samples are, and how many there are; None where nothing is packed.
    """

    samples: int
    tokens: int
    trained: int
    kept: int
    longest: int
    edges: tuple[int, ...]
    counts: tuple[int, ...]
    roles: tuple[RoleTokens, ...]
    dropped: tuple[Dropped, ...]
    fill: float | None
    packed_rows: int | None


def summarize(config: Config, columns: Columns, totals: Scanned) -> Summary:
    """Return what a pass found so far, in figures.

    Parameters
    ----------
    config
        Whose rows these are.
    columns, totals
        As of `ft_core.inspection.scan.ScanTable`.
    """
    real = columns.length > 0
    lengths = columns.length[real]
    kept = columns.length[columns.dropped == 0]
    edges, counts = histogram(lengths)
    fill, rows = _packed(config, kept)
    why = Counter(columns.dropped[columns.dropped > 0].tolist())
    names = reasons(config)
    return Summary(
        samples=int(np.count_nonzero(real)),
        tokens=int(lengths.sum(dtype=np.int64)),
        trained=int(columns.trained.sum(dtype=np.int64)),
        kept=len(kept),
        longest=int(lengths.max(initial=0)),
        edges=edges,
        counts=counts,
        roles=tuple(
            RoleTokens(role, tokens, totals.trained_roles[role])
            for role, tokens in totals.roles.most_common()
        ),
        dropped=tuple(Dropped(names[code], count) for code, count in why.most_common()),
        fill=fill,
        packed_rows=rows,
    )


def histogram(lengths: NDArray[np.int32]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the edges of bars of equal and round width, and how many lengths are in each.

    >>> histogram(np.array([1, 2, 3, 9], np.int32))
    ((1, 2, 3, 4, 5, 6, 7, 8, 9, 10), (1, 1, 1, 0, 0, 0, 0, 0, 1))
    """
    if not len(lengths):
        return (), ()
    low, high = int(lengths.min()), int(lengths.max())
    width = _round_up((high - low + 1) / BARS)
    first = low // width * width
    edges = np.arange(first, high + width + 1, width)
    counts = np.bincount((lengths - first) // width, minlength=len(edges) - 1)
    return tuple(edges.tolist()), tuple(counts.tolist())


def _round_up(width: float) -> int:
    """Return the next of 1, 2, 5, 10, 20, 50, ..."""
    if width <= 1:
        return 1
    scale = 10 ** math.floor(math.log10(width))
    return next(step * scale for step in (1, 2, 5, 10) if step * scale >= width)


def _packed(config: Config, lengths: NDArray[np.int32]) -> tuple[float | None, int | None]:
    if not config.sample_packing or not len(lengths):
        return None, None
    packing = pack_lengths(config, lengths, config.micro_batch_size)
    return packing.fill, len(packing.bins)
