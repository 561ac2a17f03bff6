"""What the passes found so far, as it is told: counts, figures and findings, each worked out when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ft_core.inspection.finding import Finding
from ft_core.inspection.findings import Found, findings
from ft_core.inspection.flags import FLAGS, names_of
from ft_core.inspection.marks import flagged, longest, with_marks
from ft_core.inspection.rows import DatasetRows
from ft_core.inspection.scan import Columns, Scanned
from ft_core.inspection.set_findings import Set
from ft_core.inspection.summary import Summary, summarize

if TYPE_CHECKING:
    from ft_core.config import Config


@dataclass(frozen=True)
class Known:
    """What a pass found of a row: the tokens of its samples, those of them that are trained, and its flags."""

    length: int
    trained: int
    flags: tuple[str, ...]


class Results:
    """What was found at one moment.

    Parameters
    ----------
    config, datasets
        Whose rows, and which places are whose.
    columns, totals
        As of `ft_core.inspection.scan.ScanTable`.
    differing
        By the places whose prompts differ: why, and what to do.
    """

    def __init__(
        self,
        config: Config,
        datasets: Sequence[DatasetRows],
        columns: Columns,
        totals: Scanned,
        differing: Mapping[int, tuple[str, str]],
    ) -> None:
        self._config, self._datasets = config, datasets
        self._totals, self._differing = totals, differing
        self.columns = with_marks(columns, datasets, np.array(sorted(differing), np.int32))

    @cached_property
    def rows(self) -> int:
        """How many rows were looked at."""
        return int(np.count_nonzero(np.diff(self.columns.place, prepend=-1)))

    @cached_property
    def counts(self) -> dict[str, int]:
        """How many rows have each flag, by its name."""
        return {flag.name: len(self.places(flag.name)) for flag in FLAGS}

    @cached_property
    def summary(self) -> Summary | None:
        """The figures; None before the first batch."""
        return summarize(self._config, self.columns, self._totals) if len(self.columns) else None

    @cached_property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong or suspicious, worst first."""
        given = Set(self.columns, self._datasets, self.rows)
        return findings(Found(self._config, given, self._totals, self._differing))

    @cached_property
    def longest(self) -> NDArray[np.int32]:
        """The places by the length of their longest sample, that first."""
        return longest(self.columns)

    def places(self, flag: str) -> NDArray[np.int32]:
        """Return the places of the rows with a flag, ascending."""
        if flag == "prompt_differs":
            # The prompts may be compared without the other pass.
            return np.array(sorted(self._differing), np.int32)
        return flagged(self.columns, flag)

    def of_place(self, place: int) -> Known | None:
        """Return what was found of a row, None where it was not looked at yet."""
        first, stop = np.searchsorted(self.columns.place, (place, place + 1))
        if first == stop:
            return None
        part = self.columns.part(slice(int(first), int(stop)))
        bits = int(np.bitwise_or.reduce(part.flags))
        return Known(int(part.length.sum()), int(part.trained.sum()), names_of(bits))
