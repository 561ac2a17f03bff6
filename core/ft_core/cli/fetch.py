"""``ft fetch WHAT``: get something to start with."""

from __future__ import annotations

import argparse

HELP = "download something to start with, and print where it is"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "what",
        metavar="WHAT",
        choices=["demo-model"],
        help="demo-model: SmolLM2-135M-Instruct, 90 MB, needs no hub",
    )


def execute(arguments: argparse.Namespace) -> int:
    """Print the path."""
    del arguments
    from ft_core.models.demo import demo_model

    print(demo_model())
    return 0
