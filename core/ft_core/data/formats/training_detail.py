"""Which characters of a message are trained on, where the data say so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from ft_core.data.encode import Encoded
from ft_core.data.marks import Found
from ft_core.errors import DataError

# Of a token that a detail cuts in two: how many of its characters the detail must hold to take it whole, as in Axolotl.
_ENOUGH = 2


@dataclass(frozen=True)
class Detail:
    """The characters ``[start, end)`` of a text, and whether they are trained on."""

    start: int
    end: int
    train: bool


def read_details(value: object, where: str) -> tuple[Detail, ...]:
    """Return the details that a message lists: ``begin_offset``, ``end_offset`` (the last character), ``train``.

    >>> read_details([{"begin_offset": 0, "end_offset": 14, "train": False}], "'train_detail'")
    (Detail(start=0, end=15, train=False),)

    Raises
    ------
    DataError
        It is no such list.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise DataError(f"{where} must be a list of begin_offset, end_offset and train, not {value!r}.")
    return tuple(_read_detail(item, where) for item in value)


def trained_stretches(
    found: Found, details: Sequence[Detail], encoded: Encoded
) -> list[tuple[int, int, bool]] | None:
    """Return the characters of a located text that are trained, and those that are not, in order and without gap.

    A token is trained with a detail that holds all of it, or two of its characters. Where a token is taken whole its
    neighbours' characters are part of the stretch, so stretches end where tokens end.

    Parameters
    ----------
    found
        Where the text is in the rendered conversation.
    details
        Of that text. Characters in none of them are not trained.
    encoded
        The rendered conversation in tokens.

    Returns
    -------
    list or None
        None where the template changed the text, so that a detail has no place in it.
    """
    if not found.stretches:
        return None
    ranges: list[tuple[int, int]] = []
    for detail in details:
        if not detail.train:
            continue
        placed = [
            (stretch.at + max(detail.start, stretch.start) - stretch.start,
             stretch.at + min(detail.end, stretch.end) - stretch.start)
            for stretch in found.stretches
            if max(detail.start, stretch.start) < min(detail.end, stretch.end)
        ]  # fmt: skip
        ranges += placed
    first = np.searchsorted(encoded.ends, found.start, side="right")
    last = np.searchsorted(encoded.starts, found.end, side="left")
    tokens = zip(
        np.maximum(encoded.starts[first:last], found.start).tolist(),
        np.minimum(encoded.ends[first:last], found.end).tolist(),
        strict=True,
    )
    flags = [(start, end, _is_trained(start, end, ranges)) for start, end in tokens]
    stretches: list[tuple[int, int, bool]] = []
    position = found.start
    for train, run in groupby(flags, key=lambda flag: flag[2]):
        end = max(flag[1] for flag in run)
        if position < end:
            stretches.append((position, end, train))
            position = end
    return stretches


def _is_trained(start: int, end: int, ranges: Sequence[tuple[int, int]]) -> bool:
    """Return whether one of `ranges` holds the token ``[start, end)``, or enough of it."""
    return any(
        (low <= start and end <= high) or min(end, high) - max(start, low) >= _ENOUGH for low, high in ranges
    )


def _read_detail(item: Any, where: str) -> Detail:
    if not isinstance(item, Mapping):
        raise DataError(f"{where} must hold objects with begin_offset, end_offset and train, not {item!r}.")
    begin, end = (_read_offset(item, name, where) for name in ("begin_offset", "end_offset"))
    if end < begin:
        raise DataError(f"{where}: end_offset {end} is before begin_offset {begin}.")
    if item.get("train") not in (True, False):
        raise DataError(f"{where}: 'train' must be true or false, not {item.get('train')!r}.")
    return Detail(begin, end + 1, bool(item["train"]))


def _read_offset(item: Mapping[str, Any], name: str, where: str) -> int:
    offset = item.get(name)
    if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        raise DataError(f"{where}: '{name}' must be the number of a character, from 0, not {offset!r}.")
    return offset
