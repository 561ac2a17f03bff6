"""Patterns of ``unfrozen_parameters``: which of a model's weights are meant, whole or some of their rows.

A pattern is a regular expression that is matched from the beginning of a weight's name, such as
``model.layers.0.mlp.up_proj.weight``; it need not reach the end. A dot stands for itself, as names are full of them, but
in ``.*`` and ``.+``. A slice at the end takes rows: ``lm_head.weight$[:32000]``, ``[100]`` for one, ``[100:]`` for the rest.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_SLICE = re.compile(r"(?P<name>.+)\[(?P<start>\d*)(?P<colon>:?)(?P<end>\d*)\]")
_OWN_DOT = re.compile(r"(?<!\\)\.(?![*+])")


@dataclass(frozen=True)
class ParameterPattern:
    """One pattern.

    Attributes
    ----------
    text
        As it was written.
    name
        What names begin with.
    rows
        The first row and the one after the last (None: to the end), or None for the whole weight.
    """

    text: str
    name: re.Pattern[str]
    rows: tuple[int, int | None] | None

    def matches(self, name: str) -> bool:
        """Say whether the weight `name` is meant."""
        return self.name.match(name) is not None


def parse_pattern(text: str) -> ParameterPattern:
    r"""Return the pattern that `text` writes.

    Raises
    ------
    ValueError
        It is no regular expression, or its slice has no rows.

    Examples
    --------
    >>> parse_pattern("model.layers.(30|31).").name.pattern
    'model\\.layers\\.(30|31)\\.'
    >>> parse_pattern("lm_head.weight$[:32000]").rows, parse_pattern("lm_head.weight[7]").rows
    ((0, 32000), (7, 8))
    """
    rows = None
    name = text
    sliced = _SLICE.fullmatch(text)
    if sliced is not None and (sliced["colon"] or sliced["start"]):
        name = sliced["name"]
        start = int(sliced["start"] or 0)
        end = start + 1 if not sliced["colon"] else int(sliced["end"]) if sliced["end"] else None
        if end is not None and end <= start:
            raise ValueError(f"the slice of '{text}' has no rows")
        rows = (start, end)
    try:
        return ParameterPattern(text, re.compile(_OWN_DOT.sub(r"\\.", name)), rows)
    except re.error as error:
        raise ValueError(f"'{text}' is no regular expression: {error}") from error


def why_unreadable(text: str) -> str:
    """Return why `text` is no pattern, or nothing where it is one."""
    try:
        parse_pattern(text)
    except ValueError as error:
        return str(error)
    return ""
