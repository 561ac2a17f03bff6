"""``ft explain KEY`` and ``ft explain CONFIG``: what a key means, and where each value of a config comes from."""

from __future__ import annotations

import argparse

from ft_core.cli.overrides import ABOUT, add_set, load

HELP = "say what a key means, or where each value of a config comes from; alone, list all keys by topic"
TAKES_OVERRIDES = True
EPILOG = ABOUT


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "config",
        nargs="?",
        metavar="KEY|CONFIG",
        help="a key, such as lora_r or datasets.type; or a YAML file or its https:// address",
    )
    add_set(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Print what is known about the key, every value of the config, or every key."""
    from ft_core.config.address import is_address
    from ft_core.config.describe import describe, describe_topics
    from ft_core.config.explain import explain

    asked: str | None = arguments.config
    if asked is None:
        print(describe_topics())
    elif asked.endswith((".yml", ".yaml")) or is_address(asked):
        print(load(arguments).explain())
    else:
        print(describe(explain(asked)))
    return 0
