"""Notebook variables in a config: ``${name}`` anywhere in a value, or ``$name`` as the whole value.

They are put in after the YAML is parsed, so nothing in a variable is read as YAML and nothing is evaluated. A whole value
keeps the variable's type; inside text it is formatted. ``$${`` (or ``$$name`` as the whole value) stands for the plain text.
As the path of a dataset a variable may also hold the rows themselves (`ft_core.config.tables`), as its type a function that
reads a row (`ft_core.config.function_source`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from types import FunctionType
from typing import Any

from ft_core.config.function_source import FunctionError, as_type, is_type_place
from ft_core.config.problems import clipped, did_you_mean
from ft_core.config.tables import Table, article, fault_of, is_table_place

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


def substitute(text: str, variables: Mapping[str, Any] | None, path: tuple[str | int, ...] = ()) -> Any:
    """Return `text` with its variables put in.

    Parameters
    ----------
    text
        A value as YAML gave it.
    variables
        The notebook's variables; None where there is no notebook.
    path
        Where the value stands. A variable with rows becomes a `Table` where a dataset's path does.

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
        return _whole(whole[1] if whole[2] is None else whole[2], variables, path)
    if escaped := ESCAPED_WHOLE.fullmatch(text):
        return escaped[1]

    def put_in(match: re.Match[str]) -> str:
        if match[1]:
            return match[0][1:]
        value = _whole(match[2], variables, ())
        if isinstance(value, bool):
            return "true" if value else "false"
        if not isinstance(value, (str, int, float)):
            raise VariableError(
                f"the variable '{match[2]}' is {article(value)} and cannot stand inside text",
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


def _whole(name: str, variables: Mapping[str, Any] | None, path: tuple[str | int, ...]) -> Any:
    """Return the variable as data that YAML could have held, or as a table where one may stand."""
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
    value = variables[name]
    if is_table_place(path) and not (value is None or isinstance(value, (str, os.PathLike))):
        return _table(name, value, f"the variable '{name}'")
    return as_data(value, f"the variable '{name}'", path)


def as_data(value: Any, what: str, path: tuple[str | int, ...] = (), depth: int = 0) -> Any:
    """Return `value` as data that YAML could have held: dicts with text keys, lists, and scalars.

    Rows that stand for the path of a dataset become a `Table`.

    Parameters
    ----------
    value
        Anything; paths become text, tuples lists, numpy's scalars Python's.
    what
        How an error names the value.
    path
        Where it stands in the config.
    depth
        The levels above it that belong to `what`.

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
    if isinstance(value, Table):
        return value
    if is_table_place(path):
        return _table(f"{path[0]}_{path[1]}", value, f"the path of {path[0]}[{path[1]}]")
    if isinstance(value, Mapping):
        return {str(key): as_data(item, what, (*path, str(key)), depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_data(item, what, (*path, index), depth + 1) for index, item in enumerate(value)]
    # numpy's scalars, and its and torch's arrays of no dimension, without importing either.
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return as_data(value.item(), what, path, depth + 1)
    if isinstance(value, FunctionType):
        return _function(value, what, path)
    raise VariableError(
        f"{what} is {article(value)}, which a config cannot hold",
        "use a text, number, list or dict; a data frame or dataset can be the path of a dataset: '- path: $rows'",
    )


def _function(function: FunctionType, what: str, path: tuple[str | int, ...]) -> str | dict[str, str]:
    """Return the type that stands for a function, or raise where none may stand; `what` names it."""
    if not is_type_place(path):
        raise VariableError(
            f"{what} is a function, which a config cannot hold here",
            "use a text, number, list or dict; a function can be the type of a dataset: 'type: $read'",
        )
    try:
        return as_type(function)
    except FunctionError as error:
        raise VariableError(error.message, error.fix) from error


def _table(name: str, value: Any, what: str) -> Table:
    """Return the table, or raise where `value` is none or holds no rows; `what` names it."""
    fault = fault_of(value)
    if fault is not None:
        message, fix = fault
        raise VariableError(f"{what} {message}", fix)
    return Table(name, value)
