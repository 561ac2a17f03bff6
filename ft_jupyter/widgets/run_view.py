"""The live view of a run: a thin widget and the thread that tails the run's directory for it.

The page says ``hello`` when it draws, and is answered with a snapshot; after that it gets deltas with consecutive
numbers, so a reloaded page, a second page and a lost message all heal the same way. A kernel that is busy cannot
hear the page, so until someone was heard the view sends a whole snapshot now and then unasked.
The messages are specified in ``docs/reference/widget-messages.md``.

Messages from the page arrive on the main thread or on a subshell's thread, depending on ipykernel's version and on
what the kernel does, so each handler takes the lock, is short, and may be repeated.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

import anywidget
import traitlets

from ft_core.errors import FtError, RunError
from ft_core.runs import Run
from ft_jupyter.widgets import front_end
from ft_jupyter.widgets.run_feed import RunFeed, Warned
from ft_jupyter.widgets.run_report import RunReport

PERIOD = 0.25
"""Seconds between two looks at the directory: at most 4 messages a second, whatever the step rate."""

UNHEARD_LOOKS = 8
"""A view that no page has said hello to sends a snapshot every so many looks."""

_following: WeakSet[RunView] = WeakSet()


class RunView(anywidget.AnyWidget):
    """A live picture of `run`; :meth:`follow` makes it move.

    Closing the view, from Python or from the page, ends its thread and leaves the run alone.
    """

    _esm = front_end.module("run_view.js")
    _css = front_end.style("run_view.css")
    run_name = traitlets.Unicode(help="Name of the run, also in a saved notebook.").tag(sync=True)
    frozen = traitlets.Bool(help="Whether the run is over and the view will not change again.").tag(sync=True)

    def __init__(self, run: Run) -> None:
        self._closed = threading.Event()
        self._over = threading.Event()
        self._lock = threading.RLock()
        self._heard = False
        self._sequence = 0
        self._when_over: list[Callable[[], None]] = []
        self._inspect: Callable[[], None] | None = None
        self._thread: threading.Thread | None = None
        self.run = run
        self.feed = RunFeed(run)
        super().__init__(run_name=run.name, frozen=self.feed.ended)
        self.on_msg(self._receive)
        assert self.comm is not None
        self.comm.on_close(lambda _: self._closed.set())

    def follow(self) -> None:
        """Start to tail the run's directory; returns at once, does nothing the second time."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._tail, name=f"follow {self.run.name}", daemon=True
                )
                _following.add(self)
                self._thread.start()

    def when_over(self, do: Callable[[], None]) -> None:
        """Call `do` once when the run is over and the last message is sent: at once where that is so already."""
        with self._lock:
            if not self._over.is_set():
                self._when_over.append(do)
                return
        do()

    def on_inspect(self, do: Callable[[], None]) -> None:
        """Call `do`, on a thread of its own, when the page asks to see the run's data."""
        self._inspect = do

    def wait(self) -> None:
        """Block until the run is over or the view is closed; an interrupt ends the waiting and nothing else."""
        # In slices, because a signal handler runs only between two waits on some platforms.
        while not (self._over.wait(PERIOD) or self._closed.is_set()):
            pass

    def close(self) -> None:
        """End the thread and take the view off every page; the run goes on."""
        self._closed.set()
        super().close()

    def _tail(self) -> None:
        """Look at the directory until the run is over or nobody can see the view any more."""
        looks = 0
        while not self._closed.is_set():
            with self._lock:
                self._look(looks)
                if self.feed.ended:
                    self.frozen = True
                    self._over.set()
                    break
            looks += 1
            self._closed.wait(PERIOD)
        with self._lock:
            waiting, self._when_over = self._when_over, []
        if not self._closed.is_set():
            for do in waiting:
                do()

    def _look(self, looks: int) -> None:
        """Read what is new and send it; the caller holds the lock."""
        try:
            self.feed.poll()
            if self._heard:
                if self.feed.must_redraw:
                    self._send_snapshot()
                elif message := self.feed.delta():
                    self._send_numbered(*message)
            elif looks % UNHEARD_LOOKS == 0 or self.feed.ended:
                self._send_snapshot()
                if looks == UNHEARD_LOOKS:
                    # Two seconds unheard: the cell waits for its run, so the page cannot ask for its charts either.
                    self._send_plotly()
        except FtError as error:
            # A disk that does not answer now may answer at the next look; the page is told with the next message.
            self._note(error)

    def _send_snapshot(self) -> None:
        self._send_numbered(*self.feed.snapshot())

    def _send_numbered(self, content: dict[str, object], buffers: list[bytes]) -> None:
        self._sequence += 1
        self.send(content | {"seq": self._sequence}, buffers=buffers)

    def _send_plotly(self) -> None:
        if library := front_end.plotly():
            self.send({"type": "plotly"}, buffers=[library])

    def _receive(self, _widget: object, content: dict[str, object], _buffers: object) -> None:
        """Answer one message of the page."""
        match content.get("type"):
            case "hello":
                with self._lock:
                    self._heard = True
                    self.feed.poll()
                    self._send_snapshot()
            case "plotly":
                self._send_plotly()
            case "stop":
                now = bool(content.get("now"))
                self._ask(lambda: self.run.stop(now=now))
            case "checkpoint":
                self._ask(self.run.checkpoint)
            case "inspect":
                self._ask(self._inspect or self._refuse_to_inspect)
            case _:
                pass

    def _ask(self, request: Callable[[], object]) -> None:
        """Make a request of the run on its own thread: ending a job now may take seconds, a handler may not."""

        def ask() -> None:
            try:
                request()
            except FtError as error:
                # Most likely the run was over before the button was pressed: the page is told, and shown how it is.
                with self._lock:
                    self._note(error)
                    self._send_snapshot()

        threading.Thread(target=ask, name=f"ask {self.run.name}", daemon=True).start()

    def _refuse_to_inspect(self) -> None:
        """Say that this view has no place below it for an inspector."""
        raise RunError(
            "This view cannot open an inspector.", f"%ft inspect {self.run.name} opens it in any cell."
        )

    def _note(self, error: FtError) -> None:
        """Put `error` among the run's warnings, once; the caller holds the lock."""
        warning: Warned = {"message": error.message, "fix": error.fix}
        if warning not in self.feed.warnings:
            self.feed.warnings.append(warning)

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget, and behind it a still picture for where no widget runs."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        with self._lock:
            still = RunReport(self.run, self.feed)
        return data | {"text/plain": still.text, "text/html": still.html}, metadata


def close_all() -> None:
    """Close every view that follows a run: the extension is being unloaded."""
    for view in list(_following):
        view.close()
