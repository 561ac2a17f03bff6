"""How far a job of the inspector is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

JobState = Literal["idle", "running", "done", "cancelled", "failed"]


@dataclass(frozen=True)
class Job:
    """How far a pass over the rows is.

    Attributes
    ----------
    state
        ``idle`` before it was started.
    done, total
        Rows looked at, and rows in all.
    seconds
        How long it has worked.
    message
        Why it failed, as a sentence; else empty.
    """

    state: JobState = "idle"
    done: int = 0
    total: int = 0
    seconds: float = 0.0
    message: str = ""
