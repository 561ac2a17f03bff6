"""A run, as its readers see it."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ft_core.errors import RunError
from ft_core.runs.control import end_now, request
from ft_core.runs.disk import told_as
from ft_core.runs.events import Event, last_event, read_events
from ft_core.runs.log import log_tail
from ft_core.runs.metrics import Rows, add_events, table
from ft_core.runs.paths import CONFIG, EVENTS, FINAL, PLAN
from ft_core.runs.status import Status, read_status

if TYPE_CHECKING:
    import pandas as pd

POLL = 0.2
"""Seconds between two looks while waiting."""


@dataclass(frozen=True)
class Failure:
    """Why a run ended badly. `traceback` is None for a user's mistake."""

    message: str
    fix: str = ""
    traceback: str | None = None


class Run:
    """A run directory: what it is, was told, did and does. Nothing is kept open.

    Parameters
    ----------
    directory
        The run's directory; `open_run` finds one by name and says what is wrong with a bad one.
    """

    def __init__(self, directory: Path | str) -> None:
        self.directory = Path(directory).absolute()
        self._rows: Rows = {}
        self._offset = 0
        self._rows_of: float | None = None

    def __repr__(self) -> str:
        return f"<Run {self.name!r}: {self.summary()}>"

    @property
    def name(self) -> str:
        """The name of its directory."""
        return self.directory.name

    def status(self) -> Status:
        """Return what the run is doing, judged by its file and its processes; never raises for a bad file."""
        return read_status(self.directory)

    @property
    def state(self) -> str:
        """``starting``, ``running``, ``stopping``; ``completed``, ``stopped``, ``failed``; ``lost``, ``damaged``."""
        return self.status().state

    @property
    def alive(self) -> bool:
        """Whether the run is still going on."""
        return self.status().alive

    @property
    def started(self) -> float:
        """When the run was created, seconds since the epoch; of a damaged run, when its directory changed."""
        return self.status().started

    @property
    def ended(self) -> float | None:
        """When it ended, seconds since the epoch (of a lost run, its last heartbeat); None while it is alive."""
        return self.status().ended

    @property
    def config_text(self) -> str:
        """The YAML as it was given."""
        with self._reading(CONFIG) as path:
            return path.read_bytes().decode("utf-8")

    @property
    def plan(self) -> dict[str, Any]:
        """What the run was going to do."""
        with self._reading(PLAN) as path:
            text = path.read_bytes()
        try:
            return cast("dict[str, Any]", json.loads(text))
        except ValueError as error:
            raise RunError(f"{self.directory / PLAN} is not valid JSON.") from error

    @property
    def final(self) -> Path:
        """Where the tuned model or adapter is once the run has completed."""
        return self.directory / FINAL

    def events(self, offset: int = 0) -> tuple[list[Event], int]:
        """Return the events after byte `offset` and the offset to go on from; [] and 0 where there are none yet."""
        with self._reading(EVENTS):
            return read_events(self.directory, offset)

    @property
    def metrics(self) -> pd.DataFrame:
        """One row a step: epoch, loss, learning_rate, grad_norm, tokens_per_second, eval_loss. Reads what is new."""
        started = self.started
        if started != self._rows_of:
            # Another run has taken this name. Its file may even have the old one's inode.
            self._rows, self._offset, self._rows_of = {}, 0, started
        events, self._offset = self.events(self._offset)
        add_events(self._rows, events)
        return table(self._rows)

    @property
    def error(self) -> Failure | None:
        """Why the run failed, was lost or cannot be read; None for any other."""
        status = self.status()
        if status.state == "failed":
            event = last_event(self.directory, "error") or {}
            return Failure(status.message, status.fix, event.get("traceback"))
        if status.state in ("lost", "damaged"):
            return Failure(status.message, status.fix)
        return None

    def log_tail(self, lines: int = 50) -> str:
        """Return the last `lines` lines that the run printed, as a terminal would show them."""
        with self._reading("log.txt"):
            return log_tail(self.directory, lines)

    def stop(self, now: bool = False) -> None:
        """Ask the run to finish its step, save and end; or end its processes at once. Nothing if it has ended.

        Parameters
        ----------
        now
            End every process (SIGTERM, 5 s later SIGKILL); what the last checkpoint saved stays.

        Raises
        ------
        RunError
            The processes cannot be ended from here, or the disk refused.
        """
        if now:
            end_now(self.directory)
        elif self.alive:
            request(self.directory, "stop")

    def checkpoint(self) -> None:
        """Ask the run to save a checkpoint at the end of its step.

        Raises
        ------
        RunError
            The run is no longer alive, or the disk refused.
        """
        if not self.alive:
            raise RunError(f"Run '{self.name}' can save no checkpoint: {self.summary()}.")
        request(self.directory, "checkpoint")

    def wait(self, timeout: float | None = None) -> str:
        """Block until the run is no longer alive and return its state. An interrupt ends the wait, not the run.

        Raises
        ------
        TimeoutError
            It is still alive after `timeout` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while (status := self.status()).alive:
            if until is not None and time.monotonic() >= until:
                raise TimeoutError(f"run '{self.name}' is still {status.state} after {timeout:g} s")
            time.sleep(POLL)
        return status.state

    def delete(self) -> None:
        """Delete the run with everything in it.

        Raises
        ------
        RunError
            It is alive, or processes of it are left.
        """
        from ft_core.runs.create import delete_run

        delete_run(self.directory)

    def summary(self) -> str:
        """Return the state in words: ``completed 3 minutes ago, step 100 of 100``."""
        status = self.status()
        if status.state == "damaged":
            return f"damaged, {status.message.rstrip('.')}"
        when = status.ended if status.ended is not None else status.started
        verb = f"{status.state}, started" if status.alive else status.state
        steps = f", step {status.step} of {status.total_steps}" if status.total_steps else ""
        return f"{verb} {ago(time.time() - when)}{steps}"

    @contextmanager
    def _reading(self, file: str) -> Generator[Path]:
        path = self.directory / file
        with told_as("read", path):
            yield path


def ago(seconds: float) -> str:
    """Return a duration up to now in words.

    >>> ago(3), ago(90), ago(7200), ago(200000)
    ('just now', '1 minute ago', '2 hours ago', '2 days ago')
    """
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= size:
            count = int(seconds // size)
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"
