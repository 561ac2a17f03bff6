"""Notebook variables in a config: ``${name}`` anywhere in a value, or ``$name`` as the whole value.

They are put in after the YAML is parsed, so nothing in a variable is read as YAML and nothing is evaluated. A whole value
keeps the variable's type; inside text it is formatted. ``$${`` (or ``$$name`` as the whole value) stands for the plain text.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

from ft_core.config.problems import clipped, did_you_mean

WHOLE = re.compile(r"\$(?:\{([^{}]*)\}|([A-Za-z_]\w*))")
INSIDE = re.compile(r"(\$?)\$\{([^{}]*)\}")
ESCAPED_WHOLE = re.compile(r"\$(\$+[A-Za-z_]\w*)")

MAX_DEPTH = 20
"""Levels of lists and maps that a variable may have; more is a structure that holds itself."""


class VariableError(Exception):
    """A variable is unknown or of no use in a config: `message` and `fix` say why."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def substitute(text: str, variables: Mapping[str, Any] | None) -> Any:
    """Return `text` with its variables put in.

    Parameters
    ----------
    text
        A value as YAML gave it.
    variables
        The notebook's variables; None where there is no notebook.

    Raises
    ------
    VariableError
        A variable is unknown, or holds what a config cannot.

    Examples
    --------
    >>> substitute("${rank}", {"rank": 8}), substitute("lora-${rank}", {"rank": 8}), substitute("$${rank}", {})
    (8, 'lora-8', '${rank}')
    """
    if "$" not in text:
        return text
    if whole := WHOLE.fullmatch(text):
        return _plain(whole[1] if whole[2] is None else whole[2], variables)
    if escaped := ESCAPED_WHOLE.fullmatch(text):
        return escaped[1]

    def put_in(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        value = _plain(match[2], variables)
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, (str, int, float)):
            raise VariableError(
                f"the variable '{match[2]}' is {_article(value)} and cannot stand inside text",
                f"write ${{{match[2]}}} as the whole value",
            )
        return str(value)

    return INSIDE.sub(put_in, text)


def escape(value: Any) -> Any:
    """Return `value` written so that `substitute` gives it back as it is."""
    if isinstance(value, dict):
        return {key: escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [escape(item) for item in value]
    if not isinstance(value, str) or "$" not in value:
        return value
    if WHOLE.fullmatch(value) or ESCAPED_WHOLE.fullmatch(value):
        return f"${value}"
    return INSIDE.sub(lambda match: f"${match[0]}", value)


def _plain(name: str, variables: Mapping[str, Any] | None) -> Any:
    """Return the variable as data that YAML could have held."""
    if variables is None:
        raise VariableError(
            f"'${{{clipped(name)}}}' asks for a notebook variable, and there is no notebook",
            "write the value itself, or $${...} if the text is meant as it stands",
        )
    if not name.isidentifier():
        raise VariableError(
            f"'${{{clipped(name)}}}' is not the name of a variable",
            "compute the value in a cell, give it a name, and write that name",
        )
    if name not in variables:
        raise VariableError(
            f"there is no variable '{clipped(name)}'{did_you_mean(name, (str(known) for known in variables))}",
            f"define {clipped(name)} in an earlier cell, or write the value itself",
        )
    return as_data(variables[name], f"the variable '{name}'")


def as_data(value: Any, what: str, depth: int = 0) -> Any:
    """Return `value` as data that YAML could have held: dicts with text keys, lists, and scalars.

    Parameters
    ----------
    value
        Anything; paths become text, tuples lists, numpy's scalars Python's.
    what
        How an error names the value.
    depth
        The levels above it.

    Raises
    ------
    VariableError
        YAML could not have held it.
    """
    if depth > MAX_DEPTH:
        raise VariableError(f"{what} is nested too deeply", "use a flatter value")
    if value is None or isinstance(value, bool):
        return value
    # A subclass (an enum, numpy.str_) becomes the plain type, so that it can be written as YAML again.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): as_data(item, what, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_data(item, what, depth + 1) for item in value]
    # numpy's scalars, and its and torch's arrays of no dimension, without importing either.
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return as_data(value.item(), what, depth + 1)
    raise VariableError(
        f"{what} is {_article(value)}, which a config cannot hold",
        "use a text, number, list or dict; data frames and datasets are not supported yet: write the rows to a .jsonl "
        "file and give its path",
    )


def _article(value: object) -> str:
    name = type(value).__name__
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
