"""What a key's value may be: kinds of value that check themselves and say in words what they accept.

Each stands in an annotation, as in ``Annotated[int, Whole(1)]``. They are stricter than pydantic where a slip would
pass unseen (``true`` is no number), and as lenient as Axolotl where YAML is odd (``2e-4`` is text in YAML 1.1).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ft_core.config.problems import did_you_mean, listed, shown


def rejected(
    message: str, fix: str = "", item: int | str | None = None, *, planned: bool = False
) -> PydanticCustomError:
    """Return the error for a value.

    Parameters
    ----------
    message
        Continues "'key' ...".
    fix
        What to write instead.
    item
        Which element of the value is to blame.
    planned
        Whether the value is understood and that is what it asks for that training does not do yet.
    """
    context = {"message": message, "fix": fix, "item": item, "planned": planned}
    return PydanticCustomError("ft", "{message}", context)


def names(text: str) -> tuple[str, ...]:
    """Return the names that `text` holds, which stand apart by spaces."""
    return tuple(text.split())


@dataclass(frozen=True)
class Planned:
    """Marks a key that is understood and that training does not do yet: a value that asks for something is refused.

    Attributes
    ----------
    instead
        What to do without it, for the fix of the error.
    """

    instead: str = "remove it"


@dataclass(frozen=True)
class Checked:
    """A kind of value: pydantic calls `check` before its own validation."""

    def check(self, value: object) -> object:
        """Return the value as the config keeps it, or raise what `rejected` makes."""
        raise NotImplementedError

    @property
    def words(self) -> str:
        """What is accepted, for people."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.check, handler(source))


@dataclass(frozen=True)
class Flag(Checked):
    """``true`` or ``false``; the same words in quotes pass too."""

    def check(self, value: object) -> bool:
        """Return the truth value."""
        if isinstance(value, bool):
            return value
        if isinstance(value, str) and value.lower() in ("true", "false"):
            return value.lower() == "true"
        raise rejected(f"must be true or false, not {shown(value)}")

    @property
    def words(self) -> str:
        """What is accepted."""
        return "true or false"


@dataclass(frozen=True)
class Number(Checked):
    """A finite number within bounds."""

    minimum: float | None = None
    above: float | None = None
    maximum: float | None = None
    below: float | None = None

    def check(self, value: object) -> float:
        """Return the number."""
        number = _to_float(value)
        if number is None or not math.isfinite(number):
            raise rejected(f"must be a number, not {shown(value)}")
        self.check_bounds(number, value)
        return number

    def check_bounds(self, number: float, value: object) -> None:
        """Raise where `number` is out of bounds; `value` is how it was written."""
        wrong = (
            (self.minimum is not None and number < self.minimum)
            or (self.above is not None and number <= self.above)
            or (self.maximum is not None and number > self.maximum)
            or (self.below is not None and number >= self.below)
        )
        if wrong:
            raise rejected(f"must be {self.bounds}, not {shown(value)}")

    @property
    def bounds(self) -> str:
        """The bounds in words."""
        named = (
            ("at least", self.minimum),
            ("greater than", self.above),
            ("at most", self.maximum),
            ("less than", self.below),
        )
        return " and ".join(f"{words} {_written(bound)}" for words, bound in named if bound is not None)

    @property
    def words(self) -> str:
        """What is accepted."""
        return ", ".join(part for part in ("a number", self.bounds) if part)


@dataclass(frozen=True)
class Whole(Number):
    """A whole number within bounds."""

    def check(self, value: object) -> int:
        """Return the whole number."""
        if isinstance(value, int) and not isinstance(value, bool):
            whole = value
        else:
            number = _to_float(value)
            if number is None or not number.is_integer():
                raise rejected(f"must be a whole number, not {shown(value)}")
            whole = int(number)
        # Larger ones overflow where they are used.
        if abs(whole) >= 2**63:
            raise rejected("is too large a number")
        self.check_bounds(whole, value)
        return whole

    @property
    def words(self) -> str:
        """What is accepted."""
        return ", ".join(part for part in ("a whole number", self.bounds) if part)


@dataclass(frozen=True)
class Steps(Number):
    """A count of steps (a whole number), or a share of all steps (below 1)."""

    above: float | None = 0

    def check(self, value: object) -> float:
        """Return an int for a count, a float for a share."""
        number = super().check(value)
        if number < 1:
            return number
        if not number.is_integer():
            raise rejected(f"must be a whole number of steps or a share below 1, not {shown(value)}")
        return int(number)

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a whole number of steps, or a share of all steps below 1"


