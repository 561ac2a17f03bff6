"""``ft runs``: every run, newest first."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ft_core.runs import Run

HELP = "list the runs, newest first"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--json", action="store_true", help="print JSON, times in seconds since the epoch")


def execute(arguments: argparse.Namespace) -> int:
    """Print the runs."""
    from ft_core.runs import find_runs, runs_root

    rows = [describe(run) for run in find_runs()]
    if arguments.json:
        print(json.dumps(rows, indent=1))
    elif rows:
        print(table(rows))
    else:
        print(f"No runs in {runs_root()}.")
    return 0


def describe(run: Run) -> dict[str, Any]:
    """Return what the list says of a run. `loss` is that of its newest step, None before the first."""
    from ft_core.runs.events import last_event

    status = run.status()
    newest = last_event(run.directory, "step") or {}
    return {
        "name": run.name,
        "state": status.state,
        "phase": status.phase,
        "step": status.step,
        "total_steps": status.total_steps,
        "loss": newest.get("loss"),
        "started": status.started,
        "ended": status.ended,
        "message": status.message,
        "directory": str(run.directory),
    }


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return `rows` as aligned columns."""
    import time

    from ft_core.runs.run import ago

    cells = [("NAME", "STATE", "STEP", "LOSS", "STARTED")]
    for row in rows:
        step = f"{row['step']}/{row['total_steps']}" if row["total_steps"] else "-"
        loss = f"{row['loss']:.4f}" if isinstance(row["loss"], (int, float)) else "-"
        cells.append((row["name"], row["state"], step, loss, ago(time.time() - row["started"])))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
