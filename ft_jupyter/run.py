"""A run that draws itself: the engine's Run with the notebook's views on it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from ft_core import runs

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from ft_jupyter.widgets.chat_view import ChatView
    from ft_jupyter.widgets.run_report import RunReport
    from ft_jupyter.widgets.run_view import RunView

POLL = 0.25
"""Seconds between two looks while a cell awaits a run."""


class Run(runs.Run):
    """A run of this machine, found by its directory.

    Everything of :class:`ft_core.runs.Run` (``metrics``, ``stop()``, ``checkpoint()``, ``wait()`` ...), and the views.
    As the last line of a cell it shows itself: live while it trains, as a report when it is over.
    ``await run`` waits for its end and keeps the kernel answering; ``run.wait()`` blocks.
    """

    @classmethod
    def of(cls, run: runs.Run) -> Run:
        """Return `run` as one that draws itself."""
        return run if isinstance(run, cls) else cls(run.directory)

    def view(self) -> RunView:
        """Return a new live view. Any number may look at one run."""
        from ft_jupyter.widgets.run_view import RunView

        view = RunView(self)
        view.follow()
        return view

    def report(self) -> RunReport:
        """Return a still picture of the run as it is now."""
        from ft_jupyter.widgets.run_report import RunReport

        return RunReport(self)

    def chat(self) -> ChatView:
        """Open a chat with the tuned model beside its base; it loads in its own process."""
        from ft_jupyter.widgets.chat_view import open_chat

        return open_chat(self)

    def figure(self) -> Figure:
        """Return the loss curves as a plotly figure of one's own, to restyle or save."""
        from ft_jupyter.widgets.run_figure import loss_figure

        return loss_figure(self)

    def __await__(self) -> Generator[Any, None, str]:
        return self._until_over().__await__()

    async def _until_over(self) -> str:
        """Return the final state once there is one; other cells' messages are handled meanwhile."""
        while self.alive:
            await asyncio.sleep(POLL)
        return self.state

    def _repr_mimebundle_(self, **_options: object) -> dict[str, str]:
        report = self.report()
        return {"text/plain": report.text, "text/html": report.html}

    def _ipython_display_(self) -> None:
        from ft_jupyter.live import show

        show(self)
