"""Making a run's directory, and taking it away."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from ft_core.errors import RunError
from ft_core.runs.disk import told_as
from ft_core.runs.events import plain
from ft_core.runs.lock import folder_lock
from ft_core.runs.paths import (
    CHECKPOINTS,
    CONFIG,
    CONTROL,
    PLAN,
    RESOLVED,
    check_name,
    looks_like_run,
    next_name,
    runs_root,
)
from ft_core.runs.processes import EXIT_GRACE, await_end, job_processes
from ft_core.runs.run import Run
from ft_core.runs.status import new_status, read_status, write_status


def create_run(
    name: str | None,
    *,
    config_text: str,
    resolved_text: str | Callable[[Path], str],
    plan: Mapping[str, object],
    root: Path | None = None,
    overwrite: bool = False,
) -> Run:
    """Make the directory of a new run; nothing is started.

    Parameters
    ----------
    name
        1 to 80 letters, digits, ``.``, ``_`` or ``-``, starting with a letter or digit; None takes the next free
        ``run-<n>``.
    config_text, resolved_text
        The YAML as it was given, and with every default filled in. The latter may be a function, which is given the
        run's directory, writes into it what the YAML is to name there, and returns the text.
    plan
        What the run will do; non-finite floats become null.
    root
        The folder that holds runs; default `runs_root()`. Made where it is missing.
    overwrite
        Replace a run of this name that has ended. It is gone once the new one is made, and stays where that fails.

    Raises
    ------
    RunError
        The name breaks the rule, is taken, or belongs to a run that is alive; or the disk refused.
    """
    if name is not None:
        check_name(name)
    root = (root or runs_root()).absolute()
    with told_as("create", root):
        if root.exists() and not root.is_dir():
            raise RunError(f"{root} is a file, so it cannot hold runs.", "Set FT_RUNS_DIR to a folder.")
        root.mkdir(parents=True, exist_ok=True)
    directory, old = _replaced(root / name) if name and overwrite else (_made(root, name), None)
    try:
        with told_as("write", directory):
            _fill(directory, config_text, resolved_text, plan)
    except BaseException:
        # Half a run would hold its name and follow nothing.
        shutil.rmtree(directory, ignore_errors=True)
        if old:
            _put_back(old, directory)
        raise
    if old:
        _remove(old)
    return Run(directory)


def delete_run(directory: Path) -> None:
    """Delete a run that has ended, with everything in it.

    Raises
    ------
    RunError
        It is alive, has processes left, is no run, or the disk refused.
    """
    with folder_lock(directory.parent):
        _check_removable(directory, "deleted")
        moved = _moved_away(directory)
    _remove(moved)


def _made(root: Path, name: str | None) -> Path:
    while True:
        directory = root / (name or next_name(root))
        try:
            with told_as("create", directory):
                try:
                    directory.mkdir()
                except FileExistsError as error:
                    raise _Taken from error
        except _Taken:
            if name is None:
                continue
            raise _taken(directory) from None
        return directory


class _Taken(Exception):  # noqa: N818 - a signal between two functions, never shown
    """The directory exists."""


def _replaced(directory: Path) -> tuple[Path, Path | None]:
    """Make `directory` anew, and return it with where the ended run of that name was moved out of the way, if any."""
    with folder_lock(directory.parent):
        old = None
        if directory.exists() or directory.is_symlink():
            _check_removable(directory, "overwritten")
            old = _moved_away(directory)
        return _made(directory.parent, directory.name), old


def _check_removable(directory: Path, what: str) -> None:
    name = directory.name
    if not directory.is_dir() or not looks_like_run(directory):
        raise RunError(
            f"{directory} is not a run, so it is not {what}.", "Move it away, or use another name."
        )
    status = read_status(directory)
    if status.alive:
        raise RunError(
            f"Run '{name}' is {status.state} and cannot be {what}.",
            f"Stop it first (ft stop {name}), or use another name.",
        )
    # A run tells that it has ended a moment before its processes do; those of a lost run are not about to leave.
    grace = 0.0 if status.state == "lost" else EXIT_GRACE
    if left := await_end(job_processes(directory, status.pid, status.pid_started), grace):
        pids = ", ".join(str(process.pid) for process in left)
        raise RunError(
            f"Run '{name}' has ended ({status.state}), but processes of it still live (pid {pids}), so it cannot be {what}.",
            f"End them: ft stop {name} --now",
        )


def _moved_away(directory: Path) -> Path:
    """Rename `directory` to a hidden name beside it: one step, so that no reader sees half a run."""
    with told_as("delete", directory):
        grave = Path(tempfile.mkdtemp(prefix=f".{directory.name}.deleted-", dir=directory.parent))
        try:
            directory.rename(grave / directory.name)
        except OSError:
            grave.rmdir()
            raise
    return grave


def _put_back(grave: Path, directory: Path) -> None:
    """Undo `_moved_away`, unless another has taken the name."""
    with suppress(OSError), folder_lock(directory.parent):
        (grave / directory.name).rename(directory)
        grave.rmdir()


def _remove(grave: Path) -> None:
    with told_as("delete", grave):
        shutil.rmtree(grave)


def _fill(
    directory: Path,
    config_text: str,
    resolved_text: str | Callable[[Path], str],
    plan: Mapping[str, object],
) -> None:
    (directory / CONTROL).mkdir()
    (directory / CHECKPOINTS).mkdir()
    # Bytes: the text as it was given, line ends included.
    (directory / CONFIG).write_bytes(config_text.encode("utf-8"))
    (directory / PLAN).write_text(
        json.dumps(plain(plan), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    resolved_text = resolved_text if isinstance(resolved_text, str) else resolved_text(directory)
    # The two files that make it a run to its readers come last, the status at the very end.
    (directory / RESOLVED).write_bytes(resolved_text.encode("utf-8"))
    write_status(directory, new_status(), durable=True)


def _taken(directory: Path) -> RunError:
    name = directory.name
    if not directory.is_dir() or not looks_like_run(directory):
        return RunError(f"{directory} exists and is not a run.", "Use another name, or move it away.")
    run = Run(directory)
    if run.alive:
        fix = f"Use another name, or stop it first: ft stop {name}"
    else:
        fix = "Use another name, or overwrite it: option --overwrite, in Python overwrite=True."
    return RunError(f"There is already a run '{name}': {run.summary()}.", fix)
