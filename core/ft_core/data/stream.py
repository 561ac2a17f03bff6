"""Samples as a stream: rows are read, tokenized and sieved while training, a buffer at a time.

::

    datasets ──windows of rows──> sieve ──> buffer of samples ──shuffled, packed──> rows of a batch
                                               │
                                    a `Place` before and after it

Between two buffers a stream is known by few numbers. Whoever goes on from a checkpoint reads on at the place before the
buffer that was in use, which then holds the same samples again; nothing of what came before it is read or tokenized.
"""

from __future__ import annotations

import copy
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from ft_core.data.arrow import BlockWriter
from ft_core.data.sieve import Sieved, Tally, require_some
from ft_core.data.sources.reading import OnWait
from ft_core.data.stored import SampleTable, StoredSamples
from ft_core.data.streamed_rows import RowStream, Window
from ft_core.data.tokenize import BATCH, NumberedRow
from ft_core.data.workers import sieve_batches
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config


@dataclass(frozen=True)
class Place:
    """Where one rank's stream is, between two buffers.

    Attributes
    ----------
    rows
        How many rows of each dataset lie before it in this pass; None where that was all of them.
    passes
        How often all rows were read.
    buffers
        How many buffers came before.
    tally
        What became of the rows of this rank so far.
    """

    rows: tuple[int | None, ...]
    passes: int = 0
    buffers: int = 0
    tally: Tally = field(default_factory=Tally)

    def to_dict(self) -> dict[str, Any]:
        """Return the place as plain values."""
        tally = {
            "rows": self.tally.rows,
            "samples": self.tally.samples,
            "dropped": dict(self.tally.dropped),
            "rules": dict(self.tally.rules),
            "broken": list(self.tally.broken),
        }
        return {"rows": list(self.rows), "passes": self.passes, "buffers": self.buffers, "tally": tally}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Place:
        """Return the place that `to_dict` gave.

        >>> place = Place((512, None), passes=1, buffers=3)
        >>> Place.from_dict(place.to_dict()) == place
        True
        """
        told = values["tally"]
        tally = Tally(
            told["rows"],
            told["samples"],
            Counter(told["dropped"]),
            Counter(told["rules"]),
            list(told["broken"]),
        )
        return cls(tuple(values["rows"]), values["passes"], values["buffers"], tally)


@dataclass(frozen=True)
class Buffer:
    """Samples that are shuffled and packed together.

    Attributes
    ----------
    samples
        In the order of their rows.
    before, after
        Where the stream was, and is.
    """

    samples: StoredSamples
    before: Place
    after: Place


