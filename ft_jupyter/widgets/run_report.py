"""A run as a static picture: what takes the place of the live view when the run ends, and what a saved notebook keeps.

The same picture stands behind a live view (its ``text/html``), so that a notebook saved while the run trains, or
executed where no widget runs, shows how far it was and how to attach to it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from ft_core.runs import Run
from ft_jupyter.markup import (
    CARD,
    MONO,
    MUTED,
    code,
    columns,
    duration,
    notice,
    number,
    table,
    text,
)
from ft_jupyter.widgets.loss_curve import loss_curve
from ft_jupyter.widgets.run_feed import RunFeed, Sampled

STATE_MARKS = {
    "starting": "… starting",
    "running": "▶ running",
    "stopping": "◼ stopping",
    "completed": "✓ completed",
    "stopped": "◼ stopped",
    "failed": "✗ failed",
    "lost": "? lost",
}
"""Each state as a sign and a word, so that it does not rest on colour."""


class RunReport:
    """The state of `run` when this was made, drawn without a script.

    Parameters
    ----------
    run
        The run to draw.
    feed
        What is known of it already; by default its directory is read now.
    """

    def __init__(self, run: Run, feed: RunFeed | None = None) -> None:
        if feed is None:
            feed = RunFeed(run)
        self.html = _html(feed)
        self.text = _text(feed)

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        return self.html


def facts(feed: RunFeed) -> list[tuple[str, str]]:
    """Return what a person asks first about a run, as names and values."""
    summary = feed.summary()
    rows = [("State", STATE_MARKS.get(summary["state"], summary["state"]))]
    if not feed.ended and summary["phase"]:
        rows.append(("Doing", _phase(feed)))
    if summary["total_steps"]:
        rows.append(("Steps", f"{number(summary['step'])} of {number(summary['total_steps'])}"))
    for name, series in (("Loss", feed.steps), ("Evaluation loss", feed.evals)):
        losses = [value for value in series.column("loss").tolist() if value == value]
        if losses:
            change = number(losses[0]) if len(losses) == 1 else f"{number(losses[0])} → {number(losses[-1])}"
            rows.append((name, change))
    for name, column in (("Reward margin", "rewards/margins"), ("Pairs told apart", "rewards/accuracies")):
        values = [value for value in feed.steps.column(column).tolist() if value == value]
        if values:
            rows.append((name, f"{number(values[0])} → {number(values[-1])}"))
    if feed.best is not None:
        rows.append(
            (
                "Tuned model",
                f"the weights of step {number(feed.best[0])}, evaluated best: {number(feed.best[1])}",
            )
        )
    if feed.restarts:
        rows.append(("Adapter begun anew", _after(feed.restarts)))
    speeds = sorted(value for value in feed.steps.column("tokens_per_second").tolist() if value == value)
    if speeds:
        rows.append(("Speed", f"{number(round(speeds[len(speeds) // 2]))} tokens/s"))
    if "train_samples" in feed.facts:
        rows.append(("Data", _data(feed)))
    if "trainable_parameters" in feed.facts:
        trained, every = feed.facts["trainable_parameters"], feed.facts.get("parameters")
        rows.append(("Trained parameters", f"{_count(trained)} of {_count(every)}"))
    if summary["world_size"] > 1:
        rows.append(("Processes", str(summary["world_size"])))
    rows.append(("Time", duration(summary["elapsed"])))
    if summary["eta"] is not None:
        rows.append(("Left", duration(summary["eta"])))
    return rows


def _after(steps: Sequence[int]) -> str:
    """Return after which steps something was.

    >>> _after([40]), _after([40, 80, 120, 160, 200])
    ('after step 40', '5 times, last after step 200')
    """
    last = f"after step {number(steps[-1])}"
    return last if len(steps) == 1 else f"{len(steps)} times, last {last}"


def _phase(feed: RunFeed) -> str:
    summary = feed.summary()
    done, total = summary["phase_done"], summary["phase_total"]
    return summary["phase"] if done is None else f"{summary['phase']} ({number(done)} of {number(total)})"


def _data(feed: RunFeed) -> str:
    words = f"{_count(feed.facts['train_samples'])} samples"
    if "trained_tokens" in feed.facts:
        words += f", {_count(feed.facts['trained_tokens'])} of {_count(feed.facts.get('train_tokens'))} tokens trained on"
    dropped = feed.facts.get("dropped")
    if isinstance(dropped, dict) and dropped:
        words += "; dropped: " + ", ".join(f"{count} ({reason})" for reason, count in dropped.items())
    return words


def _count(value: object) -> str:
    return number(value if isinstance(value, (int, float)) else None)


def _html(feed: RunFeed) -> str:
    """Return the whole report as HTML."""
    summary = feed.summary()
    parts = [f"<strong>Run {text(summary['name'])}</strong>"]
    parts.append(table([(text(name), text(value)) for name, value in facts(feed)]))
    parts.append(loss_curve(feed.steps.table()[:2], feed.evals.table(), feed.restarts))
    if summary["message"]:
        parts.append(notice(summary["message"], summary["fix"], mark=summary["state"].capitalize()))
    parts += [notice(warning["message"], warning["fix"]) for warning in feed.warnings]
    if feed.samples:
        newest = [sample for sample in feed.samples if sample["step"] == feed.samples[-1]["step"]]
        parts.append(_fold(f"Samples after step {newest[0]['step']}", "\n\n".join(map(_sample, newest))))
    if summary["traceback"]:
        parts.append(_fold("Traceback", summary["traceback"]))
    if summary["state"] in ("failed", "lost"):
        parts.append(_fold("End of the log", feed.log_tail()))
    where = code(summary["directory"])
    live = "" if feed.ended else f" · {code(summary['attach'])} shows it live"
    parts.append(f'<div style="{MUTED}">{where}{live}</div>')
    for tracker in summary["trackers"]:
        parts.append(f'<div style="{MUTED}">{text(tracker["name"])}: {code(tracker["address"])}</div>')
    return f'<div class="ft-report" style="{CARD}">{"".join(parts)}</div>'


def _sample(sample: Sampled) -> str:
    """Return a sample of the model as text."""
    return f"prompt: {sample['prompt']}\nmodel:  {sample['text']}\ndata:   {sample['reference']}"


def _fold(title: str, words: str) -> str:
    """Return a block of text that opens with a click."""
    return (
        f'<details><summary style="cursor:pointer">{text(title)}</summary>'
        f'<pre style="{MONO};white-space:pre-wrap;max-height:24em;overflow:auto">{text(words)}</pre></details>'
    )


def _text(feed: RunFeed) -> str:
    """Return the whole report as plain text."""
    summary = feed.summary()
    lines = [f"Run {summary['name']}", columns(facts(feed))]
    for mark, message, fix in (
        *(
            [(summary["state"].capitalize(), summary["message"], summary["fix"])]
            if summary["message"]
            else []
        ),
        *(("Warning", warning["message"], warning["fix"]) for warning in feed.warnings),
    ):
        lines.append(f"{mark}: {message}" + (f"\n  {fix}" if fix else ""))
    lines.append(summary["directory"])
    return "\n".join(lines)
