"""One thing that is wrong or suspicious with a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_core.inspection.flags import Flag, Severity

FIRST = 50
"""How many places a finding names."""


@dataclass(frozen=True)
class Finding:
    """Something that a data engineer wants to be told.

    Attributes
    ----------
    name, title, severity
        As of `ft_core.inspection.flags.Flag`.
    count, share
        How many rows, and what share of those looked at.
    reason, fix
        Why, and what to write or do, as sentences.
    places
        The first of its rows.
    flag
        The name of the flag whose rows these are, None where it is about the whole set.
    """

    name: str
    title: str
    severity: Severity
    count: int
    share: float
    reason: str
    fix: str
    places: tuple[int, ...]
    flag: str | None


def flag_finding(flag: Flag, places: NDArray[np.int32], rows: int, reason: str, fix: str) -> Finding:
    """Return what the rows of a flag are told as; `rows` is how many were looked at."""
    return _finding(flag.name, flag.title, flag.severity, places, rows, reason, fix, flag.name)


def set_finding(
    name: str, title: str, severity: Severity, places: NDArray[np.int32], rows: int, reason: str, fix: str
) -> Finding:
    """Return what is about the whole set."""
    return _finding(name, title, severity, places, rows, reason, fix, None)


def _finding(
    name: str,
    title: str,
    severity: Severity,
    places: NDArray[np.int32],
    rows: int,
    reason: str,
    fix: str,
    flag: str | None,
) -> Finding:
    count = len(places)
    first = tuple(places[:FIRST].tolist())
    return Finding(name, title, severity, count, count / max(rows, 1), reason, fix, first, flag)
