"""What is wrong with a config, as sentences that point at a line.

::

    line 7, column 3: unknown key 'sequense_len'; did you mean 'sequence_len'?
        sequense_len: 512
        ^
    fix: write 'sequence_len', or remove the line
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from ft_core.errors import FtError

LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""What ends a line in YAML 1.1, so that our line numbers are PyYAML's."""

SHOWN_WIDTH = 100
"""Columns of a source line that an error shows; the rest is clipped around the caret."""

SHOWN_VALUE = 60
"""Characters of a value that an error quotes."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong (or doubtful) in a config.

    Attributes
    ----------
    line, column
        Where, counted from 1; None where no place in the text is to blame (a missing key, an override).
    key
        Dotted path of the key, such as ``datasets[0].path``; empty for the whole document.
    message
        What is wrong, one sentence without a full stop.
    fix
        What to write instead.
    severity
        ``error`` stops the load; ``warning`` does not.
    """

    line: int | None
    column: int | None
    key: str
    message: str
    fix: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def where(self) -> str:
        """``line 7, column 3``, or nothing where no place is known."""
        return "" if self.line is None else f"line {self.line}, column {self.column}"


class ConfigError(FtError):
    """The config cannot be used; carries every problem at once, in the order of the text.

    Parameters
    ----------
    problems
        All of them, warnings included; at least one is an error.
    source
        The text as it was given; empty where the config was a mapping.
    first_line
        The number that the first line of `source` goes by.
    """

    def __init__(self, problems: Iterable[Problem], source: str = "", first_line: int = 1) -> None:
        self.problems = tuple(sorted(problems, key=in_order))
        self.source = source
        self.first_line = first_line
        errors = [problem for problem in self.problems if problem.severity == "error"]
        first = errors[0]
        place = f"{first.where}: " if first.where else ""
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        super().__init__(f"{place}{first.message}{more}", first.fix)

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[type[ConfigError], tuple[tuple[Problem, ...], str, int]]:
        return ConfigError, (self.problems, self.source, self.first_line)

    def render(self, color: bool = False) -> str:
        """Return every problem with its source line, a caret and its fix.

        Parameters
        ----------
        color
            Whether to add ANSI colours.
        """
        return render(self.problems, self.source, first_line=self.first_line, color=color)


def render(problems: Sequence[Problem], source: str, *, first_line: int = 1, color: bool = False) -> str:
    """Return `problems` as text, each with its line of `source`, a caret and its fix."""
    lines = LINE_BREAK.split(source)

    def paint(text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if color else text

    blocks: list[str] = []
    for problem in problems:
        warning = problem.severity == "warning"
        head = ": ".join(
            part for part in (problem.where, "warning" if warning else "", problem.message) if part
        )
        block = [paint(visible(head), "33" if warning else "31")]
        index = None if problem.line is None else problem.line - first_line
        if index is not None and 0 <= index < len(lines) and problem.column is not None:
            shown, offset = _clip(lines[index], problem.column - 1)
            block += [f"    {shown}", f"    {' ' * offset}{paint('^', '1')}"]
        if problem.fix:
            block.append(f"fix: {visible(problem.fix)}")
        blocks.append("\n".join(block))
    return "\n".join(blocks)


def visible(text: str) -> str:
    """Return `text` with every character that a terminal would obey, or that has no shape, as an escape."""
    return "".join(character if character.isprintable() else _escape(character) for character in text)


def shown(value: object) -> str:
    """Return `value` as an error quotes it: as YAML has it, clipped and on one line.

    >>> shown("abc"), shown(True), shown(3), shown({"a": 1})
    ("'abc'", 'true', '3', 'a map')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        # Python refuses to write integers of more than 4300 digits.
        return (
            clipped(str(value)) if isinstance(value, float) or value.bit_length() < 1000 else "a huge number"
        )
    if isinstance(value, str):
        return f"'{clipped(value)}'"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, (list, tuple)):
        return "a list"
    return f"a {type(value).__name__}"


def clipped(text: str) -> str:
    """Return the start of `text`, made visible."""
    return visible(text if len(text) <= SHOWN_VALUE else text[: SHOWN_VALUE - 3] + "...")


def nearest(name: str, options: Iterable[str], count: int = 2) -> list[str]:
    """Return at most `count` of `options` that `name` may be a slip of, best first."""
    # difflib is quadratic in the length, and no option is that long.
    short = name[:80].lower()
    by_lower = {option.lower(): option for option in options}
    close = difflib.get_close_matches(short, by_lower, n=count, cutoff=0.7)
    ratios = [difflib.SequenceMatcher(None, lower, short).ratio() for lower in close]
    if not ratios or ratios[0] < 0.9:
        # What the name begins is nearer than letters tell: adamw is adamw_torch, not grokadamw.
        begun = sorted((lower for lower in by_lower if len(short) > 2 and lower.startswith(short)), key=len)
        if begun:
            return [by_lower[lower] for lower in begun[:count]]
    return [by_lower[lower] for lower, ratio in zip(close, ratios, strict=True) if ratio >= ratios[0] - 0.08]


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """Return ``; did you mean 'a' or 'b'?``, or nothing where no option is near."""
    found = nearest(name, options)
    return f"; did you mean {listed([repr(option) for option in found])}?" if found else ""


def listed(options: Sequence[str]) -> str:
    """Return ``a, b or c``."""
    return options[0] if len(options) == 1 else f"{', '.join(options[:-1])} or {options[-1]}"


def in_order(problem: Problem) -> tuple[bool, int, int]:
    """Return what problems are sorted by: their place; what has none comes last."""
    return problem.line is None, problem.line or 0, problem.column or 0


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")


def _clip(line: str, column: int) -> tuple[str, int]:
    """Return what is shown of `line`, and the display offset of its 0-based `column`."""
    column = min(column, len(line))
    start = 0 if column < SHOWN_WIDTH - 10 else column - SHOWN_WIDTH // 2
    end = start + SHOWN_WIDTH
    head = "..." if start else ""
    before = visible(line[start:column])
    after = visible(line[column:end])
    tail = "..." if end < len(line) else ""
    return f"{head}{before}{after}{tail}".rstrip(), _width(head + before)


def _width(text: str) -> int:
    """Return how many columns `text` takes in a terminal."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )
