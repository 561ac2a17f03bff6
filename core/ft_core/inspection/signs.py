r"""Text of any origin as signs that can be seen, and that change nothing around them.

Rows hold control characters, marks that turn the direction of a line, and halves of surrogate pairs. A terminal would obey
the first, a page the second, and neither can write the third.

>>> visible(" a\tb\n")
'·a→b⏎'
>>> visible("\x1b[31m \u202e") == "␛[31m·\u2039U+202E\u203a"
True
>>> readable("two\nlines\x00")
'two\nlines␀'
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "[\x00-\x20\x7f-\xa0\xad\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufe00-\ufe0f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
"""Controls, spaces of all kinds, marks of direction, variation selectors, halves of surrogate pairs, tags."""

_KEPT = frozenset(" \t\n\u00a0\u200d\u3000\ufe0f")
"""What running text needs: spaces, line ends, and what joins the parts of an emoji."""

_NAMED = {" ": "·", "\n": "⏎", "\t": "→", "\u00a0": "⍽", "\x7f": "␡"}


def visible(text: str) -> str:
    """Return `text` with a sign for all that cannot be seen, spaces and line ends too."""
    return _UNSEEN.sub(_sign, text)


def readable(text: str) -> str:
    """Return running text: its lines and spaces stay what they are, all else that cannot be seen is a sign."""
    return _UNSEEN.sub(lambda found: found[0] if found[0] in _KEPT else _sign(found), text)


def shortened(text: str, limit: int) -> str:
    """Return at most `limit` characters of `text`, and how many more there are.

    >>> shortened("abcdef", 4)
    'abcd… 2 more'
    """
    return text if len(text) <= limit else f"{text[:limit]}… {len(text) - limit:,} more"


def _sign(found: re.Match[str]) -> str:
    """Return the sign of one character: a name of its own, a control picture, or its number."""
    character = found[0]
    code = ord(character)
    if code < 0x20 and character not in _NAMED:
        return chr(0x2400 + code)
    return _NAMED.get(character) or f"\u2039U+{code:04X}\u203a"
