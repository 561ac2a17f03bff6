"""How a run is drawn while it is followed: a progress bar in a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from ft_core.cli.lines import line_of, numbers_of, progress_of
from ft_core.runs import Event, Run

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

COUNT_EVERY = 1.0
"""Seconds between two plain lines that count on, so that a fast run does not flood a log."""


class Screen(Protocol):
    """What following draws on."""

    def show(self, event: Event) -> None:
        """Draw one event of the run."""
        ...

    def say(self, text: str) -> None:
        """Write a line of our own."""
        ...


@contextmanager
def open_screen(run: Run) -> Generator[Screen]:
    """Give the screen that fits stdout."""
    if not sys.stdout.isatty():
        screen = PlainScreen()
        yield screen
        screen.flush()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    console = Console(highlight=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[numbers]}", markup=False),
    )
    with Progress(*columns, console=console, refresh_per_second=5) as progress:
        yield BarScreen(run, progress, console)


class PlainScreen:
    """One line an event. What only counts on (steps, progress) is thinned in time; the last of it always shows."""

    def __init__(self) -> None:
        self._told = 0.0
        self._waiting: Event | None = None

    def show(self, event: Event) -> None:
        """Print the event, or keep it for later."""
        if event["type"] != "step" and not progress_of(event):
            self.flush()
            if line := line_of(event):
                self.say(line)
            return
        self._waiting = event
        if time.monotonic() - self._told >= COUNT_EVERY:
            self.flush()

    def say(self, text: str) -> None:
        """Print a line at once."""
        print(text, flush=True)

    def flush(self) -> None:
        """Print the event that waits."""
        if self._waiting and (line := line_of(self._waiting)):
            self.say(line)
            self._told = time.monotonic()
        self._waiting = None


class BarScreen:
    """A progress bar with phase, step, loss and time left; everything else scrolls above it."""

    def __init__(self, run: Run, progress: Progress, console: Console) -> None:
        status = run.status()
        self._progress = progress
        self._console = console
        self._task = progress.add_task(status.phase, total=status.total_steps or None, numbers="")

    def show(self, event: Event) -> None:
        """Move the bar, or print the event above it."""
        if event["type"] == "phase":
            self._progress.update(self._task, description=line_of(event))
        elif event["type"] == "step":
            self._progress.update(
                self._task,
                completed=event.get("step"),
                total=event.get("total_steps"),
                numbers=numbers_of(event),
            )
        elif line := line_of(event):
            self.say(line)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._console.print(text, markup=False, emoji=False, soft_wrap=True)
