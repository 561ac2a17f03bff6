"""``ft logs NAME``: what a run printed."""

from __future__ import annotations

import argparse
import time

HELP = "print what a run printed"

POLL = 0.3
"""Seconds between two looks at a log that is followed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="the run's name or directory")
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    parser.add_argument(
        "-n", "--lines", type=int, default=50, metavar="N", help="how many of the last lines (50)"
    )


def execute(arguments: argparse.Namespace) -> int:
    """Print the end of the log, and what is added to it if asked."""
    from ft_core.runs import open_run, read_log, read_tail

    run = open_run(arguments.name)
    if not arguments.follow:
        if text := run.log_tail(arguments.lines):
            print(text)
        return 0
    lines, offset = read_tail(run.directory, arguments.lines)
    alive = True
    while True:
        for line in lines:
            print(line, flush=True)
        if not lines and not alive:
            return 0
        if not lines:
            time.sleep(POLL)
        # Asked before the read: what a run prints before it ends is then never missed.
        alive = run.alive
        lines, offset = read_log(run.directory, offset, rest=not alive)
