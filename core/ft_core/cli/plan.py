"""``ft plan CONFIG``: what a run would do."""

from __future__ import annotations

import argparse
import sys

from ft_core.cli.overrides import ABOUT, add_set, load

HELP = "check a config and say what its run would do, without loading a model"
TAKES_OVERRIDES = True
EPILOG = ABOUT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("config", metavar="CONFIG", help="the YAML file, or its https:// address")
    parser.add_argument(
        "--gpus",
        type=int,
        metavar="N",
        help="GPUs to train on, one rank each (default: all); without a GPU, ranks on the CPU",
    )
    add_set(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print the plan."""
    from ft_core.launch.process import count_ranks
    from ft_core.models.hardware import detect_hardware
    from ft_core.train import make_plan

    config = load(arguments)
    hardware = detect_hardware()
    ranks = count_ranks(arguments.gpus, hardware)
    print(make_plan(config, world_size=ranks, hardware=hardware, exact=True, on_wait=_tell).render())
    return 0


def _tell(words: str) -> None:
    """Say what is waited for, where somebody waits."""
    if sys.stderr.isatty():
        print(words, file=sys.stderr)
