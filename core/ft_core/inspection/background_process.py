"""A process that goes through a share of the rows, and tells what it finds batch by batch.

It opens the rows and loads the tokenizer itself, so the notebook's own process only receives a few numbers. It ends when its
parent closes the connection, or is gone; interrupts of the terminal are its parent's to obey.
"""

from __future__ import annotations

import gc
import os
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ft_core.errors import DataError, FtError
from ft_core.inspection.lines import open_lines
from ft_core.inspection.look import DatasetLook
from ft_core.inspection.parity import parity_check
from ft_core.inspection.rows import Batch, RowList, batches
from ft_core.inspection.scanner import PlacedRow, Scanner
from ft_core.inspection.search import line_matcher, matcher
from ft_core.models.kept_tokenizer import open_tokenizer

if TYPE_CHECKING:
    from ft_core.config import Config

PassName = Literal["scan", "search", "parity"]

_NICENESS = 10
"""By how much the process gives way to the notebook's."""


@dataclass(frozen=True)
class Share:
    """What one process does.

    Attributes
    ----------
    name
        Which pass.
    config
        Whose rows; none of its datasets is a variable of the notebook.
    number, processes
        It takes every batch whose number leaves `number` when divided by `processes`.
    names
        What the notebook calls the files that stand for its variables, by their paths.
    text
        What is searched.
    """

    name: PassName
    config: Config
    number: int
    processes: int
    names: Mapping[str, str]
    text: str = ""


@dataclass(frozen=True)
class Frame:
    """What a batch gave: its places ``[first, stop)``, and what the pass makes of them."""

    first: int
    stop: int
    found: Any


def main(descriptor: int) -> None:
    """Serve the connection at a file descriptor: receive a `Share`, send a `Frame` for each batch, and None at the end.

    An error that ends the pass is sent instead.
    """
    # As many of these processes run as there are cores.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    os.nice(_NICENESS)
    with Connection(descriptor) as connection:
        try:
            share: Share = connection.recv()
            threading.Thread(target=_end_with_parent, args=(connection,), daemon=True).start()
            try:
                for frame in _frames(share):
                    connection.send(frame)
                connection.send(None)
            except FtError as error:
                connection.send(_renamed(error, share.names))
            except OSError:
                raise
            except Exception as error:  # noqa: BLE001 - a fault of ours or of a library; the server's log has it whole
                traceback.print_exc()
                reason = (str(error).strip().splitlines() or [""])[0]
                connection.send(DataError(f"The pass ended by {type(error).__name__}: {reason}"))
        except (EOFError, OSError):
            return


def _end_with_parent(connection: Connection) -> None:
    """End this process when the other end of the connection is closed, whatever it is at."""
    try:
        connection.poll(None)
    finally:
        os._exit(0)


def _frames(share: Share) -> Iterator[Frame]:
    rows = RowList(share.config)
    find = _PASSES[share.name](share, rows)
    # What was imported stays; to look through it again and again would take a tenth of the time.
    gc.freeze()
    for batch in batches(rows)[share.number :: share.processes]:
        yield Frame(batch.first, batch.stop, find(batch))


Find = Callable[[Batch], Any]


def _scan(share: Share, rows: RowList) -> Find:
    tokenizer = open_tokenizer(share.config)
    scanners = [Scanner(DatasetLook(share.config, each.dataset, tokenizer)) for each in rows.datasets]
    reader = _Reader(rows)

    def find(batch: Batch) -> Any:
        scanned = scanners[batch.dataset].scan(reader.rows(batch))
        told = tuple((place, _renamed(error, share.names)) for place, error in scanned.broken)
        return replace(scanned, broken=told)

    return find


def _renamed(error: FtError, names: Mapping[str, str]) -> FtError:
    """Return an error in whose message variables have their own names."""
    message = error.message
    for path, name in names.items():
        message = message.replace(path, name)
    return DataError(message, error.fix)


def _search(share: Share, rows: RowList) -> Find:
    holds, may_hold = matcher(share.text), line_matcher(share.text)
    reader = _Reader(rows)

    def find(batch: Batch) -> Any:
        given = reader.rows(batch, may_hold)
        places = [place for place, row in given.items() if not isinstance(row, FtError) and holds(row[1])]
        return np.array(places, np.int32)

    return find


def _parity(share: Share, rows: RowList) -> Find:
    tokenizer = open_tokenizer(share.config)
    looks = [DatasetLook(share.config, each.dataset, tokenizer) for each in rows.datasets]
    reader = _Reader(rows)
    checks = [parity_check(share.config, tokenizer, each.dataset) for each in rows.datasets]

    def find(batch: Batch) -> Any:
        look, check = looks[batch.dataset], checks[batch.dataset]
        differing: dict[int, tuple[str, str]] = {}
        for place, given in reader.rows(batch).items():
            if isinstance(given, FtError):
                continue
            # A row that is no sample is told by the other pass.
            with suppress(FtError):
                [sample, *_] = look.samples(*given, list)
                turns = check(given[1], sample).turns
                if first := next((turn for turn in turns if not turn.equal), None):
                    differing[place] = (first.cause, first.fix)
        return differing

    return find


class _Reader:
    """Reads the rows of batches."""

    def __init__(self, rows: RowList) -> None:
        self._rows = rows
        self._lines = [open_lines(each.dataset) for each in rows.datasets]

    def rows(
        self, batch: Batch, may_matter: Callable[[bytes], bool] | None = None
    ) -> dict[int, PlacedRow | FtError]:
        """Return the rows of a batch by their places, or why each cannot be read.

        Of a file of lines, only those rows whose line `may_matter`.
        """
        lines, first = self._lines[batch.dataset], self._rows.datasets[batch.dataset].first
        raw = lines.raw(batch.first - first, batch.stop - first) if lines else None
        if lines is not None and raw is not None:
            return {
                place: lines.parse(line, place - first)
                for place, line in enumerate(raw, batch.first)
                if may_matter is None or may_matter(line)
            }
        given: dict[int, PlacedRow | FtError] = {}
        for place in range(batch.first, batch.stop):
            try:
                given[place] = self._rows.row(place)
            except FtError as error:  # noqa: PERF203 - a batch is a few hundred rows
                given[place] = error
        return given


_PASSES: dict[PassName, Callable[[Share, RowList], Find]] = {
    "scan": _scan,
    "search": _search,
    "parity": _parity,
}
