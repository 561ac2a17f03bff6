"""What the columns of a row hold, or a sentence that says which does not fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ft_core.errors import DataError


def text_of(row: Mapping[str, Any], name: str) -> str:
    """Return the text of a column: a null is empty, a number is written out.

    >>> text_of({"answer": 4}, "answer"), text_of({}, "answer")
    ('4', '')

    Raises
    ------
    DataError
        It holds a list or an object.
    """
    value = row.get(name)
    if value is None:
        return ""
    if isinstance(value, (str, bool, int, float)):
        return str(value)
    raise DataError(
        f"'{name}' must be text, not {kind_of(value)}.", "Name another column, or choose another type."
    )


def list_of(row: Mapping[str, Any], name: str, what: str) -> list[Any]:
    """Return the list in a column, which may not be empty.

    Raises
    ------
    DataError
        It holds something else; `what` says what the list should hold.
    """
    value: Any = row.get(name)
    # A frame holds lists as arrays.
    if hasattr(value, "tolist"):
        value = value.tolist()
    if not isinstance(value, (list, tuple)) or not value:
        raise DataError(f"'{name}' must be a list of {what}, not {kind_of(value)}.")
    return list(cast("list[Any]", value))


def object_in(value: object, what: str) -> Mapping[str, Any]:
    """Return an element of a list as an object.

    Raises
    ------
    DataError
        It is something else; `what` names it.
    """
    if not isinstance(value, Mapping):
        raise DataError(f"{what} must be an object, not {kind_of(value)}.")
    return cast("Mapping[str, Any]", value)


def text_in(value: Mapping[str, Any], key: str, what: str) -> str:
    """Return the text under `key` of an object.

    Raises
    ------
    DataError
        It is something else, or not there; `what` names the object.
    """
    text = value.get(key)
    if not isinstance(text, str):
        held = f"must be text, not {kind_of(text)}" if key in value else "is not there"
        raise DataError(f"'{key}' of {what} {held}.")
    return text


def flag_in(value: Mapping[str, Any], key: str, what: str) -> bool:
    """Return the true or false under `key` of an object; 1 and 0 pass too.

    Raises
    ------
    DataError
        It is something else, or not there; `what` names the object.
    """
    flag = value.get(key)
    if not isinstance(flag, (bool, int)) or flag not in (True, False):
        held = f"must be true or false, not {kind_of(flag)}" if key in value else "is not there"
        raise DataError(f"'{key}' of {what} {held}.")
    return bool(flag)


def kind_of(value: object) -> str:
    """Return what kind of JSON value this is, for a sentence.

    >>> kind_of(None), kind_of([]), kind_of({"a": 1})
    ('null', 'an empty list', 'an object')
    """
    if value is None:
        return "null"
    if isinstance(value, (list, tuple)) and not value:
        return "an empty list"
    kinds = {
        bool: "true or false",
        str: "text",
        list: "a list",
        tuple: "a list",
        int: "a number",
        float: "a number",
    }
    return next((name for kind, name in kinds.items() if isinstance(value, kind)), "an object")
