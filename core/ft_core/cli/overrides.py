"""The config of a command: a file or an address, and what the command line sets over it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ft_core.config import Config

ABOUT = (
    "Every key of the config is also an option, over what the file says: --learning-rate 1e-4, --train-on-inputs,\n"
    "--no-train-on-inputs, --datasets[0].path=rows.jsonl."
)


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``, the other way to write an override."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a value over that of the file, such as datasets[0].path=rows.jsonl; repeatable",
    )


def load(arguments: argparse.Namespace) -> Config:
    """Return the config of CONFIG, ``--set`` and the options that are keys.

    Raises
    ------
    ConfigError
        The config is wrong, or an override is.
    """
    from ft_core.config import load_config, parse_overrides
    from ft_core.config.address import is_address

    source = arguments.config if is_address(arguments.config) else Path(arguments.config)
    return load_config(source, parse_overrides([*arguments.set, *arguments.overrides]))