class SampleStream:
    """The samples of one rank, without end: when all rows were read, they are read again.

    Rows that are to be mixed come from all datasets side by side, a window of each at a time; else from one dataset after
    the other. A buffer ends with a window, so that it holds some samples more than was asked for, and with a pass.

    Parameters
    ----------
    config
        Says which datasets, and how.
    tokenizer
        As `ft_core.models.load_tokenizer` returns it. A copy is used: buffers may be made in a thread of their own.
    rank, world_size
        Which rank this is, of how many.
    processes
        How many processes tokenize each dataset at most, where the config does not say it.
    on_wait
        Is told of downloads.

    Raises
    ------
    DataError, MissingExtra
        A dataset cannot be found.
    """

    def __init__(
        self,
        config: Config,
        tokenizer: PreTrainedTokenizerBase,
        *,
        rank: int = 0,
        world_size: int = 1,
        processes: int = 1,
        on_wait: OnWait | None = None,
    ) -> None:
        self._config = config
        self._tokenizer = copy.deepcopy(tokenizer)
        self._processes = config.dataset_num_proc or processes
        self._closed = Event()
        self._sources = [
            RowStream(
                dataset,
                rank=rank,
                world_size=world_size,
                seed=config.seed,
                size=min(BATCH, config.streaming_multipack_buffer_size),
                skip_broken=config.broken_rows == "skip",
                on_wait=on_wait,
            )
            for dataset in config.datasets
        ]

    @property
    def begin(self) -> Place:
        """Where it begins."""
        return Place((0,) * len(self._sources))

    def close(self) -> None:
        """Let `buffers` end at the next window, in whatever thread it runs."""
        self._closed.set()

    def buffers(self, start: Place) -> Generator[Buffer]:
        """Yield buffers from `start` on; the same buffers for the same place, always.

        Raises
        ------
        DataError
            A row cannot be read or does not fit its type, a sample is too long under ``excess_length_strategy: raise``, or
            a whole pass gave no sample.
        """
        with ExitStack() as resources:
            readers = [
                resources.enter_context(closing(self._sieved(source, rows or 0)))
                for source, rows in zip(self._sources, start.rows, strict=True)
            ]
            place = start
            is_fruitful = any(start.rows)
            while not self._closed.is_set():
                buffer = self._fill(readers, place)
                if self._closed.is_set():
                    return
                is_fruitful = is_fruitful or len(buffer.samples) > 0
                if buffer.after.passes > place.passes:
                    if not is_fruitful:
                        require_some(buffer.after.tally, self._config, "to train on")
                    is_fruitful = False
                if len(buffer.samples):
                    yield buffer
                place = buffer.after

    def _fill(self, readers: Sequence[Iterator[tuple[Window, Sieved | None]]], before: Place) -> Buffer:
        """Return the buffer that begins at `before`."""
        sinks = [pa.BufferOutputStream() for _ in readers]
        writers = [BlockWriter(sink) for sink in sinks]
        rows = list(before.rows)
        tally, fresh = Tally(), Tally()
        tally.add(before.tally)
        size = self._config.streaming_multipack_buffer_size
        while fresh.samples < size and any(row is not None for row in rows) and not self._closed.is_set():
            live = [index for index, row in enumerate(rows) if row is not None]
            # Side by side, or one after the other.
            for index in live if self._config.shuffle_merged_datasets else live[:1]:
                window, sieved = next(readers[index])
                rows[index] = None if window.last else window.end
                if sieved is not None:
                    writers[index].write(sieved.block)
                    fresh.add(sieved.tally)
                if window.skipped is not None:
                    fresh.add_broken(window.skipped)
        tally.add(fresh)
        paths = [dataset.path for dataset in self._config.datasets]
        reasons = [writer.close() for writer in writers]
        tables = [
            SampleTable(sink.getvalue(), why, path)
            for sink, why, path in zip(sinks, reasons, paths, strict=True)
        ]
        ended = all(row is None for row in rows)
        after = Place(
            tuple(0 if ended else row for row in rows),
            before.passes + ended,
            before.buffers + 1,
            tally,
        )
        return Buffer(StoredSamples(tables), before, after)

    def _sieved(self, source: RowStream, start: int) -> Generator[tuple[Window, Sieved | None]]:
        """Yield the windows of pass after pass, each with what is kept of its rows; None where this rank has none there."""
        # Rows may be read ahead of what is sieved.
        ahead: deque[Window] = deque()

        def batches() -> Iterator[Sequence[NumberedRow]]:
            at = start
            while True:
                found = at > 0
                broken: list[str] = []
                for window in source.windows(at):
                    ahead.append(window)
                    if window.rows:
                        found = True
                        yield window.rows
                    elif window.skipped:
                        broken += window.skipped.first
                if not found:
                    raise _without_rows(source, broken)
                at = 0

        sieve = sieve_batches(
            self._config, self._tokenizer, source.dataset, batches(), processes=self._processes
        )
        with closing(sieve) as results:
            for sieved in results:
                while not ahead[0].rows:
                    yield ahead.popleft(), None
                yield ahead.popleft(), sieved


def _without_rows(source: RowStream, broken: Sequence[str]) -> DataError:
    """Return the error for a dataset of which this rank has no row in a whole pass."""
    path = source.dataset.path
    if broken:
        return DataError(
            f"There are no rows in '{path}': all are broken, such as {broken[0]}.", "Mend the file."
        )
    return DataError(
        f"No row of '{path}' is left for rank {source.rank} of {source.world_size}.",
        "Train on fewer ranks, raise weight, or do without streaming.",
    )
