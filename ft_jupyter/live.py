"""A live view in a cell's output, and the still report that takes its place when the run ends.

A widget needs its kernel: reopened without it, the output would be an error. So the view is shown under a display
id, and replaced by plain HTML as soon as the run is over; that is what the notebook then keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from IPython.display import HTML, DisplayHandle, display

from ft_core.errors import RunError
from ft_jupyter.markup import MUTED, code, text
from ft_jupyter.run import Run
from ft_jupyter.sentences import show_as
from ft_jupyter.widgets.run_view import RunView

if TYPE_CHECKING:
    from ft_jupyter.widgets.inspector import InspectorView


def show(run: Run) -> None:
    """Draw `run` in the current cell: live while it trains, as a report when it is over; returns at once."""
    if not run.alive:
        display(run.report())
        return
    view, handle = RunView(run), DisplayHandle()
    handle.display(view)
    below = DisplayHandle()
    below.display(HTML(""))
    view.on_inspect(lambda: below.update(_inspector(run)))
    view.follow()
    view.when_over(lambda: handle.update(run.report()))


def _inspector(run: Run) -> InspectorView:
    """Return an inspector of what `run` trains on."""
    from ft_jupyter import api

    return api.inspect(run)


def wait_for(run: Run) -> None:
    """Draw `run` live until it is over; then the view is gone, and its report is the caller's to show.

    Raises
    ------
    RunError
        The run failed or was lost: a cell that waited for it must not look like a success.
    KeyboardInterrupt
        The waiting was interrupted; the run goes on.
    """
    view, handle = RunView(run), DisplayHandle()
    try:
        handle.display(view)
        view.follow()
        view.wait()
        state = run.wait()
    except KeyboardInterrupt as interrupt:
        view.follow()
        view.when_over(lambda: handle.update(run.report()))
        stop = f"%ft stop {run.name} ends it, %ft attach {run.name} shows it."
        show_as(interrupt, [f"Stopped waiting. The run {run.name} goes on.", stop])
        raise
    # Here rather than on the view's thread: headless executors take updates only while the cell runs.
    if failure := run.error:
        handle.update(run.report())
        fix = failure.fix or f"%ft logs {run.name} shows what it printed."
        raise RunError(
            f"The run {run.name} {'failed' if state == 'failed' else 'is ' + state}: {failure.message}", fix
        )
    handle.update(HTML(""))


@dataclass(frozen=True)
class Header:
    """The line that stays above the view: which run this is and how to find it again.

    Attributes
    ----------
    run
        The run.
    variable
        The notebook's variable that holds it.
    note
        Why the variable is not named like the run; may be empty.
    """

    run: Run
    variable: str
    note: str = ""

    def __repr__(self) -> str:
        return f"Run {self.run.name}, in this notebook {self.variable}{self._note()}: {self.run.directory}"

    def _repr_html_(self) -> str:
        attach = code(f"%ft attach {self.run.name}")
        return (
            f'<div class="ft-header">Run <strong>{text(self.run.name)}</strong>, in this notebook '
            f'{code(self.variable)}{text(self._note())}<span style="{MUTED}"> · {attach} shows it again, from any kernel'
            f" · {code(self.run.directory)}</span></div>"
        )

    def _note(self) -> str:
        return f" ({self.note})" if self.note else ""
