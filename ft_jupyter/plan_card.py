"""The plan of a run as a card: what would happen, in the numbers a person checks before spending an hour."""

from __future__ import annotations

from pathlib import Path

from ft_core.config import Config
from ft_core.launch.process import count_ranks
from ft_core.models import detect_hardware
from ft_core.train import Plan, make_plan
from ft_jupyter.markup import CARD, MUTED, notice, number, size, table, text


class PlanCard:
    """A plan that draws itself; `plan` is the engine's own object."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    def __repr__(self) -> str:
        return self.plan.render()

    def _repr_html_(self) -> str:
        rows = [(text(name), _value(value, reason)) for name, value, reason in figures(self.plan)]
        warnings = "".join(notice(warning.message, warning.fix) for warning in self.plan.warnings)
        return f'<div class="ft-plan" style="{CARD}"><strong>Plan</strong>{table(rows)}{warnings}</div>'


def plan_card(config: Config, *, gpus: int | None = None, root: Path | None = None) -> PlanCard:
    """Return the plan of `config`; takes under a second and loads nothing heavy.

    Parameters
    ----------
    config
        What would be trained.
    gpus
        Number of processes; by default what the machine offers.
    root
        Folder that the run would be in.

    Raises
    ------
    FtError
        The model or a dataset is missing, or the disk is too small.
    """
    hardware = detect_hardware()
    ranks = count_ranks(gpus, hardware)
    return PlanCard(make_plan(config, world_size=ranks, hardware=hardware, root=root))


def figures(plan: Plan) -> list[tuple[str, str, str]]:
    """Return the lines of the card: a name, a value, and what explains the value."""
    share = ""
    if plan.parameters and plan.trainable is not None:
        share = f"{number(plan.trainable)} of {number(plan.parameters)} parameters, {plan.trainable / plan.parameters:.2%}"
    rows = number(plan.train_rows) if plan.train_rows is not None else "not counted yet"
    held = f"and {number(plan.eval_rows)} to evaluate on, " if plan.eval_rows else ""
    about = "" if plan.steps_exact else "about "
    steps = f"{about}{number(plan.steps)}" if plan.steps else "not known yet"
    epochs = f", {number(plan.epochs)} epochs" if plan.epochs is not None else ""
    ranks = f"{plan.world_size} processes" if plan.world_size > 1 else ""
    lines = [
        ("Model", plan.model, ""),
        ("Trains", plan.method, share),
        ("Rows", rows, f"{held}up to {number(plan.sequence_len)} tokens each"),
        ("Steps", steps, f"{number(plan.global_batch)} rows a step{epochs}"),
        ("Device", plan.device, ranks),
        ("Precision", plan.precision, plan.precision_reason),
        ("Attention", plan.attention, plan.attention_reason),
    ]
    if plan.memory:
        lines.append(
            ("Peak memory", f"about {size(plan.memory)}", f"of {size(plan.device_memory)}, an estimate")
        )
    if plan.checkpoint:
        lines.append(("Disk", f"about {size(plan.checkpoint)} a checkpoint", f"{size(plan.disk_free)} free"))
    return lines


def _value(value: str, reason: str) -> str:
    """Return a value and, muted, what explains it."""
    return text(value) + (f' <span style="{MUTED}">{text(reason)}</span>' if reason else "")
