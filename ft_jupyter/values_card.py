"""Where each value of a config comes from, drawn: ``%ft explain file.yml``."""

from __future__ import annotations

from ft_core.config import Config
from ft_core.config.explanation import written
from ft_jupyter.markup import CARD, MUTED, code, table, text


class ValuesCard:
    """Every value of a config; `explanation` is the engine's own object."""

    def __init__(self, config: Config) -> None:
        self.explanation = config.explain()

    def __repr__(self) -> str:
        return str(self.explanation)

    def _repr_html_(self) -> str:
        # What somebody wrote stands out from what was filled in.
        rows = [
            (
                f'<span style="white-space:nowrap">{code(value.key)}</span>',
                code(written(value.value)),
                text(value.why) if value.given else f'<span style="{MUTED}">{text(value.why)}</span>',
            )
            for value in self.explanation
        ]
        body = table(rows, ("key", "value", "from"))
        return f'<div style="{CARD};max-height:32em;overflow:auto">{body}</div>'
