"""Config keys as options of a command or magic line: ``--lora-r 8``, ``--no-tf32``, ``--datasets[0].path=rows.jsonl``."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ft_core.config.config import Config
from ft_core.config.keys import axolotl_keys
from ft_core.config.problems import clipped, did_you_mean
from ft_core.config.renamed import ATTENTION, OLDER_KEYS, PRECISION
from ft_core.config.schema.values import Choice, Flag
from ft_core.errors import FtError

FLAG_WORDS = ("true", "false", "yes", "no", "on", "off")
"""What may follow a key that is true or false; another word belongs to the line."""


def split_flags(words: Sequence[str], options: Collection[str]) -> tuple[list[str], list[str]]:
    """Return `words` without the flags that are config keys, and those as ``key=value``.

    A key takes what stands behind its ``=``, or the next word unless that is an option. A key that is true or false needs
    none: alone it is true, and false after ``no-``. Dashes in a key are underscores.

    Parameters
    ----------
    words
        The line, split as a shell does.
    options
        The options of the line itself, which stay in it.

    Raises
    ------
    FtError
        A flag is neither an option nor a key; the message names the nearest one.

    Examples
    --------
    >>> split_flags(["c.yml", "--lora-r", "8", "--name", "x", "--no-tf32", "--datasets[0].path=a"], ["--name"])
    (['c.yml', '--name', 'x'], ['lora_r=8', 'tf32=false', 'datasets[0].path=a'])
    """
    rest: list[str] = []
    overrides: list[str] = []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            rest += [word, *left]
            break
        flag, equals, value = word.partition("=")
        if not flag.startswith("--") or flag in options:
            rest.append(word)
            continue
        key = flag[2:].replace("-", "_")
        if not equals:
            key, value = _value_of(key, left)
        if not _is_known(key):
            raise FtError(_unknown(flag, options))
        overrides.append(f"{key}={value}")
    return rest, overrides


def _value_of(key: str, left: list[str]) -> tuple[str, str]:
    """Return the key and its value, taken from the words that are `left` if it stands there."""
    follows = bool(left) and not left[0].startswith("--")
    if key.startswith("no_") and _is_known(key[3:]) and not _is_known(key):
        return key[3:], "false"
    if follows and _may_follow(key, left[0]):
        return key, left.pop(0)
    return key, "true"


def _first_name(key: str) -> str:
    return re.split(r"[.\[]", key, maxsplit=1)[0]


def _may_follow(key: str, word: str) -> bool:
    """Whether `word` may be the value of `key`; where the key is true or false, most words belong to the line."""
    field = Config.model_fields.get(key)
    kinds = field.metadata if field else []
    switch = key in ATTENTION or key in PRECISION or any(isinstance(kind, Flag) for kind in kinds)
    words = list(FLAG_WORDS)
    for kind in kinds:
        if isinstance(kind, Choice) and kind.flags:
            switch = True
            words += [*kind.options, *kind.planned]
    return not switch or word.lower() in words


def _is_known(key: str) -> bool:
    """Whether the top-level key that `key` begins with is one of any year."""
    name = _first_name(key)
    return name in Config.model_fields or name in axolotl_keys() or name in OLDER_KEYS


def _unknown(flag: str, options: Collection[str]) -> str:
    """Return that `flag` is nothing, and the option or key that is nearest."""
    dashed = [f"--{key}" for key in Config.model_fields]
    name = f"--{_first_name(flag[2:].replace('-', '_'))}"
    guess = did_you_mean(name, [*options, *dashed])
    return f"there is no option or key '{clipped(flag)}'{guess}"
