"""``ft explain KEY``: what a key of the config means."""

from __future__ import annotations

import argparse

HELP = "say what a key of the config means; without one, list all keys by topic"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("key", nargs="?", metavar="KEY", help="the key, such as lora_r or datasets.type")


def execute(arguments: argparse.Namespace) -> int:
    """Print what is known about the key, or every key."""
    from ft_core.config.describe import describe, describe_topics
    from ft_core.config.explain import explain

    print(describe(explain(arguments.key)) if arguments.key else describe_topics())
    return 0
