"""The numbers of a run as a table: one row a step."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ft_core.runs.events import Event

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second", "gpu_memory", "eval_loss")

REWARD_COLUMNS = ("rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins")
"""What there is beside them where a model learns from preferences."""

Rows = dict[int, dict[str, float]]
"""Step to its numbers, in the order of the steps."""


def add_events(rows: Rows, events: Iterable[Event]) -> None:
    """Put the numbers of `events` into `rows`.

    A run that resumes from a checkpoint takes its later steps again; the first of them removes what an earlier
    life of the run wrote from there on.
    """
    for event in events:
        kind, step = event["type"], event.get("step")
        if kind not in ("step", "eval") or isinstance(step, bool) or not isinstance(step, int):
            continue
        if kind == "eval":
            row = rows.setdefault(step, {})
            row["eval_loss"] = _number(event.get("loss"))
            row.setdefault("epoch", _number(event.get("epoch")))
            continue
        newest = next(reversed(rows), step - 1)
        if step <= newest:
            for stale in [known for known in rows if known >= step]:
                del rows[stale]
        rows[step] = {name: _number(event.get(name)) for name in COLUMNS[:-1]}
        rows[step].update({name: _number(event[name]) for name in REWARD_COLUMNS if name in event})


def table(rows: Rows) -> pd.DataFrame:
    """Return `rows` as a DataFrame of floats, indexed by ``step``; what is missing is NaN."""
    import pandas as pd

    index = pd.Index(list(rows), dtype="int64", name="step")
    rewards = [name for name in REWARD_COLUMNS if any(name in row for row in rows.values())]
    columns = {name: [row.get(name, float("nan")) for row in rows.values()] for name in (*COLUMNS, *rewards)}
    return pd.DataFrame(columns, index=index, dtype="float64")


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else float("nan")
