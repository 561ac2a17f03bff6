"""The inspector on a page: a thin widget over :class:`ft_core.inspection.Inspection`.

Nothing is answered where a page's message arrives: each kind of request has a thread of its own (`lane`), so that the list
is there before the tokenizer is, and a sample does not wait for a model that loads. The passes over all rows run in
processes of their own; one more thread tells how far they are.
The messages are specified in ``docs/reference/widget-messages.md``.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import anywidget
import traitlets

from ft_core.errors import FtError
from ft_core.inspection.finding import Finding
from ft_core.inspection.flags import FLAGS
from ft_core.inspection.inspection import Inspection, open_inspection
from ft_core.inspection.look import Looked
from ft_core.inspection.what_if import knobs, yaml_lines
from ft_core.inspection.words import so_far
from ft_jupyter.markup import number
from ft_jupyter.widgets import front_end
from ft_jupyter.widgets.inspector.answers import Answers
from ft_jupyter.widgets.inspector.lane import Lane, Request
from ft_jupyter.widgets.inspector.losses import Losses
from ft_jupyter.widgets.inspector.messages import clean, progress_message
from ft_jupyter.widgets.inspector.static import Still, still_html, still_text

if TYPE_CHECKING:
    import pandas as pd

    from ft_core.config import Config
    from ft_core.runs import Run

PERIOD = 0.25
"""Seconds between two messages that tell how far the passes are, at least."""

AUTOMATIC_ROWS = 20_000
"""A set of at most so many rows is counted without being asked for: seconds, and two cores at most for so long."""

STILL_ROWS = 3
"""Rows of the still picture."""

STILL_WAIT = 0.3
"""Seconds that showing an inspector waits for its still picture: the live one must not wait for the tokenizer."""

MOST_OPEN = 8
"""Inspectors that a kernel keeps open; the oldest is closed when a cell opens one more."""

LANES = {
    "list": "rows",
    "sample": "samples",
    "tokens": "samples",
    "parity": "samples",
    "pack": "samples",
    "packing": "set",
    "what_if": "set",
    "losses": "losses",
}
"""Which thread answers which request."""

NEWEST = frozenset({"sample"})
"""Requests of which only the newest is answered; the page forgets those before it as well."""

_log = logging.getLogger(__name__)


class InspectorView(anywidget.AnyWidget):
    """An inspector that is seen on a page.

    Parameters
    ----------
    inspection
        What it shows; the view closes it.
    title
        What stands above it.
    run
        The run whose config this is, whose tuned model may be asked for losses; None for a config alone.
    """

    _esm = front_end.module("inspector.js")
    _css = front_end.style("inspector.css")
    place = traitlets.Int(0, help="The row that is looked at, also in a saved notebook.").tag(sync=True)
    tab = traitlets.Unicode("rows", help="What is shown of the set.").tag(sync=True)
    mode = traitlets.Unicode("tokens", help="How a sample is shown.").tag(sync=True)

    def __init__(self, inspection: Inspection, *, title: str, run: Run | None = None) -> None:
        self._losses = Losses(run, inspection.config.base_model)
        self._original = Answers(inspection, self._losses)
        self._answers = self._original
        self._changes: dict[str, Any] = {}
        self._lock = threading.RLock()
        self._generation = 1
        self._status, self._message, self._fix = "opening", "", ""
        self._first: tuple[Looked, ...] | None = None
        self._settled = threading.Event()
        self._moving = threading.Event()
        self._closed = threading.Event()
        self.title = title
        super().__init__()
        self.on_msg(self._receive)
        assert self.comm is not None
        self.comm.on_close(lambda _: self._end())
        names = dict.fromkeys(LANES.values())
        self._lanes = {name: Lane(f"inspect {name}", self._answer, newest=NEWEST) for name in names}
        self._lanes["samples"].put({"type": "open"})
        threading.Thread(target=self._report, name="inspect progress", daemon=True).start()

    @property
    def config(self) -> Config:
        """The config that is looked at, with what was changed on the page."""
        return self._inspection.config

    @property
    def _inspection(self) -> Inspection:
        return self._answers.inspection

    @property
    def findings(self) -> pd.DataFrame:
        """What is wrong or suspicious with the whole set, worst first: one row a finding.

        The pass over the set is run where it has not been, and waited for; an interrupt ends the waiting, and the pass goes
        on.

        Raises
        ------
        FtError
            The pass failed.
        """
        import pandas as pd

        names = [each.name for each in fields(Finding)]
        told = [asdict(finding) for finding in self.scan().findings]
        return pd.DataFrame(told, columns=names)

    def scan(self) -> Inspection:
        """Go through the whole set where that was not done, wait for the end, and return the inspection.

        Raises
        ------
        FtError
            The pass failed.
        """
        inspection = self._inspection
        self._start(inspection.start_scan)
        # In slices, because a signal handler runs only between two waits on some platforms.
        while (job := inspection.wait("scan", PERIOD)).state == "running":
            pass
        if job.state == "failed":
            raise FtError(job.message)
        return inspection

    def wait(self) -> None:
        """Wait until the tokenizer is loaded.

        Raises
        ------
        FtError
            It cannot be.
        """
        while not self._settled.wait(PERIOD):
            pass
        if self._status == "failed":
            raise FtError(self._message, self._fix)

    def close(self) -> None:
        """End what was started for the view and take it off every page."""
        self._end()
        super().close()

    def _end(self) -> None:
        """Let the threads leave, and end the processes: those of passes and that of a model."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._moving.set()
        for lane in self._lanes.values():
            lane.close()
        self._losses.close()
        with self._lock:
            self._inspection.close()
            self._original.inspection.close()
            self._status, self._message = "failed", "This inspector is closed."
            self._fix = "Run the cell again to open it."
            self._settled.set()
        self._send_state()

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Take one message of the page; may run on any thread, and never waits."""
        kind = content.get("type")
        if self._closed.is_set() and kind in LANES:
            self._refuse(content, FtError(self._message, self._fix))
            return
        match kind:
            case "hello":
                self._send_state()
                self._moving.set()
                # What a person has ended, another page does not begin anew.
                self._scan_small("cancelled", "failed")
            case "plotly":
                if library := front_end.plotly():
                    self.send({"type": "plotly"}, buffers=[library])
            case "scan":
                self._order("scan", content)
            case "parity_all":
                self._order("parity", content)
            case "search":
                text = str(content.get("text", ""))
                self._start(lambda: self._inspection.start_search(text))
            case "close":
                self._end()
            case str() if kind in LANES:
                self._lanes[LANES[kind]].put(content)
            case _:
                pass

    def _order(self, name: Literal["scan", "parity"], content: Request) -> None:
        """Begin or end a pass, as the page says."""
        inspection = self._inspection
        begin = inspection.start_scan if name == "scan" else inspection.start_parity
        self._start(begin if content.get("action") == "start" else lambda: inspection.cancel(name))

    def _start(self, pass_over: Callable[[], object]) -> None:
        """Begin or end a pass, and tell of it from now on."""
        pass_over()
        self._moving.set()

    def _scan_small(self, *unless: str) -> None:
        """Begin to count a set that is soon counted; not where the pass is in one of these states."""
        with self._lock:
            inspection = self._inspection
            small = len(inspection.rows) <= AUTOMATIC_ROWS
            if small and not self._closed.is_set() and inspection.jobs["scan"].state not in unless:
                self._start(inspection.start_scan)

    def _answer(self, request: Request) -> None:
        """Answer one request of the page; runs on the thread of its lane."""
        with self._lock:
            answers, generation = self._answers, self._generation
        kind = request["type"]
        try:
            if kind == "open":
                self._open()
            elif kind == "what_if":
                self._change(request)
            else:
                content, buffers = answers.answer(request)
                about = {"type": kind, "request": request["request"], "generation": generation}
                self.send(clean(content) | about, buffers=buffers)
        except FtError as error:
            self._refuse(request, error)
        except Exception as error:  # noqa: BLE001 - told to the page and to the log
            # A page that waits for a reply would wait for ever; whose mistake it is, the log says.
            _log.exception("inspector: %s", kind)
            self._refuse(request, FtError(f"This could not be shown: {type(error).__name__}: {error}"))

    def _refuse(self, request: Request, error: FtError) -> None:
        if "request" in request:
            about = {"type": "error", "request": request["request"]}
            self.send(clean({"message": error.message, "fix": error.fix}) | about)

    def _open(self) -> None:
        """Load the tokenizer and look at the first rows."""
        try:
            inspection = self._original.inspection
            _ = self._original.tokens
            first = tuple(inspection.look(place) for place in range(min(STILL_ROWS, len(inspection.rows))))
            with self._lock:
                self._first = first
                if not self._closed.is_set():
                    self._status = "ready"
        except FtError as error:
            with self._lock:
                self._status, self._message, self._fix = "failed", error.message, error.fix
        finally:
            self._settled.set()
        self._send_state()

    def _change(self, request: Request) -> None:
        """Look at the same rows with other values, which are those that differ from the config."""
        changes = dict(request["changes"])
        new = self._original
        if changes:
            new = Answers(new.inspection.changed(changes), self._losses)
        with self._lock:
            if self._closed.is_set():
                return
            old, self._answers, self._changes = self._answers, new, changes
            self._generation += 1
            state = self._state()
        if new is not old:
            # What a pass has counted of the config itself is kept; it only goes no further.
            old.inspection.close()
        self.send(clean(state) | {"type": "what_if", "request": request["request"]})
        self._send_state()
        self._scan_small("failed")
        self._moving.set()

    def _state(self) -> dict[str, Any]:
        """Return all that a page needs before it asks for anything; the caller holds the lock."""
        inspection = self._inspection
        config = inspection.config
        return {
            "generation": self._generation,
            "title": self.title,
            "status": self._status,
            "message": self._message,
            "fix": self._fix,
            "datasets": [
                {
                    "path": each.dataset.path,
                    "type": kind_of(each.dataset.type),
                    "split": each.dataset.split,
                    "purpose": each.purpose,
                    "rows": each.count,
                }
                for each in inspection.rows.datasets
            ],
            "rows": len(inspection.rows),
            "tokenizer": Path(config.tokenizer_config or config.base_model).name,
            "sequence_len": config.sequence_len,
            "packing": bool(config.sample_packing),
            "chat": any(each.dataset.type == "chat_template" for each in inspection.rows.datasets),
            "flags": [
                {
                    "name": flag.name,
                    "title": flag.title,
                    "description": flag.description,
                    "severity": flag.severity,
                }
                for flag in FLAGS
            ],
            "knobs": [
                {
                    "key": knob.key,
                    "label": knob.label,
                    "description": knob.description,
                    "kind": knob.kind,
                    "choices": list(knob.choices),
                    "value": knob.value,
                    "original": knob.original,
                }
                for knob in knobs(self._original.inspection.config, config)
            ],
            "yaml": yaml_lines(self._original.inspection.config, self._changes),
            "models": list(self._losses.models),
        }

    def _send_state(self) -> None:
        with self._lock:
            self.send(clean(self._state()) | {"type": "state"})

    def _report(self) -> None:
        """Tell how far the passes are while one of them goes on; runs on a thread of its own."""
        while True:
            self._moving.wait()
            if self._closed.is_set():
                return
            self._moving.clear()
            began = time.monotonic()
            with self._lock:
                inspection, generation = self._inspection, self._generation
            content = clean(progress_message(inspection))
            with self._lock:
                # What was counted of an earlier generation is not of this one.
                if generation == self._generation:
                    self.send(content | {"type": "progress", "generation": generation})
            if any(job["state"] == "running" for job in content["jobs"].values()):
                self._moving.set()
            # Figures of a million samples take a while themselves; they must not take all the time.
            self._closed.wait(max(PERIOD, 4 * (time.monotonic() - began)))

    def still(self) -> Still:
        """Return the still picture: the first rows, as far as they are known, and what is known of the set."""
        with self._lock:
            answers, first = self._original, self._first
        inspection = answers.inspection
        rows = inspection.rows
        types = ", ".join(dict.fromkeys(kind_of(each.dataset.type) for each in rows.datasets))
        previews = range(0 if first else min(STILL_ROWS, len(rows)))
        return Still(
            title=f"First samples of {self.title}",
            about=f"{number(len(rows))} {'row' if len(rows) == 1 else 'rows'} · {types}",
            looked=first or (),
            tokens=answers.tokens if first else None,
            previews=tuple(_preview(inspection, place) for place in previews),
            summary=inspection.summary,
            findings=inspection.findings,
            progress=so_far(inspection.jobs["scan"]),
        )

    def __repr__(self) -> str:
        self._settled.wait(STILL_WAIT)
        return still_text(self.still())

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget, and behind it the still picture for where no widget runs."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        self._settled.wait(STILL_WAIT)
        still = self.still()
        return data | {"text/plain": still_text(still), "text/html": still_html(still)}, metadata


_open: list[InspectorView] = []


def open_inspector(
    config: Config, *, title: str = "", run: Run | None = None, wait: bool = False
) -> InspectorView:
    """Return a new inspector of a config's data.

    Parameters
    ----------
    config
        What says which rows, and what they become.
    title
        What stands above it; by default the paths of the datasets.
    run
        The run whose config this is.
    wait
        Go through the whole set first, so that the still picture tells of all of it.

    Raises
    ------
    FtError
        A dataset cannot be read; or, where it is waited for, the tokenizer cannot be loaded or the pass failed.
    """
    title = title or ", ".join(dict.fromkeys(dataset.path for dataset in config.all_datasets))
    view = InspectorView(open_inspection(config), title=title, run=run)
    _open.append(view)
    while len(_open) > MOST_OPEN:
        _open.pop(0).close()
    if wait:
        view.wait()
        view.scan()
    return view


def close_all() -> None:
    """Close every inspector of this kernel: the extension is being unloaded."""
    while _open:
        _open.pop().close()


def kind_of(dataset_type: object) -> str:
    """Return a dataset's type in a word: its name, or what else it is."""
    return dataset_type if isinstance(dataset_type, str) else "own format"


def _preview(inspection: Inspection, place: int) -> str:
    try:
        return inspection.rows.preview(place)
    except FtError as error:
        return error.message
