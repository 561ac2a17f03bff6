"""Values that the command line or a caller sets over those of the text: ``datasets[0].path=x``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import copy
from typing import Any

from ft_core.config.document import Path, read_document, read_scalar
from ft_core.config.draft import Draft, dotted
from ft_core.config.problems import ConfigError, Problem, clipped
from ft_core.config.variables import VariableError, as_data

PATH = re.compile(r"[A-Za-z_]\w*(\[\d{1,6}\])?(\.[A-Za-z_]\w*(\[\d{1,6}\])?)*")


def parse_overrides(items: Iterable[str]) -> dict[str, Any]:
    """Return the overrides that ``key=value`` texts write.

    A value is read as a YAML scalar (``2e-4``, ``true``, text), or as a list or map where it begins with a bracket or
    brace; nothing after the ``=`` is null, which means the default.

    Parameters
    ----------
    items
        Such as ``["learning_rate=1e-4", "datasets[0].path=rows.jsonl"]``.

    Raises
    ------
    ConfigError
        One of them is not ``key=value``, or its list or map is not closed.

    Examples
    --------
    >>> parse_overrides(["lora_r=8", "datasets[0].path=rows.jsonl", "eot_tokens=[a, b]"])
    {'lora_r': 8, 'datasets[0].path': 'rows.jsonl', 'eot_tokens': ['a', 'b']}
    """
    overrides: dict[str, Any] = {}
    problems: list[Problem] = []
    for item in items:
        key, equals, value = item.partition("=")
        key = key.strip()
        if not equals or not PATH.fullmatch(key):
            message = f"--set {clipped(item)}: this is not 'key=value'"
            problems.append(Problem(None, None, "", message, "write it as in --set learning_rate=1e-4"))
            continue
        try:
            overrides[key] = _read_value(value.strip())
        except ValueError:
            message = f"--set {key}: '{clipped(value)}' is not a YAML value"
            problems.append(Problem(None, None, key, message, "close every quote, bracket and brace"))
    if problems:
        raise ConfigError(problems)
    return overrides


def apply_overrides(draft: Draft, overrides: Mapping[str, Any]) -> None:
    """Set each of `overrides` in the draft's data, reporting those that fit nowhere."""
    for key, given in overrides.items():
        if not PATH.fullmatch(key):
            message = f"--set {clipped(key)}: this is not the path of a key"
            draft.problems.append(Problem(None, None, key, message, "write it as in datasets[0].path"))
            continue
        path = _split(key)
        try:
            value = as_data(given, "the value", path)
        except VariableError as error:
            draft.problems.append(Problem(None, None, key, f"--set {key}: {error.message}", error.fix))
            continue
        obstacle = _set(draft.data, path, value)
        if obstacle:
            draft.problems.append(
                Problem(None, None, key, f"--set {key}: {obstacle}", "set what holds it first")
            )
            continue
        draft.overridden.add(path)
        _forget_broken(draft, path)


def _forget_broken(draft: Draft, path: Path) -> None:
    """Drop what was wrong with the values that the override of `path` replaced, such as an unknown variable."""
    replaced = {bad for bad in draft.bad if bad[: len(path)] == path}
    places = {draft.document.values[bad] for bad in replaced if bad in draft.document.values}
    draft.bad -= replaced
    draft.problems = [
        problem
        for problem in draft.problems
        if not any((problem.line, problem.column) == (place.line, place.column) for place in places)
    ]


def _read_value(text: str) -> Any:
    if text[:1] in ("[", "{", "'", '"'):
        document = read_document(text, substituting=False)
        if document.problems:
            raise ValueError(document.problems[0].message)
        return document.data
    return read_scalar(text)


def _split(key: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in re.findall(r"\w+", key))


def _set(data: Any, path: Path, value: Any) -> str:
    """Set `value` at `path` and return nothing, or why it cannot be set."""
    holder: Any = data
    for depth, part in enumerate(path):
        if isinstance(part, int):
            if not isinstance(holder, list):
                return f"there is no list for [{part}] to count in"
            if part > len(holder):
                last = f"its last entry is [{len(holder) - 1}]" if holder else "it is empty"
                return f"the list has no [{part}]: {last}"
            if part == len(holder):
                holder.append(None)
        elif not isinstance(holder, dict):
            return f"'{dotted(path[:depth])}' is not a map, so it has no '{part}'"
        entries: Any = holder
        if depth == len(path) - 1:
            entries[part] = value
            return ""
        inner: Any = entries[part] if isinstance(part, int) else entries.get(part)
        if inner is None:
            inner = [] if isinstance(path[depth + 1], int) else {}
        # A copy: an alias to a variable may show the same list or map elsewhere.
        entries[part] = holder = copy(inner)
    return ""
