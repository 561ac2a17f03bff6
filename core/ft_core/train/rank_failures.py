"""How the failure of one rank becomes the failure of the run.

Only rank 0 writes the run. Another rank that fails leaves a file in the run's directory and waits; rank 0, which may be
stuck waiting for it in a collective operation, finds the file from a thread, writes the run's end, and exits.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path

from ft_core.errors import FtError, LaunchError
from ft_core.runs import Run, RunWriter

_FILE = "rank-{rank}.error.json"
_LOOK_SECONDS = 0.5
_PATIENCE = 10.0  # seconds that a failed rank waits for rank 0 to write the run's end


@dataclass(frozen=True)
class RankFailure:
    """What ended one rank: its message and fix, its traceback if the fault is ours, and when (seconds since the epoch)."""

    rank: int
    message: str
    fix: str
    traceback: str | None
    time: float


def leave_word(directory: Path, rank: int, error: BaseException) -> None:
    """Leave word of what ended a rank that may not write the run."""
    told = isinstance(error, FtError)
    failure = RankFailure(
        rank=rank,
        message=error.message if told else f"{type(error).__name__}: {error}",
        fix=error.fix if told else "",
        traceback=None if told else "".join(traceback.format_exception(error)),
        time=time.time(),
    )
    path = directory / _FILE.format(rank=rank)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(asdict(failure)), encoding="utf-8")
    temporary.replace(path)


def wait_for_end(directory: Path) -> None:
    """Wait until rank 0 has written the run's end: torchrun ends all ranks as soon as the first has exited."""
    until = time.monotonic() + _PATIENCE
    while Run(directory).alive and time.monotonic() < until:
        time.sleep(0.1)


def first_failure(directory: Path) -> RankFailure | None:
    """Return the failure that came first, if any rank left word of one."""
    files = directory.glob(_FILE.format(rank="*"))
    found = [RankFailure(**json.loads(path.read_text(encoding="utf-8"))) for path in files]
    return min(found, key=lambda failure: failure.time, default=None)


def as_error(failure: RankFailure) -> FtError:
    """Return another rank's failure as an error of the whole run."""
    if failure.traceback is None:
        return LaunchError(failure.message, failure.fix)
    return LaunchError(
        f"Rank {failure.rank} failed: {failure.message}",
        "Its traceback is in log.txt. This is a fault of ours, please report it.",
    )


class OtherRanks:
    """Ends the run of `writer` when another rank has left word of a failure; for rank 0, as a block inside the writer's.

    Parameters
    ----------
    writer
        The run's writer.
    world_size
        Number of ranks; of one, there is nothing to watch.
    """

    def __init__(self, writer: RunWriter, world_size: int) -> None:
        self._writer = writer
        self._world_size = world_size
        self._left = threading.Event()
        self._ending = threading.Lock()

    def __enter__(self) -> None:
        if self._world_size > 1:
            threading.Thread(target=self._watch, name="ft-other-ranks", daemon=True).start()

    def __exit__(self, *_: object) -> None:
        with self._ending:
            self._left.set()

    def _watch(self) -> None:
        while not self._left.wait(_LOOK_SECONDS):
            failure = first_failure(self._writer.directory)
            if failure is None:
                continue
            with self._ending:
                if self._left.is_set():
                    return
                error = as_error(failure)
                self._writer.__exit__(type(error), error, None)
                print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
                # The main thread may be waiting for the failed rank inside a library, where no exception reaches it.
                os._exit(1)
