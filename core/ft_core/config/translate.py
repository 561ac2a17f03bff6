"""Moving a value from where an older form wrote it to where it belongs, without losing its place in the text."""

from __future__ import annotations

from typing import Any, cast

from ft_core.config.document import Path
from ft_core.config.draft import Draft, dotted
from ft_core.config.problems import clipped, shown


def asks(value: Any) -> bool:
    """Whether a value asks for something: not null, false, empty, or a map of keys without values."""
    if isinstance(value, dict):
        return any(inner is False or asks(inner) for inner in cast("dict[str, Any]", value).values())
    return value is not None and value is not False and value not in ("", [])


def copied(value: Any) -> Any:
    """Return `value` with maps and lists of its own: aliases to a variable show the same ones in several places."""
    if isinstance(value, dict):
        return {key: copied(inner) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [copied(inner) for inner in cast("list[Any]", value)]
    return value


def take(holder: dict[str, Any], key: str) -> Any:
    """Remove `key` from `holder` and return its value, or None where it asks for nothing."""
    value = holder.pop(key, None)
    return value if asks(value) else None


def in_short(value: Any) -> str:
    """Return `value` as a warning writes it in a line of YAML.

    >>> in_short("a"), in_short(3), in_short(True), in_short([1])
    ('a', '3', 'true', '...')
    """
    if isinstance(value, str):
        return clipped(value)
    return shown(value) if isinstance(value, (bool, int, float)) else "..."


def move(draft: Draft, old: Path, new: Path, value: Any) -> bool:
    """Put the `value` that was written at `old` to `new`, and return whether it came to stand there.

    Where `new` already has a value, an override wins, two equal values are one, and anything else is a disagreement that is
    reported.
    """
    holder = _holder(draft, old, new)
    key = str(new[-1])
    if holder is None:
        return False
    there = holder.get(key)
    if there is not None:
        if there == value or draft.override_of(draft.written(new)):
            return False
        if not draft.override_of(draft.written(old)):
            now = dotted(new[_common(old, new) :])
            draft.report(old, f"'{old[-1]}' and '{now}' say different things", f"keep only '{now}'", at="key")
            return False
    if draft.is_bad(old):
        draft.bad.add(new)
    holder[key] = value
    draft.moved[new] = draft.written(old)
    return True


def _holder(draft: Draft, old: Path, new: Path) -> dict[str, Any] | None:
    """Return the map that holds `new`, made where it is missing; None where something else stands in its place."""
    holder: Any = draft.data
    for depth, part in enumerate(new[:-1]):
        inner: Any = holder[part] if isinstance(part, int) else holder.get(part)
        if inner is None:
            inner = holder[part] = {}
            draft.moved[new[: depth + 1]] = draft.written(old)
        if not isinstance(inner, list if isinstance(new[depth + 1], int) else dict):
            return None
        holder = inner
    return holder


def _common(old: Path, new: Path) -> int:
    """Return how many parts of two paths are the same."""
    return next(
        (depth for depth, (one, other) in enumerate(zip(old, new, strict=False)) if one != other), len(old)
    )
