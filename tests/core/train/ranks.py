"""Run a script of this folder as two ranks: ``python ranks.py SCRIPT ARGUMENT ...``, in the environment of torchrun.

What every run imports takes seconds; here it is imported once, and then the ranks part.
"""

from __future__ import annotations

import os
import runpy
import signal
import socket
import sys

RANKS = 2


def become(rank: int, port: int, arguments: list[str]) -> None:
    """Run the script as one rank in this process, and end the process with the script's status."""
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": RANKS, "LOCAL_WORLD_SIZE": RANKS}
    os.environ |= {key: str(value) for key, value in place.items()}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    sys.argv = arguments
    status = 1
    try:
        runpy.run_path(arguments[0], run_name="__main__")
        status = 0
    except SystemExit as ended:
        status = int(ended.code or 0)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def main(arguments: list[str]) -> int:
    """Run the ranks and return 0 if each of them ended well."""
    import ft_core.train.generations
    import ft_core.train.trainer
    import ft_core.train.worker  # noqa: F401

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks: set[int] = set()
    for rank in range(RANKS):
        if (child := os.fork()) == 0:
            become(rank, port, arguments)
        ranks.add(child)
    failed = 0
    while ranks:
        child, status = os.wait()
        ranks.discard(child)
        if status and not failed:
            failed = 1
            for waiting in ranks:  # for one that will not come
                os.kill(waiting, signal.SIGTERM)
    return failed


if __name__ == "__main__":
    sys.modules["comet_ml"] = None  # type: ignore[assignment]  # as a run that does not report to it has it
    sys.exit(main(sys.argv[1:]))
