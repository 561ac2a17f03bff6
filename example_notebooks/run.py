"""Run a notebook from the terminal and keep what it made: ``python run.py 01_quickstart.ipynb --out build/demo``.

The folder gets the executed notebook, the same as a web page, and the runs that its cells started. While a cell waits
for a run, the run's progress is shown, read from its directory as any reader of a run does.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from ft_core.runs import Run, find_runs

CELL_TIMEOUT = 900
"""Seconds that a cell may take; the longest trains."""

ANSWERS = "answers"
"""Tag of the cell whose text is shown at the end."""

LAST_STEPS = 10
"""Steps over which the last loss is averaged: one step sees a few rows only, and its loss jumps."""

BAR_WIDTH = 16
TERMINAL_PERIOD = 0.5
PLAIN_PERIOD = 10.0


class CellFailedError(Exception):
    """A cell raised, or the kernel died; the text says where and why."""


@dataclass(frozen=True)
class Executed:
    """A notebook that was run.

    Attributes
    ----------
    notebook, html
        The executed notebook, as a file and as a page.
    runs
        The runs its cells started, newest first.
    answers
        What the cell tagged ``answers`` printed; empty where there is none.
    seconds
        How long all of it took.
    """

    notebook: Path
    html: Path
    runs: tuple[Run, ...]
    answers: str
    seconds: float


class Progress:
    """Says on the terminal which cell runs and how far its training is; plain lines where there is no terminal."""

    def __init__(self, cells: int, runs: Path) -> None:
        self._cells = cells
        self._runs = runs
        self._started = time.time()
        self._live = sys.stdout.isatty()
        self._cell: tuple[int, str] | None = None
        self._said = ""
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Progress:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watcher.join()
        self._draw("", final=True)

    def cell(self, number: int, source: str) -> None:
        """Say that code cell `number`, counted from 1, begins."""
        self._draw("", final=True)
        skipped = ("#", "import ", "from ")
        code = next((line for line in source.splitlines() if line and not line.startswith(skipped)), "")
        self._cell = (number, code[:60])
        if not self._live:
            print(self._line(), flush=True)

    def _watch(self) -> None:
        while not self._over.wait(TERMINAL_PERIOD if self._live else PLAIN_PERIOD):
            self._draw(self._training())

    def _training(self) -> str:
        """Return how far the run that trains is, empty if none does."""
        run = next((run for run in find_runs(self._runs) if run.alive), None)
        if run is None:
            return ""
        status = run.status()
        if not status.total_steps:
            return f"{run.name}: {status.phase}"
        filled = BAR_WIDTH * status.step // status.total_steps
        losses = run.metrics["loss"].dropna()
        loss = f"  loss {losses.iloc[-1]:.2f}" if len(losses) else ""
        bar = "━" * filled + "─" * (BAR_WIDTH - filled)
        return f"{run.name}: {status.phase} {bar} step {status.step}/{status.total_steps}{loss}"

    def _draw(self, training: str, *, final: bool = False) -> None:
        with self._lock:
            self._write(training, final=final)

    def _write(self, training: str, *, final: bool) -> None:
        if self._live and self._cell:
            line = f"{self._line()}  {training}"[: shutil.get_terminal_size().columns - 1]
            print(f"\r\033[K{line}", end="\n" if final else "", flush=True)
            if final:
                self._cell = None
        elif training and training != self._said:
            print(f"        {self._clock()}  {training}", flush=True)
            self._said = training

    def _line(self) -> str:
        assert self._cell is not None
        number, code = self._cell
        return f"[{number:>2}/{self._cells}] {self._clock()}  {code}"

    def _clock(self) -> str:
        minutes, seconds = divmod(int(time.time() - self._started), 60)
        return f"{minutes}:{seconds:02}"


def execute(notebook: Path, out: Path) -> Executed:
    """Run every cell of `notebook` in a new kernel and write the results into `out`.

    Raises
    ------
    CellFailedError
        A cell failed. The notebook as far as it came is in `out`.
    """
    started = time.time()
    out.mkdir(parents=True, exist_ok=True)
    runs = (out / "runs").absolute()
    document = nbformat.read(notebook, as_version=4)
    numbers = {index: number for number, index in enumerate(_code_cells(document), start=1)}
    client = NotebookClient(
        document,
        timeout=CELL_TIMEOUT,
        kernel_name="python3",
        # Without it a page shows the picture that each widget has for where no widget runs, and needs no network.
        store_widget_state=False,
        resources={"metadata": {"path": str(notebook.parent)}},
        # It warns of connections without encryption, which stay on this machine.
        extra_arguments=["--log-level=ERROR"],
    )
    executed = out / notebook.name
    try:
        with Progress(len(numbers), runs) as progress:
            client.on_cell_execute = lambda cell, cell_index: progress.cell(numbers[cell_index], cell.source)
            client.execute(env={**os.environ, "FT_RUNS_DIR": str(runs)})
    except CellExecutionError as error:
        raise CellFailedError(
            f"{error.ename}: {error.evalue}\nThe notebook as far as it came: {executed}"
        ) from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise CellFailedError(str(error)) from error
    finally:
        nbformat.write(document, executed)
    found = tuple(run for run in find_runs(runs) if run.started >= started)
    return Executed(
        executed, write_html(document, executed), found, _answers(document), time.time() - started
    )


def write_html(document: NotebookNode, executed: Path) -> Path:
    """Write the notebook as a page beside `executed` and return its path."""
    from nbconvert import HTMLExporter

    body, _ = HTMLExporter().from_notebook_node(document, {"metadata": {"name": executed.stem}})
    page = executed.with_suffix(".html")
    page.write_text(body, encoding="utf-8")
    return page


def summary(executed: Executed) -> str:
    """Return what came out of it, in the words of the last lines on the terminal."""
    lines = [""]
    for run in executed.runs:
        losses = run.metrics["loss"].dropna()
        if len(losses):
            last = losses.tail(LAST_STEPS).mean()
            change = f", loss {losses.iloc[0]:.2f} at the first step, {last:.2f} over the last {LAST_STEPS}"
        else:
            change = ""
        lines.append(f"Run {run.name}: {run.state}{change}")
    if executed.answers:
        lines += ["", executed.answers.rstrip(), ""]
    lines.append(f"Notebook  {executed.notebook}")
    lines.append(f"Web page  {executed.html}")
    lines.append(f"Took {executed.seconds:.0f} s. To run it yourself, live: make lab")
    return "\n".join(lines)


def _code_cells(document: NotebookNode) -> list[int]:
    """Return the places of the cells that a kernel runs."""
    return [
        index for index, cell in enumerate(document.cells) if cell.cell_type == "code" and cell.source.strip()
    ]


def _answers(document: NotebookNode) -> str:
    """Return what the tagged cell printed."""
    tagged = (cell for cell in document.cells if ANSWERS in cell.metadata.get("tags", ()))
    outputs = (output for cell in tagged for output in cell.outputs if output.output_type == "stream")
    return "".join(output.text for output in outputs if output.name == "stdout")


def main() -> int:
    """Run the notebook that the command line names."""
    parser = argparse.ArgumentParser(description="Run a notebook, keep it as .ipynb and .html.")
    parser.add_argument("notebook", type=Path)
    parser.add_argument(
        "--out", type=Path, default=Path("build/demo"), help="where to write (default: build/demo)"
    )
    arguments = parser.parse_args()
    notebook = arguments.notebook
    if not notebook.is_file():
        notebook = Path(__file__).parent / notebook
    if not notebook.is_file():
        print(f"There is no notebook {arguments.notebook}.", file=sys.stderr)
        return 1
    try:
        executed = execute(notebook, arguments.out)
    except CellFailedError as error:
        print(f"\nThe notebook stopped. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        # A run outlives its notebook by design; here it was only part of the demonstration.
        for run in find_runs(arguments.out / "runs"):
            run.stop(now=True)
        print("\nInterrupted; what was training has been stopped.", file=sys.stderr)
        return 130
    print(summary(executed))
    failed = [run for run in executed.runs if run.state != "completed"]
    for run in failed:
        print(
            f"Run {run.name} did not complete: {run.error.message if run.error else run.state}",
            file=sys.stderr,
        )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
