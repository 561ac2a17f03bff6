"""Signals that ask a worker to stop: noted when they come, obeyed when a step is whole."""

from __future__ import annotations

import signal
from types import FrameType
from typing import Any

_KINDS = (signal.SIGTERM, signal.SIGINT)


class Interrupts:
    """Notes SIGTERM and SIGINT for the length of its block, in place of dying of them.

    A second signal of the same kind is not held back, so that a worker that is stuck can still be ended politely.
    Signals reach a process's main thread only, so the block is entered there.

    Parameters
    ----------
    world_size
        Number of ranks. Of several, none notes a signal: torchrun sends one when another rank has died, and a rank that
        then went on would wait for the dead one until it is killed. Their leader turns signals into requests.
    """

    def __init__(self, world_size: int = 1) -> None:
        self.received = False
        self._kinds = _KINDS if world_size == 1 else ()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupts:
        self._before = {kind: signal.signal(kind, self._note) for kind in self._kinds}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)

    def _note(self, kind: int, frame: FrameType | None) -> None:
        del frame
        self.received = True
        signal.signal(kind, signal.SIG_DFL)
