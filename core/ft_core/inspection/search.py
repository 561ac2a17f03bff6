"""Finding rows by a text that stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ft_core.inspection.row_flags import texts_in

_SAME_IN_JSON = re.compile(r"[ -~]+")
"""Texts of characters that JSON writes as they are, but for the few that it escapes."""


def matcher(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the function that says whether a row holds `text` in any of its values, whatever the case.

    >>> matcher("HÉ")({"messages": [{"role": "user", "content": "Oh, hé!"}]})
    True
    """
    wanted = text.lower()

    def holds(row: Mapping[str, Any]) -> bool:
        return any(wanted in value.lower() for value in texts_in(row))

    return holds


def line_matcher(text: str) -> Callable[[bytes], bool]:
    r"""Return the function that says whether the row of a line of JSON may hold `text`; False is certain.

    >>> may_hold = line_matcher("Love")
    >>> may_hold(b'{"text": "LOVE"}'), may_hold(b'{"text": "hate"}'), may_hold(b'{"text": "\\u006cove"}')
    (True, False, True)
    """
    if not _SAME_IN_JSON.fullmatch(text) or any(sign in text for sign in '"\\/'):
        return lambda _: True
    wanted = text.lower().encode()

    def may_hold(line: bytes) -> bool:
        # An escape may stand for any letter, and some other letters are ASCII in lower case (the Kelvin sign).
        return wanted in line.lower() or not line.isascii() or b"\\u" in line

    return may_hold
