"""Signals that ask a worker to stop: noted when they come, obeyed when a step is whole.

Of several ranks each notes them, whoever sends them: a scheduler that takes a job away signals every process of it. But
torchrun sends the same signal when a rank has died, and one that then went on would wait for the dead one for ever. So a
thread, which runs also while the rank waits inside a library, looks whether all ranks still live.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
from types import FrameType
from typing import Any

import psutil

_KINDS = (signal.SIGTERM, signal.SIGINT)


class Interrupts:
    """Notes SIGTERM and SIGINT for the length of its block, in place of dying of them.

    A second signal is not held back, so that a worker that is stuck can still be ended politely. Signals reach a process's
    main thread only, so the block is entered there.

    Parameters
    ----------
    world_size
        Number of ranks.
    """

    def __init__(self, world_size: int = 1) -> None:
        self.received = False
        self._alone = world_size == 1
        self._before: dict[signal.Signals, Any] = {}
        self._bell: socket.socket | None = None
        self._bell_before = -1

    def __enter__(self) -> Interrupts:
        if not self._alone:
            heard, self._bell = socket.socketpair()
            self._bell.setblocking(False)
            self._bell_before = signal.set_wakeup_fd(self._bell.fileno(), warn_on_full_buffer=False)
            threading.Thread(target=self._listen, args=(heard,), name="ft-signals", daemon=True).start()
        handler = self._note if self._alone else _leave_to_thread
        self._before = {kind: signal.signal(kind, handler) for kind in _KINDS}
        return self

    def __exit__(self, *_: object) -> None:
        for kind, handler in self._before.items():
            signal.signal(kind, handler)
        if self._bell is not None:
            signal.set_wakeup_fd(self._bell_before)
            self._bell.close()

    def _note(self, kind: int, frame: FrameType | None) -> None:
        del frame
        self.received = True
        signal.signal(kind, signal.SIG_DFL)

    def _listen(self, heard: socket.socket) -> None:
        """Note the signals of this process as they come, and end it with one that came because another rank has died."""
        with heard:
            while numbers := heard.recv(1):
                kind = numbers[0]
                if kind not in _KINDS:
                    continue
                if self.received or not _all_ranks_live():
                    os._exit(128 + kind)
                self.received = True


def _leave_to_thread(kind: int, frame: FrameType | None) -> None:
    """Do nothing: the thread has been told."""


def _all_ranks_live() -> bool:
    """Whether all ranks that torchrun has started beside this one still live."""
    try:
        beside = psutil.Process(os.getppid()).children()
        live = [process for process in beside if process.status() != psutil.STATUS_ZOMBIE]
    except psutil.Error:
        return False
    return len(live) >= int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
