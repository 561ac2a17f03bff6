"""Events as lines of text."""

from __future__ import annotations

from ft_core.runs import Event
from ft_core.runs.log import painted


def line_of(event: Event) -> str | None:
    """Return what a person is told of an event; None for what the end of the run tells.

    >>> line_of({"type": "eval", "time": 1.0, "step": 10, "loss": 2.25})
    'eval at step 10  loss 2.2500'
    """
    match event:
        case {"type": "phase", "phase": str(phase)}:
            line = phase + progress_of(event)
        case {"type": "step"}:
            line = f"step {numbers_of(event)}"
        case {"type": "eval", "step": int(step)}:
            line = f"eval at step {step}  loss {_fixed(event.get('loss'))}"
        case {"type": "data", "train_samples": int(train)}:
            dropped = event.get("dropped") or {}
            reasons = ", ".join(f"{count} {reason}" for reason, count in dropped.items() if count)
            line = f"{train:,} samples, {event.get('eval_samples') or 0:,} for evaluation"
            line += f", dropped: {reasons}" if reasons else ""
        case {"type": "model", "parameters": int(parameters), "trainable_parameters": int(trainable)}:
            line = f"{parameters:,} parameters, {trainable:,} train"
        case {"type": "sample", "step": int(step), "text": str(written)}:
            line = f"sample at step {step}: {written if len(written) <= 200 else written[:199] + '…'}"
        case {"type": "tracker", "name": str(name), "address": str(address)}:
            line = f"reports to {name}: {address}"
        case {"type": "restart", "step": int(step), "number": int(number)}:
            line = f"restart {number} after step {step}: the adapter is added into the model and begun anew"
        case {"type": "resume", "path": str(path)}:
            line = f"goes on from {path}"
        case {"type": "checkpoint", "path": str(path)}:
            line = f"saved {path}"
        case {"type": "merged", "folder": str(folder)}:
            line = f"merged the adapter into its base: {folder}"
        case {"type": "warning", "message": str(message)}:
            fix = event.get("fix")
            line = f"warning: {message}" + (f" {fix}" if fix else "")
        case _:
            return None
    # Text of an event may come from data or a library; a terminal would obey what it hides.
    return "\n".join(painted(part) for part in line.split("\n"))


def progress_of(event: Event) -> str:
    """Return how far a phase is, where it says so.

    >>> progress_of({"type": "phase", "time": 1.0, "phase": "tokenizing", "done": 1500, "total": 3000})
    ' 1,500/3,000'
    """
    done, total = event.get("done"), event.get("total")
    if not isinstance(done, int):
        return ""
    return f" {done:,}/{total:,}" if isinstance(total, int) else f" {done:,}"


def numbers_of(event: Event) -> str:
    """Return the numbers of a step.

    >>> step = {"type": "step", "time": 1.0, "step": 7, "total_steps": 20, "loss": 2.5, "eta": 75}
    >>> numbers_of(step)
    '7/20  loss 2.5000  1:15 left'
    """
    parts = [f"{event.get('step')}/{event.get('total_steps')}", f"loss {_fixed(event.get('loss'))}"]
    speed, eta = event.get("tokens_per_second"), event.get("eta")
    if isinstance(speed, (int, float)):
        parts.append(f"{speed:,.0f} tokens/s")
    if isinstance(eta, (int, float)):
        parts.append(f"{duration(eta)} left")
    return "  ".join(parts)


def duration(seconds: float) -> str:
    """Return ``m:ss``, or ``h:mm:ss`` from an hour on.

    >>> duration(5.6), duration(75), duration(3725)
    ('0:05', '1:15', '1:02:05')
    """
    minutes, rest = divmod(int(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _fixed(value: object) -> str:
    return f"{value:.4f}" if isinstance(value, (int, float)) else "not finite"
