"""A run: a directory, and the process group that fills it (docs/reference/run-directory.md).

::

    run = create_run("poet", config_text=..., resolved_text=..., plan={...})     # the launcher
    record_process(run.directory, process.pid)

    with RunWriter(directory) as writer:                                         # the worker
        writer.emit("step", step=1, total_steps=100, loss=2.5)

    run = open_run("poet")                                                       # any reader, anywhere
    run.state, run.metrics, run.log_tail()
    run.stop()
"""

from __future__ import annotations

from ft_core.runs.control import record_process
from ft_core.runs.create import create_run
from ft_core.runs.events import Event
from ft_core.runs.find import find_runs, open_run
from ft_core.runs.log import log_size, read_log, read_tail
from ft_core.runs.paths import ENVIRONMENT_VARIABLE, check_name, next_name, runs_root
from ft_core.runs.run import Failure, Run
from ft_core.runs.status import Status
from ft_core.runs.writer import RunWriter

__all__ = [
    "ENVIRONMENT_VARIABLE",
    "Event",
    "Failure",
    "Run",
    "RunWriter",
    "Status",
    "check_name",
    "create_run",
    "find_runs",
    "log_size",
    "next_name",
    "open_run",
    "read_log",
    "read_tail",
    "record_process",
    "runs_root",
]
