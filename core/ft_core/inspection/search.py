"""Finding rows by a text that stands in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ft_core.inspection.row_flags import texts_in


def matcher(text: str) -> Callable[[Mapping[str, Any]], bool]:
    """Return the function that says whether a row holds `text` in any of its values, whatever the case.

    >>> matcher("STRASSE")({"messages": [{"role": "user", "content": "In der Straße"}]})
    True
    """
    wanted = text.casefold()

    def holds(row: Mapping[str, Any]) -> bool:
        return any(wanted in value.casefold() for value in texts_in(row))

    return holds
