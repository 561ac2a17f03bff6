"""What trackers call the run whose checkpoint another one goes on from, so that both are one run there."""

from __future__ import annotations

from pathlib import Path

from ft_core.runs.events import read_events
from ft_core.runs.paths import looks_like_run


def told_before(checkpoint: str | None) -> dict[str, str]:
    """Return the identifier of each tracker, by the tracker's name, that heard of the run with this checkpoint.

    Parameters
    ----------
    checkpoint
        The folder of a checkpoint. One that lies in no run's directory is nobody's.
    """
    if checkpoint is None:
        return {}
    parents = Path(checkpoint).absolute().parents
    if len(parents) < 2 or not looks_like_run(parents[1]):
        return {}
    events, _ = read_events(parents[1])
    told = [event for event in events if event["type"] == "tracker" and event.get("identifier")]
    return {str(event["name"]): str(event["identifier"]) for event in told}
