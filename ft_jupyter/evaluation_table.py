"""The loss of a model on its evaluation data, as a table."""

from __future__ import annotations

from ft_core.train.evaluate import Evaluated, render
from ft_jupyter.markup import table, text

HEADER = ("dataset", "samples", "tokens", "loss", "perplexity")


class EvaluationTable(list[Evaluated]):
    """What an evaluation found, a dataset each; draws itself."""

    def __repr__(self) -> str:
        return render(self)

    def _repr_html_(self) -> str:
        rows = [
            (
                f'<span style="overflow-wrap:anywhere">{text(row.dataset)}</span>',
                f"{row.samples:,}",
                f"{row.tokens:,}",
                f"{row.loss:.4f}",
                f"{row.perplexity:,.3f}",
            )
            for row in self
        ]
        return table(rows, header=HEADER, numbers=HEADER[1:])