@dataclass(frozen=True)
class Text(Checked):
    """Text that is not empty."""

    what: str = "text"

    def check(self, value: object) -> str:
        """Return the text."""
        if isinstance(value, (bool, int, float)):
            raise rejected(
                f"must be {self.what}, not {shown(value)}", "put it in quotes if it is meant as text"
            )
        if not isinstance(value, str):
            raise rejected(f"must be {self.what}, not {shown(value)}")
        if not value.strip():
            raise rejected("is empty", "write a value, or remove the line")
        if "\0" in value:
            raise rejected("holds a NUL character")
        return value

    @property
    def words(self) -> str:
        """What is accepted."""
        return self.what


@dataclass(frozen=True)
class PathText(Text):
    """Text that may name a local file or folder; ``~`` becomes the home folder."""

    def check(self, value: object) -> str:
        """Return the text."""
        text = super().check(value)
        # os.path's never raises, where there is no home folder.
        return os.path.expanduser(text)  # noqa: PTH111


@dataclass(frozen=True)
class Choice(Checked):
    """One of a few names.

    Attributes
    ----------
    options
        The names that are accepted.
    planned
        Names that Axolotl knows and this project does not support yet.
    planned_pattern
        A regular expression of further such names.
    advice
        What to write instead of a wrong one; by default the options.
    flags
        Whether ``true`` and ``false`` are accepted as well.
    aliases
        Names that people write for one of the options, each with that option.
    pattern
        A regular expression of further names that are accepted.
    """

    options: tuple[str, ...]
    planned: tuple[str, ...] = ()
    advice: str = ""
    flags: bool = False
    planned_pattern: str = ""
    aliases: tuple[tuple[str, str], ...] = ()
    pattern: str = ""

    def check(self, value: object) -> str | bool:
        """Return the name."""
        if self.flags:
            if isinstance(value, bool):
                return value
            if isinstance(value, str) and value.lower() in ("true", "false"):
                return value.lower() == "true"
        # YAML 1.1 reads a bare no as false.
        if value is False and "no" in self.options:
            return "no"
        if value is False and "false" in self.options:
            return "false"
        if isinstance(value, str):
            if value in self.options or (self.pattern and re.fullmatch(self.pattern, value)):
                return value
            if value in self.planned or (self.planned_pattern and re.fullmatch(self.planned_pattern, value)):
                raise rejected(f"cannot be {shown(value)}: it is not supported yet", self.fix, planned=True)
            meant = dict(self.aliases).get(value.lower())
            guess = f"; did you mean '{meant}'?" if meant else did_you_mean(value, self.options)
        else:
            guess = ""
        raise rejected(f"cannot be {shown(value)}{guess}", self.fix)

    @property
    def fix(self) -> str:
        """What to write instead of a wrong name."""
        return self.advice or f"use {self.words}"

    @property
    def words(self) -> str:
        """What is accepted."""
        quoted = [f"'{option}'" for option in self.options]
        return listed(["true", "false", *quoted] if self.flags else quoted)


@dataclass(frozen=True)
class TextList(Checked):
    """A list of texts, kept as a tuple.

    Attributes
    ----------
    single
        Whether one text alone stands for a list of it.
    keyword
        A word that is accepted in place of the list.
    """

    single: bool = False
    keyword: str | None = None

    def check(self, value: object) -> tuple[str, ...] | str:
        """Return the texts, or the keyword."""
        if self.keyword is not None and value == self.keyword:
            return self.keyword
        if self.single and isinstance(value, str):
            value = [value]
        if not isinstance(value, (list, tuple)):
            guess = did_you_mean(value, [self.keyword]) if self.keyword and isinstance(value, str) else ""
            example = f"[{value}]" if isinstance(value, str) and len(value) < 40 else "[one, two]"
            raise rejected(f"must be {self.words}, not {shown(value)}{guess}", f"write {example}")
        texts: list[str] = []
        for index, item in enumerate(cast("Sequence[object]", value)):
            if not isinstance(item, str) or not item:
                raise rejected(f"must hold text only, not {shown(item)}", "put it in quotes", index)
            texts.append(item)
        return tuple(texts)

    @property
    def words(self) -> str:
        """What is accepted."""
        return f"'{self.keyword}' or a list of texts" if self.keyword else "a list of texts"


