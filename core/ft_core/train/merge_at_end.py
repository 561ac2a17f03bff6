"""The merge that ``merge_lora: true`` asks for when training is done: that of ``ft merge-lora``, as if typed then.

It is a process of its own, started by the command's name: merging is above training in the layers, and needs the memory that
the trained model had. What goes wrong in it is a warning, for the run's adapter is saved already.
"""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.runs.paths import FINAL, MERGED
from ft_core.train.saving import copy_to

if TYPE_CHECKING:
    from ft_core.config import Config
    from ft_core.runs import RunWriter
    from ft_core.train.interrupts import Interrupts

_LOOKS = 0.5  # seconds between two looks at whether the run is to stop


def merge_at_end(config: Config, directory: Path, writer: RunWriter, interrupts: Interrupts) -> None:
    """Merge the adapter that a run has just saved, and put a copy of the model beside that in ``output_dir``.

    Where the run is asked to stop, now or before, nothing is merged.
    """
    if not (directory / FINAL / "adapter_config.json").is_file():
        return
    by_hand = f"ft merge-lora {directory.name}"
    writer.phase("merging")
    print("merging ...", flush=True)  # noqa: T201
    gc.collect()  # trainer and model hold each other, and the merge needs their memory
    child = subprocess.Popen(
        [sys.executable, "-m", "ft_core.cli.main", "merge-lora", str(directory), "--overwrite"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    said, stopped = "", False
    while child.returncode is None:
        try:
            said, _ = child.communicate(timeout=_LOOKS)
        except subprocess.TimeoutExpired:  # noqa: PERF203 - the loop waits
            if not stopped and (interrupts.received or writer.requested("stop")):
                stopped = True
                child.send_signal(signal.SIGINT)  # it then removes what it has written so far
    print(said, end="", flush=True)  # noqa: T201
    if stopped:
        writer.emit("warning", message="The adapter was not merged: the run was asked to stop.", fix=by_hand)
    elif child.returncode:
        reason = next(
            (line for line in said.splitlines() if line.startswith("error: ")), "error: log.txt says why."
        )
        message = f"The adapter was not merged: {reason.removeprefix('error: ')}"
        writer.emit("warning", message=message, fix=by_hand)
    else:
        writer.emit("merged", folder=MERGED)
        if config.output_dir is not None:
            copy_to(directory / MERGED, Path(config.output_dir) / MERGED)
