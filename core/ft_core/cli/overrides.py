"""Config keys as options of the command line: ``--lora_r 8``, ``--datasets[0].path=rows.jsonl``."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ft_core.config import Config

ABOUT = (
    "Every key of the config is also an option, over what the file says: --learning_rate 1e-4, --sample_packing,\n"
    "--no-sample_packing, --datasets[0].path=rows.jsonl. Write CONFIG before them."
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


def split_overrides(argv: Sequence[str], parser: argparse.ArgumentParser) -> tuple[list[str], list[str]]:
    """Return `argv` without the options that `parser` does not know, and those as ``key=value``.

    An unknown option takes the next word as its value, unless that is an option too; alone it is ``true``, and
    ``false`` after ``no-``. Dashes in a key are underscores.

    >>> parser = argparse.ArgumentParser()
    >>> _ = parser.add_argument("--name")
    >>> split_overrides(["c.yml", "--lora-r", "8", "--name", "x", "--no-tf32", "--a[0].b=-1"], parser)
    (['c.yml', '--name', 'x'], ['lora_r=8', 'tf32=false', 'a[0].b=-1'])
    """
    known = {option for action in parser._actions for option in action.option_strings}  # pyright: ignore[reportPrivateUsage]
    rest: list[str] = []
    overrides: list[str] = []
    words = list(argv)
    while words:
        word = words.pop(0)
        if word == "--":
            rest += [word, *words]
            break
        option, equals, value = word.partition("=")
        if not word.startswith("--") or option in known:
            rest.append(word)
            continue
        key = option[2:]
        if equals:
            pass
        elif words and not words[0].startswith("--"):
            value = words.pop(0)
        elif key.startswith("no-"):
            key, value = key[3:], "false"
        else:
            value = "true"
        overrides.append(f"{key.replace('-', '_')}={value}")
    return rest, overrides


def load(arguments: argparse.Namespace) -> Config:
    """Return the config of CONFIG, ``--set`` and the options that are keys.

    Raises
    ------
    ConfigError
        The config is wrong, or an override is.
    """
    from ft_core.config import load_config, parse_overrides

    return load_config(Path(arguments.config), parse_overrides([*arguments.set, *arguments.overrides]))
