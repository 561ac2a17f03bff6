"""What a key of the YAML means, drawn: ``%ft explain KEY``; and every key by topic."""

from __future__ import annotations

from dataclasses import dataclass

from ft_core.config import KeyDoc
from ft_core.config.describe import NOT_YET, describe, describe_topics, rows, topics
from ft_jupyter.markup import CARD, MUTED, code, table, text

CODE_ROWS = ("one of", "not yet", "default", "example", "see also")
"""Rows whose words are words of a YAML."""


@dataclass(frozen=True)
class KeyCard:
    """What is known about a key."""

    doc: KeyDoc

    def __repr__(self) -> str:
        return describe(self.doc)

    def _repr_html_(self) -> str:
        # The card breaks long words; the names of its rows must stay whole.
        cells = [
            (
                f'<span style="white-space:nowrap">{text(name)}</span>',
                code(value) if name in CODE_ROWS else text(value),
            )
            for name, value in rows(self.doc)
        ]
        return f'<div style="{CARD}"><strong>{code(self.doc.key)}</strong><p>{_marked(self.doc.text)}</p>{table(cells)}</div>'


class KeyList:
    """Every key, by topic."""

    def __repr__(self) -> str:
        return describe_topics()

    def _repr_html_(self) -> str:
        parts: list[str] = []
        for name, about, works, planned in topics():
            later = f'<div style="{MUTED}">{NOT_YET}: {code(", ".join(planned))}</div>' if planned else ""
            now = f"<div>{code(', '.join(works))}</div>" if works else ""
            parts.append(
                f'<div style="margin:.6em 0"><strong>{text(name)}</strong> <span style="{MUTED}">{_marked(about)}</span>{now}{later}</div>'
            )
        how = f'<div style="{MUTED}"><code>%ft explain KEY</code> says what one means.</div>'
        return f'<div style="{CARD}">{"".join(parts)}{how}</div>'


def _marked(words: str) -> str:
    """Return the words of a text as HTML, those between backticks in the code font."""
    return "".join(code(part) if index % 2 else text(part) for index, part in enumerate(words.split("`")))
