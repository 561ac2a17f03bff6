"""What a run directory says now, and what is new since the last look.

A feed reads the directory the way ``docs/reference/run-directory.md`` describes: the events from an offset, the
status, the log from an offset. It never locks, never writes, and holds no file open, so any number of feeds may
read one run, in any kernel. It knows nothing of widgets or threads; its owner serialises the calls.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TypedDict

from ft_core.runs import Run
from ft_core.runs.log import log_size, read_log
from ft_core.runs.status import Status
from ft_jupyter.widgets.series import EVAL_COLUMNS, POINT_LIMIT, STEP_COLUMNS, Series, buffers, thin

LOG_LINES = 200
"""Lines of the log that a message carries at most; the whole is in ``log.txt``."""


SAMPLE_LIMIT = 60
"""Samples of the model that a message carries at most; all are in ``events.jsonl``."""

TEXT_LIMIT = 2000
"""Characters of one text of a sample that a page gets."""


class Warned(TypedDict):
    """One warning as the page gets it."""

    message: str
    fix: str


class Tracker(TypedDict):
    """Where else a run can be seen: a page, or a place on its machine."""

    name: str
    address: str


class Sampled(TypedDict):
    """What the model wrote behind a prompt, beside what the data has there."""

    step: int
    prompt: str
    text: str
    reference: str


class RunSummary(TypedDict):
    """The state of a run as the page gets it; times are seconds, None where not known."""

    name: str
    directory: str
    state: str
    phase: str
    phase_done: int | None
    phase_total: int | None
    step: int
    total_steps: int
    eta: float | None
    elapsed: int | None
    message: str
    fix: str
    traceback: str | None
    world_size: int
    attach: str
    trackers: list[Tracker]
    restarts: list[int]


@dataclass
class _Sent:
    """How much of each stream the last message covered."""

    steps: int = 0
    evals: int = 0
    warnings: int = 0
    samples: int = 0
    log: int = 0
    summary: RunSummary | None = None
    points_since_snapshot: int = 0


@dataclass
class RunFeed:
    """The readable state of one run, kept up to date by :meth:`poll`."""

    run: Run
    steps: Series = field(default_factory=lambda: Series(STEP_COLUMNS))
    evals: Series = field(default_factory=lambda: Series(EVAL_COLUMNS))
    warnings: list[Warned] = field(default_factory=list[Warned])
    trackers: list[Tracker] = field(default_factory=list[Tracker])
    samples: list[Sampled] = field(default_factory=list[Sampled])
    restarts: list[int] = field(default_factory=list[int])
    best: tuple[int, float] | None = None
    facts: dict[str, object] = field(default_factory=dict[str, object])
    status: Status = field(init=False)
    _phase: dict[str, object] = field(default_factory=dict[str, object])
    _traceback: str | None = None
    _eta: float | None = None
    _offset: int = 0
    _sent: _Sent = field(default_factory=_Sent)
    _rewound: bool = False

    def __post_init__(self) -> None:
        self.poll()

    @property
    def ended(self) -> bool:
        """Whether the run was over at the last poll."""
        return not self.status.alive

    def poll(self) -> None:
        """Read what is new in the directory."""
        # The status first: the events read after a final state was seen are all there will ever be.
        self.status = self.run.status()
        events, self._offset = self.run.events(self._offset)
        for event in events:
            self._take(event)

    def _take(self, event: dict[str, object]) -> None:
        """Fold one event into the state."""
        match event.get("type"):
            case "phase":
                self._phase = event
            case "step":
                self._rewound |= self.steps.append(event)
                self._eta = _number(event.get("eta"))
            case "eval":
                self._rewound |= self.evals.append(event)
            case "data" | "model":
                self.facts |= event
            case "warning":
                self.warnings.append(
                    {"message": str(event.get("message")), "fix": str(event.get("fix") or "")}
                )
            case "tracker":
                self.trackers.append({"name": str(event.get("name")), "address": str(event.get("address"))})
            case "sample":
                self.samples.append(_sampled(event))
            case "restart":
                # A resumed run may come to the same ones again.
                step = _whole(event.get("step")) or 0
                self.restarts = [*(each for each in self.restarts if each < step), step]
            case "best":
                self.best = (_whole(event.get("step")) or 0, _number(event.get("loss")) or math.nan)
            case "error":
                trace = event.get("traceback")
                self._traceback = str(trace) if trace else None
            case _:
                pass

    def summary(self) -> RunSummary:
        """Return the state of the run, as the page and the report show it."""
        status = self.status
        return {
            "name": self.run.name,
            "directory": str(self.run.directory),
            # A page knows no damaged runs: like a lost one it cannot be followed, and the message says why.
            "state": "lost" if status.state == "damaged" else status.state,
            "phase": status.phase,
            "phase_done": _whole(self._phase.get("done")),
            "phase_total": _whole(self._phase.get("total")),
            "step": status.step,
            "total_steps": status.total_steps,
            "eta": None if self.ended else self._eta,
            "elapsed": self._elapsed(),
            "message": status.message,
            "fix": status.fix,
            "traceback": self._traceback,
            "world_size": status.world_size,
            "attach": f"%ft attach {self.run.name}",
            "trackers": list(self.trackers),
            "restarts": list(self.restarts),
        }

    def _elapsed(self) -> int | None:
        """Return whole seconds from the start to the end, or to now while the run lives."""
        if not self.status.started:
            return None
        until = time.time() if self.status.ended is None else self.status.ended
        return max(0, round(until - self.status.started))

    def log_tail(self) -> str:
        """Return the end of the log for people."""
        return self.run.log_tail(LOG_LINES)

    @property
    def must_redraw(self) -> bool:
        """Whether the page's chart should be drawn whole next.

        It has gathered more points than a chart needs, or the run took steps again after a checkpoint.
        """
        return self._rewound or self._sent.points_since_snapshot > POINT_LIMIT

    def snapshot(self) -> tuple[dict[str, object], list[bytes]]:
        """Return a message with everything (thinned for a chart) and its buffers; deltas count from here."""
        # The size before the tail: a line printed in between is sent twice rather than never.
        log_end = log_size(self.run.directory)
        log = self.log_tail()
        summary = self.summary()
        self._sent = _Sent(
            len(self.steps), len(self.evals), len(self.warnings), len(self.samples), log_end, summary
        )
        self._rewound = False
        content = self._content("snapshot", summary, self.warnings, self.samples[-SAMPLE_LIMIT:])
        content["log"] = f"{log}\n" if log else ""
        return content, buffers(thin(self.steps.table()), thin(self.evals.table()))

    def delta(self) -> tuple[dict[str, object], list[bytes]] | None:
        """Return a message with what is new since the last message and its buffers, or None where nothing is."""
        sent = self._sent
        steps, evals = self.steps.table(sent.steps), self.evals.table(sent.evals)
        lines, log_end = read_log(self.run.directory, sent.log)
        summary = self.summary()
        warnings = self.warnings[sent.warnings :]
        samples = self.samples[sent.samples :]
        if summary == sent.summary and not (steps.size or evals.size or warnings or samples or lines):
            return None
        points = sent.points_since_snapshot + steps.shape[1] + evals.shape[1]
        self._sent = _Sent(
            len(self.steps),
            len(self.evals),
            len(self.warnings),
            len(self.samples),
            log_end,
            summary,
            points,
        )
        log = "".join(f"{line}\n" for line in lines[-LOG_LINES:])
        content = self._content("delta", summary, warnings, samples[-SAMPLE_LIMIT:])
        return content | {"log_append": log}, buffers(steps, evals)

    def _content(
        self, kind: str, summary: RunSummary, warnings: list[Warned], samples: list[Sampled]
    ) -> dict[str, object]:
        return {
            "type": kind,
            "run": summary,
            "warnings": list(warnings),
            "samples": list(samples),
            "series": list(STEP_COLUMNS),
            "eval": list(EVAL_COLUMNS),
        }


def _sampled(event: dict[str, object]) -> Sampled:
    """Return a sample as the page gets it: of a long prompt its end, of long texts their beginning."""
    prompt, text, reference = (str(event.get(name) or "") for name in ("prompt", "text", "reference"))
    return {
        "step": _whole(event.get("step")) or 0,
        "prompt": prompt if len(prompt) <= TEXT_LIMIT else f"…{prompt[-TEXT_LIMIT:]}",
        "text": text if len(text) <= TEXT_LIMIT else f"{text[:TEXT_LIMIT]}…",
        "reference": reference if len(reference) <= TEXT_LIMIT else f"{reference[:TEXT_LIMIT]}…",
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _whole(value: object) -> int | None:
    return int(value) if isinstance(value, (int, float)) else None