@dataclass(frozen=True)
class FreeMap(Checked):
    """A map whose keys are somebody else's to check."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise rejected(f"must be a map of 'name: value' lines, not {shown(value)}")
        return value

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a map"


@dataclass(frozen=True)
class TextMap(FreeMap):
    """A map from text to text; `defaults` stand for names that it does not hold."""

    defaults: tuple[tuple[str, str], ...] = ()

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        checked = super().check(value)
        _require_text(checked.items())
        return {**dict(self.defaults), **checked}

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a map of texts"


@dataclass(frozen=True)
class TextListMap(FreeMap):
    """A map from text to a list of texts; one text alone stands for a list of it."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        checked = super().check(value)
        lists = {key: [item] if isinstance(item, str) else item for key, item in checked.items()}
        for key, items in lists.items():
            if not isinstance(items, (list, tuple)):
                raise rejected(f"must map to lists of texts, not to {shown(items)}", "", key)
            _require_text((key, item) for item in items)
        return {key: tuple(items) for key, items in lists.items()}

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a map of lists of texts"


@dataclass(frozen=True)
class WholeList(Checked):
    """A list of whole numbers, kept as a tuple.

    Attributes
    ----------
    minimum
        The least that each may be.
    """

    minimum: int | None = None

    def check(self, value: object) -> tuple[int, ...]:
        """Return the numbers."""
        if not isinstance(value, (list, tuple)):
            raise rejected(f"must be {self.words}, not {shown(value)}", "write [0, 1]")
        numbers: list[int] = []
        for index, item in enumerate(cast("Sequence[object]", value)):
            number = _to_float(item)
            if number is None or not number.is_integer():
                raise rejected(f"must hold whole numbers only, not {shown(item)}", "", index)
            if self.minimum is not None and number < self.minimum:
                raise rejected(f"must hold numbers of at least {self.minimum}, not {shown(item)}", "", index)
            numbers.append(int(number))
        return tuple(numbers)

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a list of whole numbers"


@dataclass(frozen=True)
class NumberList(Checked):
    """A list of finite numbers, kept as a tuple."""

    def check(self, value: object) -> tuple[float, ...]:
        """Return the numbers."""
        if not isinstance(value, (list, tuple)):
            raise rejected(f"must be {self.words}, not {shown(value)}", "write [1.0, 0.5]")
        numbers: list[float] = []
        for index, item in enumerate(cast("Sequence[object]", value)):
            number = _to_float(item)
            if number is None or not math.isfinite(number):
                raise rejected(f"must hold numbers only, not {shown(item)}", "", index)
            numbers.append(number)
        return tuple(numbers)

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a list of numbers"


@dataclass(frozen=True)
class WholeMap(FreeMap):
    """A map from text to whole numbers of at least 1."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        checked = super().check(value)
        for key, item in checked.items():
            number = _to_float(item)
            if number is None or not number.is_integer() or number < 1:
                raise rejected(f"must map to whole numbers of at least 1, not to {shown(item)}", "", key)
        return {key: int(float(item)) for key, item in checked.items()}

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a map of whole numbers"


@dataclass(frozen=True)
class MapList(Checked):
    """A list of maps whose keys are somebody else's to check, kept as a tuple."""

    def check(self, value: object) -> tuple[dict[str, Any], ...]:
        """Return the maps."""
        if not isinstance(value, (list, tuple)):
            raise rejected(f"must be {self.words}, not {shown(value)}", "begin each entry with '- '")
        for index, item in enumerate(cast("Sequence[object]", value)):
            if not isinstance(item, dict):
                raise rejected(f"must hold maps only, not {shown(item)}", "", index)
        return tuple(value)

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a list of maps"


@dataclass(frozen=True)
class Either(Checked):
    """A value of one of several kinds, tried in their order."""

    kinds: tuple[Checked, ...]

    def check(self, value: object) -> object:
        """Return the value as the first kind that accepts it keeps it."""
        for kind in self.kinds:
            with suppress(PydanticCustomError):
                return kind.check(value)
        raise rejected(f"must be {self.words}, not {shown(value)}")

    @property
    def words(self) -> str:
        """What is accepted."""
        return ", or ".join(kind.words for kind in self.kinds)


def _require_text(items: Iterable[tuple[str, object]]) -> None:
    for key, item in items:
        if not isinstance(item, str) or not item:
            raise rejected(f"must hold text only, not {shown(item)}", "put it in quotes", key)


def _to_float(value: object) -> float | None:
    """Return the number that `value` writes, or None."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        return float(value)
    except (ValueError, OverflowError):
        return None


def _written(bound: float) -> str:
    """Return a bound as people write it."""
    return str(int(bound)) if float(bound).is_integer() else f"{bound:g}"
