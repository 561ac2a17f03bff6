"""What this machine and this notebook have a name for: variables, files, models of the hub's cache, runs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from ft_jupyter.completion.offers import Offer

MOST = 300
"""Entries of a folder, or names of a cache, that are looked at: an answer must be quick."""


def variables(user_ns: Mapping[str, object], hidden: Mapping[str, object], *, braces: bool) -> list[Offer]:
    """Return the notebook's own variables as a YAML names them; functions, classes and modules cannot stand in one."""
    found: list[Offer] = []
    for name, value in list(user_ns.items()):
        if name.startswith("_") or (name in hidden and hidden[name] is value):
            continue
        if callable(value) or isinstance(value, ModuleType):
            continue
        found.append(Offer(f"${{{name}}}" if braces else f"${name}", type(value).__name__))
    return sorted(found, key=lambda offer: offer.text)


def files(fragment: str, suffixes: tuple[str, ...] = ()) -> list[Offer]:
    """Return the folders and files that a path may go on with, folders first.

    Parameters
    ----------
    fragment
        What is typed of the path.
    suffixes
        Of which files; of all where it is empty.
    """
    typed = fragment[: fragment.rfind("/") + 1]
    start = fragment[len(typed) :]
    folders: list[Offer] = []
    plain: list[Offer] = []
    try:
        with os.scandir(os.path.expanduser(typed) or ".") as entries:  # noqa: PTH111 - never raises
            for entry, _ in zip(entries, range(MOST), strict=False):
                if entry.name.startswith(".") and not start.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(Offer(f"{typed}{entry.name}/", "folder"))
                elif not suffixes or entry.name.endswith(suffixes):
                    plain.append(Offer(f"{typed}{entry.name}", "file"))
    except (OSError, ValueError):  # missing, forbidden, or no path at all
        return []
    return [*sorted(folders, key=_by_text), *sorted(plain, key=_by_text)]


def cached_models(what: str) -> list[Offer]:
    """Return the names of the ``models`` or ``datasets`` in the hub's cache on this machine."""
    marker = f"{what}--"
    try:
        with os.scandir(_hub_cache()) as entries:
            folders = [entry.name for entry, _ in zip(entries, range(MOST), strict=False)]
    except OSError:
        return []
    names = [folder[len(marker) :].replace("--", "/") for folder in folders if folder.startswith(marker)]
    return [Offer(name, "in the hub's cache") for name in sorted(names)]


def demo_models() -> list[Offer]:
    """Return the folder of the demo model, once it is there."""
    from ft_core.models.demo import MODEL_NAME, cache_dir

    folder = cache_dir() / MODEL_NAME
    return [Offer(str(folder), "demo model", MODEL_NAME)] if (folder / "config.json").is_file() else []


def run_names(root: Path | None, user_ns: Mapping[str, object]) -> list[Offer]:
    """Return the runs that a word of ``%ft`` may name, newest first, then the variables that hold one."""
    from ft_core.errors import RunError
    from ft_core.runs import Run, find_runs

    try:
        found = [Offer(run.name, run.state) for run in find_runs(root)[:MOST]]
    except RunError:
        found = []
    names = {offer.text for offer in found}
    held = [
        name for name, value in list(user_ns.items()) if isinstance(value, Run) and not name.startswith("_")
    ]
    return [*found, *(Offer(name, "variable") for name in sorted(held) if name not in names)]


def _hub_cache() -> str:
    """Return the folder of the hub's cache, as the hub's own library finds it; importing that one takes too long."""
    environment = os.environ
    if given := environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE"):
        return os.path.expanduser(given)  # noqa: PTH111
    base = environment.get("XDG_CACHE_HOME") or "~/.cache"
    home = environment.get("HF_HOME") or f"{base}/huggingface"
    return os.path.expanduser(f"{home}/hub")  # noqa: PTH111


def _by_text(offer: Offer) -> str:
    return offer.text
