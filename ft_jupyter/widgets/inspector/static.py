"""The still picture of an inspector: for GitHub, nbconvert and a notebook that is opened without its kernel.

The first samples token by token with the rule behind each label, and above them what is known of the whole set so far.
There is no script and no style sheet, so it is drawn with inline styles whose colours read on light and on dark, and what
they say is said without them too: what is trained is underlined, special tokens are bold, every turn has its role as a
word, and each token's title gives its place and id.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from ft_core.data import IGNORE, Sample, Span
from ft_core.data.document import TEMPLATE_ROLE
from ft_core.inspection.finding import Finding
from ft_core.inspection.look import Looked, LookedSample
from ft_core.inspection.signs import readable, shortened, visible
from ft_core.inspection.summary import Summary
from ft_core.inspection.tokens import TokenTable
from ft_core.inspection.words import MARKS, finding_words, flag_titles, heading, reason, row_number
from ft_jupyter.markup import CARD, MONO, MUTED, number, table, text

TOKEN_LIMIT = 512
"""Tokens drawn of one sample: a saved notebook keeps them all, and nobody reads more in a still picture."""

FINDING_LIMIT = 12
"""Findings told; the first are the worst."""

GREEN = "#0a7"
"""Reads on white and on black; what it says is said by a line as well."""

TRAINED = (
    "background:#00aa7726;border-radius:3px;text-decoration:underline 2px #00aa77;text-underline-offset:.3em"
)
MASKED = "opacity:.72;border-bottom:1px dotted #8888"
TOKEN = "border-right:1px solid #8885"  # noqa: S105 - a style, no password
SPECIAL = "font-weight:600;font-size:.85em;border:1px solid #8888;border-radius:3px;padding:0 .2em"


@dataclass(frozen=True)
class Still:
    """What the picture shows.

    Attributes
    ----------
    title
        What is inspected.
    about
        How many rows, of what, in words.
    looked
        The first rows and what became of them.
    tokens
        What their ids stand for; None where the tokenizer was not loaded yet, and then `previews` are shown.
    previews
        The first rows as a line of text each.
    summary, findings
        What is known of the whole set; None and empty where nothing is.
    progress
        How much of the set that is about, in words; empty where it is about all.
    """

    title: str
    about: str
    looked: tuple[Looked, ...] = ()
    tokens: TokenTable | None = None
    previews: tuple[str, ...] = ()
    summary: Summary | None = None
    findings: tuple[Finding, ...] = ()
    progress: str = ""


def still_html(still: Still) -> str:
    """Return the picture as HTML."""
    parts = [
        f'<div><strong>{_text(still.title)}</strong> <span style="{MUTED}">{_text(still.about)}</span></div>',
        *_set_html(still),
    ]
    if still.tokens is not None:
        parts += [_legend(), *(_row_html(looked, still.tokens) for looked in still.looked)]
    elif still.previews:
        items = "".join(f"<li>{_text(preview)}</li>" for preview in still.previews)
        parts.append(f'<ol style="margin:.5em 0">{items}</ol>')
    return f'<div class="ft-samples" style="{CARD};max-width:72em">{"".join(parts)}</div>'


def still_text(still: Still) -> str:
    """Return the picture as plain text: a line for each span."""
    lines = [f"{still.title}: {still.about}"]
    if still.progress:
        lines.append(still.progress)
    lines += [
        f"{MARKS[finding.severity]}: {finding_words(finding)}" for finding in still.findings[:FINDING_LIMIT]
    ]
    for looked in still.looked:
        lines += row_lines(looked)
    return readable("\n".join([*lines, *(() if still.looked else still.previews)]))


def row_lines(looked: Looked) -> Iterator[str]:
    """Yield a row as text: for each sample its numbers, then its spans, or why it is no sample."""
    if looked.error is not None:
        yield f"Row {row_number(looked):,}: {looked.error.message}"
        return
    for at, entry in enumerate(looked.samples):
        yield heading(looked, at)
        for span in entry.sample.spans:
            mark = "trained" if span.trained else "masked"
            yield f"  {mark:7}  {span.role:9}  {visible(shortened(span.text, 400))}  ({reason(span.rule)})"


def _set_html(still: Still) -> Iterator[str]:
    """Yield what is known of the whole set: figures, then findings."""
    if still.summary is not None:
        yield _figures(still.summary)
    if still.findings:
        yield _findings(still.findings)
    elif still.summary is not None and not still.progress:
        yield "<div>Nothing is wrong with this set.</div>"
    if still.progress:
        yield f'<div style="{MUTED}">{_text(still.progress)}</div>'


def _figures(summary: Summary) -> str:
    share = f"{summary.trained / summary.tokens:.1%}" if summary.tokens else "-"
    figures = [
        ("samples", number(summary.samples)),
        ("kept", number(summary.kept)),
        ("tokens", number(summary.tokens)),
        ("trained", share),
        ("longest", number(summary.longest)),
    ]
    if summary.fill is not None:
        figures.append(("packed rows", f"{number(summary.packed_rows)}, {summary.fill:.1%} full"))
    tiles = "".join(
        f'<span style="display:inline-block;margin:.3em 1.6em .3em 0"><span style="{MUTED};font-size:.85em">{name}</span>'
        f'<br><strong style="font-variant-numeric:tabular-nums">{_text(value)}</strong></span>'
        for name, value in figures
    )
    return f"<div>{tiles}</div>"


def _findings(findings: Sequence[Finding]) -> str:
    rows = [
        (
            f'<span style="white-space:nowrap">{MARKS[finding.severity]}</span>',
            f"{_text(finding_words(finding))}"
            + (f'<br><span style="{MUTED}">{_text(finding.fix)}</span>' if finding.fix else ""),
        )
        for finding in findings[:FINDING_LIMIT]
    ]
    more = len(findings) - len(rows)
    rest = f'<div style="{MUTED}">and {number(more)} more</div>' if more > 0 else ""
    return table(rows) + rest


def _legend() -> str:
    return (
        f'<div style="margin:.5em 0;font-size:.9em"><u style="{TRAINED}">trained</u> the model learns to write it &nbsp; '
        f'<span style="{MASKED}">masked</span> it only reads it &nbsp; <b style="{SPECIAL}">special token</b> &nbsp; '
        f'<span style="{MUTED}">· space &nbsp; ⏎ line end &nbsp; → tab</span></div>'
    )


def _row_html(looked: Looked, tokens: TokenTable) -> str:
    """Return one row as HTML: its samples, or why it is none."""
    if looked.error is not None:
        return (
            f'<div style="margin-top:.8em"><strong>Row {row_number(looked):,}</strong> {_text(looked.error.message)}'
            f'<br><span style="{MUTED}">{_text(looked.error.fix)}</span></div>'
        )
    return "".join(
        f'<div style="margin-top:.8em"><strong>{_text(heading(looked, at))}</strong>'
        f"{_flags(entry)}{_sample_html(entry.sample, tokens)}</div>"
        for at, entry in enumerate(looked.samples)
    )


def _flags(entry: LookedSample) -> str:
    return f' <span style="{MUTED}">{_text(flag_titles(entry.flags))}</span>' if entry.flags else ""


def _sample_html(sample: Sample, tokens: TokenTable) -> str:
    """Return one sample as HTML: a block for each turn, with its role at a rail."""
    ids = sample.input_ids[:TOKEN_LIMIT]
    vocabulary = tokens.vocabulary(ids)
    shown = {
        token: (words, special)
        for token, words, special in zip(vocabulary.ids, vocabulary.texts, vocabulary.special, strict=True)
    }
    spans = [span for span in sample.spans if span.start < TOKEN_LIMIT]
    turns = "".join(
        _turn_html(sample, list(group), shown) for _, group in groupby(spans, key=lambda span: span.turn)
    )
    more = len(sample) - TOKEN_LIMIT
    rest = f'<div style="{MUTED}">… and {number(more)} more tokens</div>' if more > 0 else ""
    return f'<div style="{MONO};line-height:1.9">{turns}</div>{rest}'


def _turn_html(sample: Sample, spans: Sequence[Span], shown: dict[int, tuple[str, bool]]) -> str:
    role = next((span.role for span in spans if span.role != TEMPLATE_ROLE), TEMPLATE_ROLE)
    body = "".join(_span_html(sample, span, shown) for span in spans)
    color = GREEN if any(span.trained for span in spans) else "#8886"
    # What the template writes between turns has one reason, which its role says already.
    rules = "; ".join(dict.fromkeys(reason(span.rule) for span in spans if span.role != TEMPLATE_ROLE))
    told = f'<div style="{MUTED};font:.8em sans-serif">{_text(rules)}</div>' if rules else ""
    return (
        f'<div style="border-left:3px solid {color};padding-left:.6em;margin:.25em 0;display:flex">'
        f'<small style="{MUTED};flex:0 0 6em;overflow-wrap:anywhere">{_text(role)} </small><div>{body}{told}</div></div>'
    )


def _span_html(sample: Sample, span: Span, shown: dict[int, tuple[str, bool]]) -> str:
    """Return one span as HTML; what has a label by itself is told token by token, whatever the span says."""
    parts: list[str] = []
    places = range(span.start, min(span.end, TOKEN_LIMIT))
    for trained, group in groupby(places, key=lambda place: int(sample.labels[place]) != IGNORE):
        tokens = "".join(_token_html(place, int(sample.input_ids[place]), shown) for place in group)
        tag, style = ("u", TRAINED) if trained else ("span", MASKED)
        parts.append(f'<{tag} style="{style}" title="{_text(span.rule)}">{tokens}</{tag}>')
    return "".join(parts)


def _token_html(place: int, token: int, shown: dict[int, tuple[str, bool]]) -> str:
    words, special = shown[token]
    title = f'title="token {place}, id {token}"'
    sign = text(visible(shortened(words, 200))) or "∅"
    drawn = (
        f'<b style="{SPECIAL}" {title}>{sign}</b>'
        if special
        else f'<span style="{TOKEN}" {title}>{sign}</span>'
    )
    return drawn + ("<br>" if words.endswith("\n") else "<wbr>")


def _text(words: object) -> str:
    """Return text of any origin as HTML that shows it."""
    return text(readable(str(words)))
