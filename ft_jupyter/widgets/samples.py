"""A first look at the data: the first rows as the training step will get them, token by token.

Each token is a box. A trained token is underlined and framed with a full line, a masked one is struck through and
framed with dots, so that the difference does not rest on colour. Special tokens are bold, spaces and line ends are
drawn as signs, and the title of each box says its place, its id, its role and the rule that decided.
The tokens come from :func:`ft_core.data.tokenize.batch_tokenizer`, the one function that training uses as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ft_core.config import Config
from ft_core.data import IGNORE, Sample, Span, drop_reason, read_rows
from ft_core.data.files import skipped_by
from ft_core.data.tokenize import batch_tokenizer
from ft_jupyter.markup import CARD, MONO, MUTED, number, text

TOKEN_LIMIT = 1024
"""Tokens drawn of one sample; a page of more is slow to draw and nobody reads it at a first look."""

BOX = "text-decoration-thickness:2px;text-underline-offset:3px;border-radius:3px;padding:0 1px;margin:1px;white-space:pre"
TRAINED = f"{BOX};border:1px solid currentColor;background:color-mix(in srgb, #009e73 22%, transparent)"
MASKED = f"{BOX};border:1px dotted currentColor;opacity:.65"

_SIGNS = str.maketrans({" ": "·", "\n": "⏎", "\t": "→", "\r": "␍"})


class Samples:
    """Some samples of a dataset, drawn; keeps neither the tokenizer nor the dataset.

    Parameters
    ----------
    samples
        What to draw.
    tokenizer
        What made them.
    title
        Where they are from.
    dropped
        For each sample why training leaves it out, None where it does not.
    notes
        What is to be told of rows that are not among them, as sentences.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        tokenizer: Any,
        *,
        title: str,
        dropped: Sequence[str | None],
        notes: Sequence[str] = (),
    ) -> None:
        self.samples = tuple(samples)
        headings = [heading(sample, reason) for sample, reason in zip(samples, dropped, strict=True)]
        self._html = _html(self.samples, headings, tokenizer, title, notes)
        self._text = "\n".join((_text(self.samples, headings, title), *notes))

    def __repr__(self) -> str:
        return self._text

    def __len__(self) -> int:
        return len(self.samples)

    def _repr_html_(self) -> str:
        return self._html


def first_samples(config: Config, rows: int = 3) -> Samples:
    """Tokenise the first `rows` rows of the first dataset of `config`, and nothing else.

    Raises
    ------
    DataError
        The dataset cannot be read, a row does not fit its format, or there are none.
    """
    from ft_core.models import load_tokenizer

    dataset = config.datasets[0]
    skipped = skipped_by(config)
    wanted = list(read_rows(dataset, limit=rows, seed=config.seed, skipped=skipped))
    tokenizer = load_tokenizer(config)
    samples = batch_tokenizer(config, tokenizer, dataset)(wanted, skipped)
    fates = [drop_reason(config, sample) for sample in samples]
    notes = skipped.sentences() if skipped else ()
    return Samples(samples, tokenizer, title=dataset.path, dropped=fates, notes=notes)


def token_text(token_id: int, tokenizer: Any) -> str:
    """Return what one token stands for, or the tokenizer's own name for it where that is half a character."""
    words = str(tokenizer.decode([token_id], skip_special_tokens=False, clean_up_tokenization_spaces=False))
    piece = str(tokenizer.convert_ids_to_tokens(token_id))
    if "�" in words:
        return piece
    # SentencePiece tokenizers drop the space that starts a word when it is decoded alone.
    return f" {words}" if piece.startswith("▁") and not words.startswith(" ") else words


def visible(words: str) -> str:
    r"""Return `words` with a sign for each space, tab and line end.

    >>> visible(" a\n")
    '·a⏎'
    """
    return words.translate(_SIGNS)


def heading(sample: Sample, dropped: str | None) -> str:
    """Return one sample's numbers in words."""
    words = f"Row {sample.row + 1}: {number(len(sample))} tokens, {number(sample.trained)} trained"
    if sample.cut:
        words += f", {number(sample.cut)} cut off"
    return f"{words}. Left out of training: {dropped}." if dropped else words


def _html(
    samples: Sequence[Sample], headings: Sequence[str], tokenizer: Any, title: str, notes: Sequence[str]
) -> str:
    """Return all samples as HTML, the legend first."""
    special = {int(token) for token in tokenizer.all_special_ids}
    legend = (
        f'<div><u style="{TRAINED}">trained</u> underlined: the model learns to write it &nbsp; '
        f'<s style="{MASKED}">masked</s> struck through: the model only reads it &nbsp; '
        f"<b>special token</b> &nbsp; · space &nbsp; ⏎ line end &nbsp; → tab</div>"
    )
    body = "".join(
        f'<div style="margin-top:.8em"><strong>{text(words)}</strong>{_sample(sample, tokenizer, special)}</div>'
        for sample, words in zip(samples, headings, strict=True)
    )
    name = f"<strong>First samples of {text(title)}</strong>"
    told = "".join(f'<div style="margin-top:.8em">{text(note)}</div>' for note in notes)
    return f'<div class="ft-samples" style="{CARD}">{name}{legend}{body}{told}</div>'


def _sample(sample: Sample, tokenizer: Any, special: set[int]) -> str:
    """Return one sample as HTML: its spans, with a box for each token."""
    spans = "".join(
        _span(sample, span, tokenizer, special) for span in sample.spans if span.start < TOKEN_LIMIT
    )
    more = len(sample) - TOKEN_LIMIT
    rest = f'<div style="{MUTED}">… and {number(more)} more tokens</div>' if more > 0 else ""
    return f'<div style="{MONO};line-height:1.9">{spans}</div>{rest}'


def _span(sample: Sample, span: Span, tokenizer: Any, special: set[int]) -> str:
    """Return one span as HTML: its role as a small word, then its tokens."""
    boxes: list[str] = []
    for place in range(span.start, min(span.end, TOKEN_LIMIT)):
        token = int(sample.input_ids[place])
        trained = int(sample.labels[place]) != IGNORE
        words = token_text(token, tokenizer)
        shown = text(visible(words)) or "∅"
        if token in special:
            shown = f"<b>{shown}</b>"
        title = f"token {place}, id {token}, {span.role}, {span.rule}"
        tag, style = ("u", TRAINED) if trained else ("s", MASKED)
        boxes.append(f'<{tag} style="{style}" title="{text(title)}">{shown}</{tag}>')
        if words.endswith("\n"):
            boxes.append("<br>")
    role = f'<small style="{MUTED};margin-right:.4em">{text(span.role)}</small>'
    return role + "<wbr>".join(boxes)


def _text(samples: Sequence[Sample], headings: Sequence[str], title: str) -> str:
    """Return all samples as plain text: a line for each span."""
    lines = [f"First samples of {title}"]
    for sample, words in zip(samples, headings, strict=True):
        lines.append(words)
        lines += [
            f"  {'trained' if span.trained else 'masked ':7}  {span.role:9}  {visible(span.text)}  ({_reason(span)})"
            for span in sample.spans
        ]
    return "\n".join(lines)


def _reason(span: Span) -> str:
    """Return the rule without the word that stands before it anyway."""
    return span.rule.removeprefix("trained: ").removeprefix("masked: ")
