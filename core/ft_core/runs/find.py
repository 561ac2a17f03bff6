"""Finding runs by name, by path, or all of them."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ft_core.errors import RunError
from ft_core.runs.disk import told_as
from ft_core.runs.paths import is_name, looks_like_run, runs_root
from ft_core.runs.run import Run

SHOWN = 5
"""Names that an error lists."""


def open_run(name_or_path: str | os.PathLike[str], root: Path | None = None) -> Run:
    """Return the run of a name in `root`, or of a path.

    Raises
    ------
    RunError
        There is none; the sentence names near ones and what exists.
    """
    root = (root or runs_root()).absolute()
    text = os.fspath(name_or_path)
    named = isinstance(name_or_path, str) and is_name(text)
    places = [root / text, Path(text)] if named else [Path(text).expanduser()]
    for place in places:
        if place.is_dir() and looks_like_run(place):
            return Run(place)
    if not named:
        what = "is not a run" if places[0].exists() else "does not exist"
        raise RunError(f"{places[0]} {what}.", "Give a run's name or its directory. All runs: ft runs")
    if (root / text).exists():
        raise RunError(f"{root / text} is not a run.", _what_exists(root))
    near = difflib.get_close_matches(text, [run.name for run in find_runs(root)], n=2, cutoff=0.6)
    meant = f"Did you mean {' or '.join(repr(name) for name in near)}? " if near else ""
    raise RunError(f"There is no run '{text}' in {root}.", meant + _what_exists(root))


def find_runs(root: Path | None = None) -> list[Run]:
    """Return every run in `root`, newest first. Damaged ones are among them; folders that are no runs are not.

    Raises
    ------
    RunError
        `root` is a file or cannot be read. A missing one holds no runs.
    """
    root = (root or runs_root()).absolute()
    try:
        with told_as("read", root):
            entries = sorted(root.iterdir()) if root.exists() else []
    except RunError as error:
        if root.is_file():
            raise RunError(
                f"{root} is a file, so it holds no runs.", "Set FT_RUNS_DIR to a folder."
            ) from error
        raise
    runs = [Run(entry) for entry in entries if is_name(entry.name) and looks_like_run(entry)]
    return sorted(runs, key=lambda run: run.started, reverse=True)


def _what_exists(root: Path) -> str:
    names = [run.name for run in find_runs(root)]
    if not names:
        return "No run was started there yet."
    more = f" and {len(names) - SHOWN} more (ft runs)" if len(names) > SHOWN else ""
    return f"There are: {', '.join(names[:SHOWN])}{more}."
