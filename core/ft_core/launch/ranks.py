"""``python -m ft_core.launch.ranks RUN_DIR N``: the ranks of a run under torchrun, and why one died.

A signal that ends the job, to this process or to all of the job's, asks the run to stop after its step. torchrun itself would
end the ranks at once, so it does not hear it.

torchrun ends all ranks when one fails. Where that leaves rank 0 no time to write the run's end, or rank 0 is the one that
was killed, this process writes it.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from types import FrameType

from ft_core.errors import FtError, LaunchError
from ft_core.runs import Run, RunWriter
from ft_core.runs.control import request
from ft_core.train.rank_failures import as_error, first_failure

STOPS = (signal.SIGTERM, signal.SIGINT)
"""Signals that ask a run to stop."""

# A shell that becomes the command behind it, in which both are ignored.
_HEARING_NO_STOP = ("sh", "-c", 'trap "" TERM INT; exec "$@"', "sh")


def torchrun_command(directory: Path, ranks: int) -> list[str]:
    """Return the command that starts `ranks` ranks on this machine, meeting at a free port."""
    return [
        *(sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(ranks)),
        *(("--signals-to-handle", "SIGHUP,SIGQUIT") if _chooses_signals() else ()),
        *("-m", "ft_core.train", str(directory)),
    ]


def _chooses_signals() -> bool:
    """Whether the installed torchrun can be told which signals end its ranks; looked up without importing torch."""
    torch = importlib.util.find_spec("torch")
    assert torch is not None
    assert torch.origin is not None
    source = Path(torch.origin).parent / "distributed" / "run.py"
    return "--signals-to-handle" in source.read_text(encoding="utf-8")


def main(directory: Path, ranks: int) -> int:
    """Run the ranks to their end, and make sure that the run has one; return the exit status."""
    terminated = False

    def stop(kind: int, frame: FrameType | None) -> None:
        nonlocal terminated
        del kind, frame
        terminated = True
        request(directory, "stop")

    before = {kind: signal.signal(kind, stop) for kind in STOPS}
    try:
        status = subprocess.call(
            [*_HEARING_NO_STOP, *torchrun_command(directory, ranks)], stdin=subprocess.DEVNULL
        )
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)
    # Whoever ended the whole job at once says so in the run himself.
    if status != 0 and not terminated and Run(directory).state not in ("completed", "stopped", "failed"):
        first = first_failure(directory)
        killed = LaunchError(
            "A rank of this run was killed, most often by the system for lack of memory.",
            "The end of log.txt says which; lower micro_batch_size or use fewer ranks if memory was short.",
        )
        try:
            with RunWriter(directory, world_size=ranks):
                raise as_error(first) if first else killed
        except FtError as error:
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
    return status


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python -m ft_core.launch.ranks RUN_DIR N")
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
