"""Following a run in a terminal, until it ends or the person leaves."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

from ft_core.cli.lines import duration
from ft_core.cli.screen import Screen, open_screen
from ft_core.runs import Run

POLL = 0.2
"""Seconds between two looks."""

FAILED = 1
INTERRUPTED = 130


def follow(run: Run, *, interrupt_stops: bool) -> int:
    """Show what `run` does until it ends, and return the exit status.

    Parameters
    ----------
    run
        The run.
    interrupt_stops
        Whether Ctrl-C asks the run to stop, and a second one ends it at once; else Ctrl-C only ends the following.

    Returns
    -------
    int
        0 where the run completed or was stopped from elsewhere, 1 where it failed or was lost, 130 after Ctrl-C.
    """
    with open_screen(run) as screen, _interrupts() as interrupts:
        served = offset = 0
        while True:
            # Asked before the read: what a run writes before it ends is then never missed.
            alive = run.alive
            events, offset = run.events(offset)
            for event in events:
                screen.show(event)
            if not alive and not events:
                break
            if len(interrupts) > served:
                served = len(interrupts)
                if not interrupt_stops:
                    screen.say(f"Left. Run '{run.name}' goes on: ft attach {run.name}")
                    return INTERRUPTED
                _stop(run, screen, now=served > 1)
            if not events:
                time.sleep(POLL)
    return _tell_end(run, interrupted=bool(interrupts))


def _stop(run: Run, screen: Screen, *, now: bool) -> None:
    screen.say("Ending the run now." if now else "Stopping after this step; Ctrl-C again ends the run now.")
    run.stop(now=now)


def _tell_end(run: Run, *, interrupted: bool) -> int:
    status = run.status()
    if status.state in ("completed", "stopped"):
        seconds = (status.ended or status.started) - status.started
        where = f" The model is in {run.final}." if run.final.is_dir() else ""
        print(f"Run '{run.name}' {status.state} at step {status.step} after {duration(seconds)}.{where}")
        return INTERRUPTED if interrupted else 0
    print(f"error: run '{run.name}' {status.state}: {status.message}", file=sys.stderr)
    if status.fix:
        print(f"fix: {status.fix}", file=sys.stderr)
    print(f"More: ft logs {run.name}", file=sys.stderr)
    return FAILED


@contextmanager
def _interrupts() -> Generator[list[int]]:
    """Collect Ctrl-C for the block instead of raising it, so that none is lost between two statements."""
    seen: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        seen.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield seen
    finally:
        signal.signal(signal.SIGINT, before)
