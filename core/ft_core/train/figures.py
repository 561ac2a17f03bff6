"""A plan in lines: a name, a value, and what explains it; the same for the terminal and for the card."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from ft_core.train.memory import about_gib, gib

if TYPE_CHECKING:
    from ft_core.train.plan import Plan


class Figure(NamedTuple):
    """One line of a plan; an estimate says so in its words, and everything else is exact."""

    name: str
    value: str
    reason: str


def figures(plan: Plan) -> list[Figure]:
    """Return the lines of `plan`, in the order in which people ask."""
    lines = [
        Figure("Model", plan.model, ""),
        Figure("Trains", plan.method, _share(plan)),
        Figure("Vocabulary", plan.vocabulary, plan.vocabulary_reason),
        Figure("Rows", _rows(plan), f"{_held_out(plan)}up to {plan.sequence_len:,} tokens each"),
        Figure("Tokens", *_tokens(plan)),
        Figure("Packing", *_packing(plan)),
        Figure("Steps", *_steps(plan)),
        Figure("Device", plan.device, f"{plan.world_size} ranks" if plan.world_size > 1 else ""),
        Figure("Precision", plan.precision, plan.precision_reason),
        Figure("Attention", plan.attention, plan.attention_reason),
        Figure("Liger", plan.liger, "in fewer passes over memory"),
        Figure("Loss", plan.loss, plan.loss_reason),
        Figure("Adapter", plan.fused, plan.fused_reason),
        Figure("Activations", plan.recompute, plan.recompute_reason),
        Figure("Memory", *_memory(plan)),
        Figure("Time", *_time(plan)),
        Figure("Disk", *_disk(plan)),
        Figure("Merged", *_merged(plan)),
        Figure("Reports to", ", ".join(plan.trackers), ""),
    ]
    return [line for line in lines if line.value]


def about_time(seconds: float) -> str:
    """Return an estimated time, no finer than it is known.

    >>> about_time(8), about_time(200), about_time(5400), about_time(200_000)
    ('about 10 s', 'about 3 min', 'about 1.5 h', 'about 2.3 days')
    """
    if seconds < 55:
        return f"about {max(10, round(seconds / 10) * 10)} s"
    for unit, size in (("days", 86400), ("h", 3600)):
        if seconds >= size:
            return f"about {seconds / size:.1f} {unit}"
    return f"about {round(seconds / 60)} min"


def _share(plan: Plan) -> str:
    """Return ``4,884,480 of 139,399,488 parameters, 3.50%``."""
    if plan.trainable is None or not plan.parameters:
        return ""
    about = "" if plan.trainable_exact else "about "
    percent = f"{plan.trainable / plan.parameters:.2%}"
    return f"{about}{plan.trainable:,} of {plan.parameters:,} parameters, {percent}"


def _rows(plan: Plan) -> str:
    if plan.streaming:
        return "streamed"
    return "not counted yet" if plan.train_rows is None else f"{plan.train_rows:,}"


def _held_out(plan: Plan) -> str:
    return f"and {plan.eval_rows:,} to evaluate on, " if plan.eval_rows else ""


def _tokens(plan: Plan) -> tuple[str, str]:
    if plan.tokens is None:
        return "", ""
    how = (
        "by a sample of the rows"
        if plan.tokens_measured
        else "a guess from the bytes of a sample of the rows"
    )
    return f"about {_rounded(plan.tokens)} an epoch", how


def _packing(plan: Plan) -> tuple[str, str]:
    if plan.packing is None:
        return "", ""
    rows, capacity, fill = plan.packing.rows, plan.packing.capacity, plan.packing.fill
    if plan.streaming:
        return f"rows of {capacity:,} tokens", f"about {fill:.1%} full"
    return f"about {rows:,} row{'s' * (rows != 1)} of {capacity:,} tokens", f"about {fill:.1%} full"


def _steps(plan: Plan) -> tuple[str, str]:
    kind = "packed row" if plan.packing else "row"
    batch = f"{plan.global_batch:,} {kind}{'s' * (plan.global_batch != 1)} a step"
    epochs = f", {plan.epochs:g} epoch{'s' * (plan.epochs != 1)}" if plan.epochs is not None else ""
    if not plan.steps:
        return "not known yet", batch
    return f"{'' if plan.steps_exact else 'about '}{plan.steps:,}", batch + epochs


def _memory(plan: Plan) -> tuple[str, str]:
    if not plan.memory:
        return "", ""
    rows = f", for rows of {plan.longest_row:,} tokens" if plan.longest_row else ""
    return f"{about_gib(plan.memory)} of {gib(plan.device_memory)}", f"estimate, {plan.memory_basis}{rows}"


def _time(plan: Plan) -> tuple[str, str]:
    return ("", "") if plan.seconds is None else (about_time(plan.seconds), plan.seconds_basis)


def _disk(plan: Plan) -> tuple[str, str]:
    if not plan.checkpoint:
        return "", ""
    return f"{about_gib(plan.checkpoint)} a checkpoint", f"{gib(plan.disk_free)} free"


def _merged(plan: Plan) -> tuple[str, str]:
    return (about_gib(plan.merged), "a whole model, when training is done") if plan.merged else ("", "")


def _rounded(number: int) -> str:
    """Return an estimated count to two places.

    >>> _rounded(4_356), _rounded(61_432), _rounded(1_234_567)
    ('4,400', '61,000', '1,200,000')
    """
    return f"{float(f'{number:.2g}'):,.0f}"
