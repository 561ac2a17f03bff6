"""How the static pictures are written: escaped text, inline style, and nothing that a page could run.

Every piece of HTML of the notebook side goes through :func:`text`, so words from a dataset, a YAML or a log are
shown as they are and never read as markup. Styles are inline because notebooks drop ``<style>`` from outputs they
do not trust, and colours are ``currentColor`` or half-transparent so that one picture reads in light and dark themes.
"""

from __future__ import annotations

import html
import math
from collections.abc import Collection, Iterable, Sequence

MUTED = "opacity:.7"
"""Style of what is said beside the main thing."""

RULE = "1px solid #8886"
"""A border that is visible on any background: half-transparent grey."""

CELL = "text-align:left;padding:.2em .8em .2em 0;vertical-align:top"

WHOLE = "white-space:nowrap"
"""Style of what stays on one line: a card may break long values anywhere."""

NUMBER = "text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums"
"""Style of a cell with a number, whose digits stand below those of the next."""

MONO = "font-family:var(--jp-code-font-family, monospace)"

CARD = (
    f"border:{RULE};border-radius:4px;padding:.6em .8em;margin:.3em 0;max-width:60em;overflow-wrap:anywhere"
)


def text(value: object) -> str:
    """Return `value` as text that HTML shows and never interprets, in an element or in a quoted attribute."""
    return html.escape(str(value), quote=True)


def code(value: object) -> str:
    """Return `value` escaped, in the code font."""
    return f"<code>{text(value)}</code>"


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = (), *, numbers: Collection[str] = ()) -> str:
    """Return an HTML table; `rows` and `header` are HTML already, a row without a header starts with its name.

    The columns whose header is in `numbers` are flush right.
    """
    styles = [f"{CELL};{NUMBER}" if name in numbers else CELL for name in header]
    head = ""
    if header:
        cells = "".join(
            f'<th scope="col" style="{style}">{cell}</th>' for cell, style in zip(header, styles, strict=True)
        )
        head = f"<thead><tr>{cells}</tr></thead>"
    body = ""
    for first, *others in rows:
        opening, closing = ("<td", "</td>") if header else ('<th scope="row"', "</th>")
        leading, *trailing = styles or [f"{CELL};{WHOLE}", *[CELL] * len(others)]
        cells = f'{opening} style="{leading}">{first}{closing}'
        cells += "".join(
            f'<td style="{style}">{cell}</td>' for cell, style in zip(others, trailing, strict=True)
        )
        body += f"<tr>{cells}</tr>"
    return f'<table style="border-collapse:collapse;margin:.3em 0">{head}<tbody>{body}</tbody></table>'


def columns(rows: Iterable[Sequence[str]]) -> str:
    """Return `rows` as plain text in aligned columns."""
    lines = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def notice(message: str, fix: str = "", *, mark: str = "Warning") -> str:
    """Return one warning or failure as HTML: a word, the sentence, and what to do about it."""
    remedy = f'<br><span style="{MUTED}">{text(fix)}</span>' if fix else ""
    return (
        f'<div style="border-left:.25em solid currentColor;padding:.1em .6em;margin:.4em 0">'
        f"<strong>{text(mark)}:</strong> {text(message)}{remedy}</div>"
    )


def number(value: float | None) -> str:
    """Return a number for people.

    >>> number(1234567), number(0.1234567), number(2e-4), number(None)
    ('1,234,567', '0.1235', '0.0002', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.1f}" if abs(value) >= 1000 else f"{value:.4g}"


def size(count: float) -> str:
    """Return a number of bytes for people.

    >>> size(512), size(269_060_552), size(85_520_809_984)
    ('512 B', '256.6 MiB', '79.6 GiB')
    """
    for power, unit in ((3, "GiB"), (2, "MiB"), (1, "KiB")):
        if count >= 1024**power:
            return f"{count / 1024**power:,.1f} {unit}"
    return f"{count:,.0f} B"


def duration(seconds: float | None) -> str:
    """Return a time span for people.

    >>> duration(8.4), duration(75), duration(7300), duration(200000), duration(None)
    ('8 s', '1 min 15 s', '2 h 1 min', '2 d 7 h', '-')
    """
    if seconds is None or not math.isfinite(seconds):
        return "-"
    whole = max(0, round(seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        amount, whole = divmod(whole, size)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount} {unit}")
        elif parts:
            break
    return " ".join(parts[:2])
