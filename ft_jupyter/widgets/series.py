"""Numbers of a run as columns: read from its events, thinned for a chart, packed for the page.

A chart is a few hundred pixels wide, a run may have 100,000 steps. Thinning cuts the steps into equal buckets and
keeps, of each bucket, the rows where some column is smallest or largest, so that no spike is lost.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

STEP_COLUMNS = (
    "step",
    "loss",
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    "gpu_memory",
    "rewards/margins",
    "rewards/accuracies",
)
EVAL_COLUMNS = ("step", "loss")

POINT_LIMIT = 5000
"""Most points a trace of a snapshot has; beyond it a browser's redraw is felt."""


class Series:
    """Float32 columns of equal length; a value that is missing or not finite is NaN.

    Parameters
    ----------
    columns
        Names of the event's fields, the first is the x axis.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self._values = [array("f") for _ in columns]

    def __len__(self) -> int:
        return len(self._values[0])

    def append(self, event: Mapping[str, object]) -> bool:
        """Add one event's fields as a row.

        Returns
        -------
        Whether rows were dropped first: a resumed run takes the steps after its checkpoint again, and the later
        numbers replace the earlier ones.
        """
        row = [_float(event.get(name)) for name in self.columns]
        axis = self._values[0]
        kept = len(axis)
        while kept and axis[kept - 1] >= row[0]:
            kept -= 1
        rewound = kept < len(axis)
        for values, value in zip(self._values, row, strict=True):
            del values[kept:]
            values.append(value)
        return rewound

    def table(self, start: int = 0) -> NDArray[np.float32]:
        """Return a copy of the rows from `start` on, shape [columns, rows]."""
        return np.array([values[start:] for values in self._values], dtype="<f4")

    def column(self, name: str) -> NDArray[np.float32]:
        """Return a copy of one column, shape [rows]."""
        return np.array(self._values[self.columns.index(name)], dtype="<f4")


def _float(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")


def thin(table: NDArray[np.float32], limit: int = POINT_LIMIT) -> NDArray[np.float32]:
    """Return at most `limit` of the rows, with every column's extremes, the first and the last row.

    Parameters
    ----------
    table
        Shape [columns, rows]; the first column is the x axis.
    limit
        Rows wanted at most; at least two for each value column, and two more.

    Returns
    -------
    Array of shape [columns, kept], in the order of `table`; `table` itself where it is short enough.

    Examples
    --------
    >>> spike = np.array([[1, 2, 3, 4, 5, 6, 7, 8], [9, 5, 5, 7, 5, 5, 0, 5]], dtype="f4")
    >>> thin(spike, 6)[0].astype(int).tolist()
    [1, 2, 5, 7, 8]
    """
    columns, rows = table.shape
    if rows <= limit:
        return table
    buckets = max(1, (limit - 2) // (2 * (columns - 1)))
    edges = np.linspace(0, rows, buckets + 1).astype(int)
    keep = {0, rows - 1}
    for values in table[1:]:
        # NaN (a step without the value) must neither win nor poison its bucket.
        low = np.where(np.isnan(values), np.inf, values)
        high = np.where(np.isnan(values), -np.inf, values)
        for start, end in pairwise(edges.tolist()):
            keep.add(int(start + low[start:end].argmin()))
            keep.add(int(start + high[start:end].argmax()))
    return table[:, sorted(keep)]


def buffers(*tables: NDArray[np.float32]) -> list[bytes]:
    """Return one little-endian float32 buffer for each column of each table, as widget messages carry them."""
    return [column.astype("<f4").tobytes() for table in tables for column in table]
