"""What a merge made, as a card; and how far it is, while the cell waits for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from IPython.display import DisplayHandle

from ft_core.infer.merge import Dtype, Merged, merge
from ft_core.runs import Run
from ft_jupyter.markup import CARD, MUTED, table, text
from ft_jupyter.preprocess_card import Nothing


class MergeCard:
    """A merged model: where it is, and how near to the one that was trained."""

    def __init__(self, merged: Merged) -> None:
        self.merged = merged

    @property
    def folder(self) -> Path:
        """The model's folder; ``ft.chat(card.folder)`` talks to it."""
        return Path(self.merged.folder)

    def __repr__(self) -> str:
        return self.merged.render()

    def _repr_html_(self) -> str:
        rows = [(text(name), text(words)) for name, words in self.merged.rows()]
        return f'<div style="{CARD}">{table(rows)}</div>'


class Doing:
    """What a merge does at the moment."""

    def __init__(self, what: str = "starting", done: int = 0, total: int | None = None) -> None:
        self._words = f"{what}: {done:,} of {total:,} layers" if total else f"{what} ..."

    def __repr__(self) -> str:
        return self._words

    def _repr_html_(self) -> str:
        return f'<div style="{MUTED}">{text(self._words)}</div>'


def merge_card(
    source: Run | Path | str, out: Path | str | None, *, dtype: Dtype, dequantise: bool, overwrite: bool
) -> MergeCard:
    """Merge the adapter of `source`, drawing how far it is; the picture then is the card's to draw."""
    handle = DisplayHandle()
    handle.display(Doing())
    try:
        return MergeCard(
            merge(
                source,
                out,
                dtype=dtype,
                dequantise=dequantise,
                overwrite=overwrite,
                on_progress=_drawing(handle),
            )
        )
    finally:
        handle.update(Nothing())


def _drawing(handle: DisplayHandle) -> Callable[[str, int, int | None], None]:
    """Return what draws how far it is: each new thing that is done, and a tenth of the layers at a time."""
    drawn: tuple[str, int] | None = None

    def on_progress(what: str, done: int, total: int | None) -> None:
        nonlocal drawn
        now = (what, done * 10 // total if total else 0)
        if now != drawn:
            drawn = now
            handle.update(Doing(what, done, total))

    return on_progress
