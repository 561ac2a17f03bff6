"""Where runs live and how they are named."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ft_core.errors import RunError

CONFIG = "config.yaml"
RESOLVED = "resolved.yaml"
PLAN = "plan.json"
STATUS = "status.json"
EVENTS = "events.jsonl"
LOG = "log.txt"
LOCK = "lock"
CONTROL = "control"
DATA = "data"
CHECKPOINTS = "checkpoints"
FINAL = "final"
MERGED = "merged"

ENVIRONMENT_VARIABLE = "FT_RUN"
"""Every process of a run carries the run's directory under this name."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def runs_root() -> Path:
    """Return the folder that holds runs: ``$FT_RUNS_DIR``, else ``runs`` in the current directory."""
    configured = os.environ.get("FT_RUNS_DIR")
    return (Path(configured).expanduser() if configured else Path("runs")).absolute()


def is_name(name: str) -> bool:
    """Whether `name` may name a run.

    >>> is_name("poet-7"), is_name("../poet"), is_name(""), is_name("-x")
    (True, False, False, False)
    """
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raise a RunError unless `name` may name a run."""
    if is_name(name):
        return
    suggestion = re.sub(r"[^A-Za-z0-9._-]+", "-", name).lstrip("._-")[:80].rstrip("-")
    raise RunError(
        f"{name[:100]!a} cannot name a run: a name is 1 to 80 letters, digits, '.', '_' or '-', "
        "and starts with a letter or digit.",
        f"Write '{suggestion}'." if is_name(suggestion) else "Choose a name such as 'run-1'.",
    )


def looks_like_run(directory: Path) -> bool:
    """Whether `directory` holds what only a run holds, so that other folders are left alone."""
    return any((directory / name).exists() for name in (STATUS, EVENTS, RESOLVED))


def next_name(root: Path | None = None, stem: str = "run") -> str:
    """Return ``<stem>-<n>`` with n one above the highest that `root` holds.

    Another process may take the name first; `create_run` with the name None tries again by itself.
    """
    root = root or runs_root()
    numbered = re.compile(re.escape(stem) + r"-([0-9]{1,9})")
    try:
        names = os.listdir(root)  # noqa: PTH208 - names alone are wanted
    except OSError:
        # Missing or unreadable: the first name; create_run then says what is wrong with the root.
        names = []
    taken = [int(match[1]) for name in names if (match := numbered.fullmatch(name))]
    return f"{stem}-{max(taken, default=0) + 1}"
