"""A function of the notebook as text that stands by itself, so that a run needs no notebook.

What the function uses from outside comes along where it can be written down: imported modules, functions and classes of
modules, other functions of the notebook, and constants. Anything else is an error that names it.
"""

from __future__ import annotations

import ast
import builtins
import dis
import inspect
import textwrap
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

from ft_core.config.problems import clipped

NOTEBOOK = "__main__"

MAX_CONSTANT = 10_000
"""The longest text of a constant that comes along; more is data, which a function should get from its row."""


class FunctionError(Exception):
    """A function cannot be written down: `message` and `fix` say why."""

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix


def is_type_place(path: tuple[str | int, ...]) -> bool:
    """Whether `path` is where a function may stand.

    >>> is_type_place(("datasets", 0, "type")), is_type_place(("datasets", 0, "path"))
    (True, False)
    """
    return len(path) == 3 and path[0] in ("datasets", "test_datasets") and path[2] == "type"


def as_type(function: FunctionType) -> str | dict[str, str]:
    """Return the type that stands for a function: its name in a module, or its code.

    Raises
    ------
    FunctionError
        Its code is not to be had, or uses what cannot be written down.
    """
    if function.__module__ != NOTEBOOK:
        return f"{function.__module__}.{function.__qualname__}"
    lines = ["from __future__ import annotations", *_needed(function, {function.__name__})]
    return {"python": "\n".join([*lines, "", _source(function)])}


def _needed(function: FunctionType, taken: set[str]) -> Iterator[str]:
    """Yield the code of what a function uses from outside, each once; `taken` are the names that are there already."""
    if function.__closure__:
        names = ", ".join(function.__code__.co_freevars)
        raise FunctionError(
            f"the function '{function.__name__}' uses {names} of the function that made it",
            "define it at the top of a cell",
        )
    for name in _global_names(function.__code__):
        if name in taken or (name not in function.__globals__ and hasattr(builtins, name)):
            continue
        taken.add(name)
        if name not in function.__globals__:
            raise FunctionError(
                f"the function '{function.__name__}' uses '{name}', which is not defined",
                "define it in an earlier cell",
            )
        value = function.__globals__[name]
        if isinstance(value, FunctionType) and value.__module__ == NOTEBOOK and value.__name__ == name:
            yield from _needed(value, taken)
            yield _source(value)
        else:
            yield _line(name, value, function)


def _line(name: str, value: Any, function: FunctionType) -> str:
    """Return the line that gives `name` its value."""
    if isinstance(value, ModuleType):
        return f"import {_as(value.__name__, name)}"
    module, qualified = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if isinstance(value, (FunctionType, type)) and module != NOTEBOOK and "." not in qualified:
        return f"from {module} import {_as(qualified, name)}"
    written = repr(value)
    if len(written) <= MAX_CONSTANT and _is_constant(written, value):
        return f"{name} = {written}"
    kind = type(value).__name__
    raise FunctionError(
        f"the function '{function.__name__}' uses '{clipped(name)}' ({kind}), which is defined outside it and cannot be "
        "written down",
        "define it inside the function, or put both into a module: type: my_module.my_function",
    )


def _as(imported: str, name: str) -> str:
    return name if imported == name else f"{imported} as {name}"


def _is_constant(written: str, value: object) -> bool:
    try:
        return type(value) is type(found := ast.literal_eval(written)) and bool(found == value)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return False


def _source(function: FunctionType) -> str:
    """Return the code that defines a function."""
    name = function.__name__
    try:
        source = textwrap.dedent(inspect.getsource(function))
        defined = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    except (OSError, TypeError, SyntaxError):
        defined, source = [], ""
    if [node.name for node in defined] != [name]:
        raise FunctionError(
            f"the code of the function '{name}' is not to be had", "define it by 'def' in a cell"
        )
    return source


def _global_names(code: CodeType) -> list[str]:
    """Return the names that code, and the functions inside it, look up outside."""
    names = [
        str(step.argval) for step in dis.get_instructions(code) if step.opname in ("LOAD_GLOBAL", "LOAD_NAME")
    ]
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names += _global_names(constant)
    return list(dict.fromkeys(names))
