"""What can be said of samples only beside all the others: which are equal, and which were found by another pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ft_core.inspection.flags import BIT, FLAGS
from ft_core.inspection.rows import DatasetRows
from ft_core.inspection.scan import Columns


def with_marks(columns: Columns, datasets: Sequence[DatasetRows], differing: NDArray[np.int32]) -> Columns:
    """Return the columns with the flags ``duplicate`` and ``prompt_differs``.

    Parameters
    ----------
    columns
        Of the samples, in the order of their places.
    datasets
        What says which places train and which evaluate: a sample is a duplicate of one for the same purpose.
    differing
        The places whose prompts differ.
    """
    flags = columns.flags.copy()
    evaluated = evaluates(columns, datasets)
    for part in (np.flatnonzero(~evaluated), np.flatnonzero(evaluated)):
        flags[part[_repeated(columns.digest[part], columns.length[part])]] |= np.uint32(BIT["duplicate"])
    if len(differing):
        flags[np.isin(columns.place, differing)] |= np.uint32(BIT["prompt_differs"])
    return replace(columns, flags=flags)


def evaluates(columns: Columns, datasets: Sequence[DatasetRows]) -> NDArray[np.bool_]:
    """Return for each sample whether it is of a dataset for evaluation."""
    first = next((each.first for each in datasets if each.purpose == "evaluate"), None)
    return np.zeros(len(columns), np.bool_) if first is None else columns.place >= first


def places_of(columns: Columns, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Return the places of the chosen samples, ascending, each once."""
    places = columns.place[chosen]
    return places[np.diff(places, prepend=-1) > 0]


def flagged(columns: Columns, name: str) -> NDArray[np.int32]:
    """Return the places of the rows with a flag, ascending."""
    return places_of(columns, (columns.flags & np.uint32(BIT[name])) > 0)


def counts(columns: Columns) -> dict[str, int]:
    """Return for each flag how many rows have it."""
    return {flag.name: len(flagged(columns, flag.name)) for flag in FLAGS}


def longest(columns: Columns) -> NDArray[np.int32]:
    """Return the places by the length of their longest sample, that first."""
    order = np.argsort(-columns.length, kind="stable")
    places = columns.place[order]
    _, first = np.unique(places, return_index=True)
    return places[np.sort(first)]


def _repeated(digests: NDArray[np.uint64], lengths: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return which samples have the digest of an earlier one; an empty one is equal to none."""
    order = np.argsort(digests, kind="stable")
    again = order[1:][digests[order][1:] == digests[order][:-1]]
    return again[lengths[again] > 0]
