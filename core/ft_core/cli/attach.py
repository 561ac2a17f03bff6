"""``ft attach NAME``: follow a run that was started anywhere."""

from __future__ import annotations

import argparse

HELP = "follow a run, from its first event on; Ctrl-C leaves it running"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("name", metavar="NAME", help="the run's name or directory")


def execute(arguments: argparse.Namespace) -> int:
    """Follow the run to its end."""
    from ft_core.cli.follow import follow
    from ft_core.runs import open_run

    return follow(open_run(arguments.name), interrupt_stops=False)
