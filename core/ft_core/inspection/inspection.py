"""Everything there is to ask about a config's data, in one object.

From any thread: the passes work in processes of their own, and what they found so far is told when it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_core.data.packing_rows import Pack
from ft_core.data.sample import Sample
from ft_core.errors import DataError
from ft_core.inspection.background import Pass
from ft_core.inspection.background_process import PassName
from ft_core.inspection.finding import Finding
from ft_core.inspection.job import Job
from ft_core.inspection.look import Looked, Looker
from ft_core.inspection.marks import evaluates
from ft_core.inspection.packing import Layout, layout_pack, pack_layouts
from ft_core.inspection.parity import Check, Parity, parity_check
from ft_core.inspection.results import Known, Results
from ft_core.inspection.rows import RowList
from ft_core.inspection.scan import Columns, ScanTable
from ft_core.inspection.summary import Summary
from ft_core.inspection.what_if import changed
from ft_core.models.kept_tokenizer import open_tokenizer
from ft_core.models.tokenizer import pad_token_id

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

ORDERS = ("longest", "random")
"""What rows may be listed by besides their flags."""

FRESH = 1.0
"""Seconds that what was found may be old while a pass goes on; or ten times as long as it takes to work out."""


@dataclass(frozen=True, eq=False)
class Packed:
    """The samples that training takes, so far, and the ways to lay them into rows.

    Attributes
    ----------
    layouts
        The config's own first; their bins hold indices into `samples`.
    samples
        In the order of their places.
    """

    layouts: tuple[Layout, ...]
    samples: Columns


def open_inspection(config: Config) -> Inspection:
    """Return what answers questions about the data of `config`; no tokenizer is loaded yet.

    Raises
    ------
    DataError, MissingExtra
        A dataset is not there, or cannot be read.
    """
    return Inspection(config, RowList(config))


class Inspection:
    """The data of a config; `close` it to end what goes on.

    Parameters
    ----------
    config, rows
        The config, and the rows of its datasets.
    """

    def __init__(self, config: Config, rows: RowList) -> None:
        self.config, self.rows = config, rows
        # A tokenizer serves one thread at a time: the options of a call are set on it.
        self._loading, self._tokenizing = Lock(), Lock()
        self._working, self._passing = Lock(), Lock()
        self._passes: dict[PassName, Pass] = {}
        self._table = ScanTable()
        self._matches: list[NDArray[np.int32]] = []
        self._differing: dict[int, tuple[str, str]] = {}
        self._results = Results(config, rows.datasets, self._table.columns(), self._table.totals, {})
        self._version = (id(self._table), 0, 0)
        self._old_at = 0.0

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, opened when it is first needed: seconds where it is not kept yet, most of it for the libraries.

        Raises
        ------
        ModelError, MissingExtra
            As `ft_core.models.kept_tokenizer.open_tokenizer`.
        """
        with self._loading:
            return self._tokenizer

    @cached_property
    def _tokenizer(self) -> PreTrainedTokenizerBase:
        return open_tokenizer(self.config)

    @cached_property
    def _looker(self) -> Looker:
        return Looker(self.config, self.tokenizer, self.rows)

    @cached_property
    def _checks(self) -> list[Check]:
        return [parity_check(self.config, self.tokenizer, each.dataset) for each in self.rows.datasets]

    def look(self, place: int) -> Looked:
        """Return a row and its samples; one that is none comes with its error, which is not raised.

        Raises
        ------
        ModelError, MissingExtra
            There is no tokenizer.
        """
        with self._tokenizing:
            return self._looker.look(place)

    def parity(self, place: int, ordinal: int = 0) -> Parity:
        """Return the prompts of a chat beside the training ids, for each answer of a sample.

        Raises
        ------
        FtError
            The row is no sample.
        """
        looked = self.look(place)
        if looked.error is not None:
            raise looked.error
        assert looked.row is not None
        dataset = self.rows.datasets[looked.dataset].dataset
        return parity_check(self.config, self.tokenizer, dataset)(looked.row, looked.samples[ordinal].sample)

    # The passes.

    def start_scan(self) -> None:
        """Begin to look at all rows, unless that goes on or is done; what was found of a cancelled pass is kept."""
        with self._passing:
            if self.jobs["scan"].state in ("running", "done"):
                return
            self._table = ScanTable()
            self._begin("scan", self._table.add)

    def start_search(self, text: str) -> None:
        """Begin to look for rows that hold `text`; an earlier search ends. An empty text only ends it."""
        with self._passing:
            if before := self._passes.pop("search", None):
                before.cancel()
            matches: list[NDArray[np.int32]] = []
            self._matches = matches
            if text:
                self._begin("search", lambda _, places: matches.append(places), text)

    def start_parity(self) -> None:
        """Begin to compare the prompts of all rows, unless that goes on or is done."""
        with self._passing:
            if self.jobs["parity"].state in ("running", "done"):
                return
            differing: dict[int, tuple[str, str]] = {}
            self._differing = differing
            self._begin("parity", lambda _, found: differing.update(found))

    def _begin(self, name: PassName, receive: Callable[[int, Any], None], text: str = "") -> None:
        self._passes[name] = Pass(name, self.config, len(self.rows), receive, text)

    def cancel(self, name: PassName) -> None:
        """End a pass; what it found stays."""
        if going := self._passes.get(name):
            going.cancel()

    def wait(self, name: PassName, timeout: float | None = None) -> Job:
        """Wait until a pass has ended, and return how."""
        return self._passes[name].wait(timeout)

    @property
    def jobs(self) -> dict[PassName, Job]:
        """How far each pass is."""
        names: tuple[PassName, ...] = ("scan", "search", "parity")
        return {
            name: going.job if (going := self._passes.get(name)) else Job(total=len(self.rows))
            for name in names
        }

    def close(self) -> None:
        """End all passes."""
        for going in list(self._passes.values()):
            going.cancel()

    # What they found.

    @property
    def results(self) -> Results:
        """What was found so far; at most `FRESH` seconds old while a pass goes on."""
        with self._working:
            table, differing = self._table, dict(self._differing)
            version = (id(table), table.version, len(differing))
            going = any(job.state == "running" for job in self.jobs.values())
            if version == self._version or (going and time.monotonic() < self._old_at):
                return self._results
            began = time.monotonic()
            results = Results(self.config, self.rows.datasets, table.columns(), table.totals, differing)
            _ = results.counts, results.summary, results.findings
            took = time.monotonic() - began
            self._results, self._version = results, version
            self._old_at = began + max(FRESH, 10 * took)
            return results

    @property
    def counts(self) -> dict[str, int]:
        """How many rows have each flag so far."""
        return self.results.counts

    @property
    def summary(self) -> Summary | None:
        """The figures so far; None before anything was looked at."""
        return self.results.summary

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong or suspicious so far, worst first."""
        return self.results.findings

    def known(self, place: int) -> Known | None:
        """Return what the pass found of a row, None where it was not there yet."""
        return self.results.of_place(place)

    @property
    def matches(self) -> NDArray[np.int32]:
        """The places that the search found so far, ascending."""
        found = list(self._matches)
        return np.sort(np.concatenate(found)) if found else np.zeros(0, np.int32)

    def places(self, name: str | None) -> NDArray[np.int32]:
        """Return the places of a list: of all rows, of those with a flag, or all in one of the `ORDERS`.

        Those that a pass has not reached are in the list of all rows, and of ``random`` ones.
        """
        if name is None:
            return np.arange(len(self.rows), dtype=np.int32)
        if name == "random":
            return np.random.default_rng(self.config.seed).permutation(len(self.rows)).astype(np.int32)
        return self.results.longest if name == "longest" else self.results.places(name)

    # How samples share rows.

    def packing(self) -> Packed:
        """Return the ways to lay the samples for training into rows, of those that a pass has reached."""
        columns = self.results.columns
        kept = columns.part((columns.dropped == 0) & ~evaluates(columns, self.rows.datasets))
        return Packed(pack_layouts(self.config, kept.length), kept)

    def pack(self, packed: Packed, layout: Layout, row: int) -> Pack:
        """Return a row of a layout as training receives it.

        Raises
        ------
        DataError
            A row was changed since the pass read it.
        """
        samples = [self._sample(packed.samples, int(index)) for index in layout.bins[row]]
        return layout_pack(layout, row, samples, pad_token_id=pad_token_id(self.tokenizer))

    def _sample(self, columns: Columns, index: int) -> Sample:
        place, ordinal = int(columns.place[index]), int(columns.ordinal[index])
        samples = self.look(place).samples
        if ordinal >= len(samples) or len(samples[ordinal].sample) != int(columns.length[index]):
            raise DataError(f"Row {place + 1} was changed since it was looked at.", "Inspect the data again.")
        return samples[ordinal].sample

    def changed(self, changes: Any) -> Inspection:
        """Return an inspection of the same rows with other values in the config; nothing is looked at yet.

        Raises
        ------
        ConfigError
            As `ft_core.inspection.what_if.changed`.
        """
        config = changed(self.config, changes)
        other = Inspection(config, self.rows.of_config(config))
        if "_tokenizer" in vars(self):
            # Loading one may take seconds, and no key that can be tried out says which it is.
            other._tokenizer = self._tokenizer
        return other
