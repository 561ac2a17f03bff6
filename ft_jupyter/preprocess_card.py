"""What became of the data of a config, as a card; and how far it is, while the cell waits for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from IPython.display import DisplayHandle

from ft_core.config import Config
from ft_core.train.preprocess import Preprocessed, preprocess
from ft_jupyter.markup import CARD, MUTED, code, notice, number, table, text

REDRAW = 0.5
"""Seconds between two pictures of how far it is."""


class PreprocessCard:
    """The data of a config, ready for its run."""

    def __init__(self, prepared: Preprocessed) -> None:
        self.prepared = prepared

    def __repr__(self) -> str:
        return self.prepared.render()

    def _repr_html_(self) -> str:
        datasets = [(code(path), "<br>".join(map(text, told))) for path, told in self.prepared.by_dataset()]
        totals = self.prepared.totals()
        warnings = "".join(notice(words) for name, words in totals if name == "warning")
        rows = [(text(name), text(words)) for name, words in totals if name != "warning"]
        return f'<div style="{CARD}">{table([*datasets, *rows])}{warnings}</div>'


class Counting:
    """How many rows are read, drawn for as long as it lasts."""

    def __init__(self, done: int = 0, total: int | None = None) -> None:
        self._words = (
            f"tokenizing {number(done)} of {number(total)} rows"
            if total
            else f"tokenizing {number(done)} rows"
        )

    def __repr__(self) -> str:
        return self._words

    def _repr_html_(self) -> str:
        return f'<div style="{MUTED}">{text(self._words)}</div>'


def preprocess_card(config: Config) -> PreprocessCard:
    """Prepare the data of `config`, drawing how far it is; the picture then is the card's to draw."""
    handle = DisplayHandle()
    handle.display(Counting())
    try:
        return PreprocessCard(preprocess(config, on_progress=_drawing(handle)))
    finally:
        handle.update(Nothing())


class Nothing:
    """What takes the place of a picture that has had its time."""

    def __repr__(self) -> str:
        return ""

    def _repr_html_(self) -> str:
        return ""


def _drawing(handle: DisplayHandle) -> Callable[[int, int | None], None]:
    drawn = 0.0

    def draw(done: int, total: int | None) -> None:
        nonlocal drawn
        if time.monotonic() - drawn >= REDRAW:
            drawn = time.monotonic()
            handle.update(Counting(done, total))

    return draw
