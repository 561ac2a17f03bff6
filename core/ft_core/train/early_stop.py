"""A stop that comes while rows are tokenized, before there is a step to finish: obeyed by every rank, where it is.

::

    tokenizing          sees the request, leaves word, ends
    waiting for others  sees the word of one that has ended, and ends

A rank that waits is inside a library, for a rank that will not come; no exception reaches it there. One that still
tokenizes ends by an exception, so that it leaves nothing half made.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from ft_core.runs import RunWriter
from ft_core.runs.paths import CONTROL
from ft_core.train.interrupts import Interrupts

_FILE = "rank-{rank}.stopped"
_LOOK_SECONDS = 0.2


class EarlyStop:
    """What one rank does about a stop before training has begun.

    Parameters
    ----------
    directory
        The run's directory.
    writer
        Writes the run; None on every rank but the first.
    interrupts
        The signals that came.
    """

    def __init__(self, directory: Path, writer: RunWriter | None, interrupts: Interrupts) -> None:
        self._directory = directory
        self._writer = writer
        self._interrupts = interrupts
        self._rank = int(os.environ.get("RANK", "0"))

    def check(self) -> None:
        """End this rank where a stop was asked for, or another rank has ended for one.

        Raises
        ------
        KeyboardInterrupt
            There was.
        """
        if not (self._interrupts.received or self._is_requested() or self._has_word()):
            return
        if "WORLD_SIZE" in os.environ:
            (self._directory / _FILE.format(rank=self._rank)).touch()
        raise KeyboardInterrupt

    @contextmanager
    def while_waiting(self) -> Generator[None]:
        """End this process at once when another rank has ended for a stop, for the length of a block."""
        if "WORLD_SIZE" not in os.environ:
            yield
            return
        left, ending = threading.Event(), threading.Lock()
        thread = threading.Thread(target=self._watch, args=(left, ending), name="ft-early-stop", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with ending:
                left.set()

    def _watch(self, left: threading.Event, ending: threading.Lock) -> None:
        while not left.wait(_LOOK_SECONDS):
            if not self._has_word():
                continue
            with ending:
                if left.is_set():
                    return
                if self._writer is not None:
                    self._writer.__exit__(KeyboardInterrupt, KeyboardInterrupt(), None)
                os._exit(0)

    def _is_requested(self) -> bool:
        if self._writer is not None:
            return self._writer.requested("stop")
        return (self._directory / CONTROL / "stop").exists()

    def _has_word(self) -> bool:
        """Whether any rank has ended for a stop; the first one takes the request away when it ends."""
        return any(self._directory.glob(_FILE.format(rank="*")))
