"""``ft stop NAME``: end a run."""

from __future__ import annotations

import argparse

HELP = "ask a run to finish its step, save and end; or end it at once"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="the run's name or directory")
    parser.add_argument(
        "--now", action="store_true", help="end its processes at once; what the last checkpoint saved stays"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Stop the run, and say what that means."""
    from ft_core.runs import open_run

    run = open_run(arguments.name)
    alive = run.alive
    run.stop(now=arguments.now)
    if not alive:
        print(f"Run '{run.name}' has already ended: {run.summary()}.")
    elif arguments.now:
        print(f"Run '{run.name}' was ended: {run.summary()}.")
    else:
        print(f"Run '{run.name}' will finish its step, save and end. At once: ft stop {run.name} --now")
    return 0
