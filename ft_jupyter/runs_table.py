"""All runs of a folder as a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ft_core.runs.events import last_event
from ft_jupyter.markup import WHOLE, columns, number, table, text
from ft_jupyter.run import Run
from ft_jupyter.widgets.run_report import STATE_MARKS

HEADER = ("run", "state", "step", "last loss", "directory")


class RunsTable(Sequence[Run]):
    """The runs it was given, in that order; the picture is of the moment when it was made."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self._runs = tuple(runs)
        self._rows = [_row(run) for run in self._runs]

    def __getitem__(self, place):  # type: ignore[no-untyped-def, override]
        return self._runs[place]

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __repr__(self) -> str:
        return columns([HEADER, *self._rows]) if self._rows else "No runs yet."

    def _repr_html_(self) -> str:
        if not self._rows:
            return "<p>No runs yet.</p>"
        rows = [
            [
                *(f'<span style="{WHOLE}">{text(cell)}</span>' for cell in cells),
                f'<span style="overflow-wrap:anywhere">{text(directory)}</span>',
            ]
            for *cells, directory in self._rows
        ]
        return table(rows, header=HEADER, numbers=("step", "last loss"))


def _row(run: Run) -> tuple[str, ...]:
    """Return what the table says of one run."""
    status = run.status()
    last = last_event(run.directory, "step") or {}
    return (
        run.name,
        STATE_MARKS.get(status.state, status.state),
        f"{number(status.step)} of {number(status.total_steps)}" if status.total_steps else "-",
        number(last.get("loss")),
        str(run.directory),
    )
