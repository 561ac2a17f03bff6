"""Texts that come in parts, each of which may say whether it is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ft_core.data.formats.training_detail import Detail
from ft_core.errors import DataError

_TEXT_KEYS = ("text", "content", "value")
_FLAG_KEYS = ("train", "weight")


def join_parts(parts: Sequence[Any], where: str) -> tuple[str, tuple[Detail, ...]]:
    """Return the text of all parts, and which of its characters are trained.

    Parts without a flag are trained where others have one. Without any flag there are no details, and the message is
    trained or masked as a whole.

    >>> join_parts([{"type": "text", "text": "2 + 2"}, {"type": "text", "text": " = 4", "weight": 0}], "'content'")
    ('2 + 2 = 4', (Detail(start=0, end=5, train=True), Detail(start=5, end=9, train=False)))

    Parameters
    ----------
    parts
        Objects with ``text``, ``content`` or ``value``, and ``train`` (true or false) or ``weight`` (0 or 1).
    where
        What the parts are, to begin the sentence of an error.

    Raises
    ------
    DataError
        A part is no object, or holds something other than text.
    """
    texts: list[str] = []
    flags: list[bool | None] = []
    for number, part in enumerate(parts, 1):
        if not isinstance(part, Mapping):
            raise DataError(f"{where}: part {number} must be an object with a 'text', not {part!r}.")
        text = next((part[key] for key in _TEXT_KEYS if part.get(key)), "")
        if not isinstance(text, str) or (not text and not any(key in part for key in _TEXT_KEYS)):
            name = part.get("type", "nothing known")
            raise DataError(
                f"{where}: part {number} holds {name!r}, and only text can be trained on.",
                "Remove the part, or write what it says as text.",
            )
        texts.append(text)
        flags.append(next((bool(part[key]) for key in _FLAG_KEYS if part.get(key) is not None), None))
    details: list[Detail] = []
    position = 0
    for text, flag in zip(texts, flags, strict=True):
        if text:
            details.append(Detail(position, position + len(text), flag is not False))
        position += len(text)
    marked = any(flag is not None for flag in flags)
    return "".join(texts), tuple(details) if marked else ()
