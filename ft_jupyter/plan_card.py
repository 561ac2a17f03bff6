"""The plan of a run as a card: what would happen, in the numbers a person checks before spending an hour."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from IPython.core.getipython import get_ipython
from IPython.display import HTML, display

from ft_core.config import Config
from ft_core.launch.process import count_ranks
from ft_core.models import detect_hardware
from ft_core.train import Plan, make_plan
from ft_core.train.figures import figures
from ft_jupyter.markup import CARD, MUTED, notice, table, text


class PlanCard:
    """A plan that draws itself; `plan` is the engine's own object."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __repr__(self) -> str:
        return self.plan.render()

    def _repr_html_(self) -> str:
        rows = [(text(name), _value(value, reason)) for name, value, reason in figures(self.plan)]
        warnings = "".join(
            notice(f"{warning.where}: {warning.message}" if warning.where else warning.message, warning.fix)
            for warning in self.plan.warnings
        )
        return f'<div class="ft-plan" style="{CARD}"><strong>Plan</strong>{table(rows)}{warnings}</div>'


def plan_card(
    config: Config, *, gpus: int | None = None, root: Path | None = None, exact: bool = False
) -> PlanCard:
    """Return the plan of `config`; takes under a second and loads nothing heavy.

    Parameters
    ----------
    config
        What would be trained.
    gpus
        Number of processes; by default what the machine offers.
    root
        Folder that the run would be in.
    exact
        Whether the model may be built without weights, in a process of its own, for certain numbers; some seconds, once
        for each model.

    Raises
    ------
    FtError
        The model or a dataset is missing, the config does not fit the model, or the disk is too small.
    """
    hardware = detect_hardware()
    ranks = count_ranks(gpus, hardware)
    with _waiting() as on_wait:
        return PlanCard(
            make_plan(config, world_size=ranks, hardware=hardware, root=root, exact=exact, on_wait=on_wait)
        )


@contextmanager
def _waiting() -> Generator[Callable[[str], None] | None]:
    """Give a function that shows what is waited for, in a notebook, until the block ends."""
    if getattr(get_ipython(), "kernel", None) is None:
        yield None
        return
    shown: list[Any] = []

    def show(words: str) -> None:
        shown.append(display(HTML(f'<span style="{MUTED}">{text(words)}</span>'), display_id=True))

    try:
        yield show
    finally:
        for handle in shown:
            handle.update(HTML(""))


def _value(value: str, reason: str) -> str:
    """Return a value and, muted, what explains it."""
    return text(value) + (f' <span style="{MUTED}">{text(reason)}</span>' if reason else "")
