"""CORRECTNESS 20: no process is forked, for a kernel has threads and may have used its GPU; every one is started afresh."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(
    file.relative_to(ROOT)
    for package in ("core/ft_core", "ft_jupyter")
    for file in (ROOT / package).rglob("*.py")
)

FORKS = {
    "os.fork",
    "os.forkpty",
    "pty.fork",
    "multiprocessing.Process",
    "multiprocessing.Pool",
    "multiprocessing.pool.Pool",
    "multiprocessing.get_context",
    "concurrent.futures.ProcessPoolExecutor",
    "multiprocess",
    "torch.multiprocessing",
    "joblib",
    "accelerate.notebook_launcher",
}
"""What forks by itself, or by the default of a system. A pipe of multiprocessing is none of it."""

FORKING_ARGUMENTS = {"num_proc", "num_workers", "preexec_fn"}
"""What makes datasets, loaders of batches and subprocess fork."""


def forks(source: str) -> list[str]:
    """Return what of a module's source forks.

    >>> forks("import multiprocessing as m\\nm.Pool(2)")
    ['multiprocessing.Pool']
    """
    tree = ast.parse(source)
    names: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(
                {
                    (each.asname or each.name.split(".")[0]): (
                        each.name if each.asname else each.name.split(".")[0]
                    )
                    for each in node.names
                }
            )
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update({each.asname or each.name: f"{node.module}.{each.name}" for each in node.names})
    found: list[str] = [name for name in names.values() if _forks(name)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{names.get(node.value.id, node.value.id)}.{node.attr}"
            found += [name] if _forks(name) else []
        elif isinstance(node, ast.Call):
            given = [word for word in node.keywords if word.arg in FORKING_ARGUMENTS]
            found += [str(word.arg) for word in given if not _is_zero_or_none(word.value)]
    return found


def _forks(name: str) -> bool:
    return any(name == each or name.startswith(each + ".") for each in FORKS)


def _is_zero_or_none(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value in (0, None)


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\nos.fork()", ["os.fork"]),
        ("import multiprocessing as mp\nmp.get_context('fork')", ["multiprocessing.get_context"]),
        ("from multiprocessing import Process", ["multiprocessing.Process"]),
        ("from concurrent.futures import ProcessPoolExecutor", ["concurrent.futures.ProcessPoolExecutor"]),
        ("import torch.multiprocessing as mp", ["torch.multiprocessing"]),
        ("rows.map(f, num_proc=4)", ["num_proc"]),
        ("DataLoader(rows, num_workers=workers)", ["num_workers"]),
        ("DataLoader(rows, num_workers=0)", []),
        ("from multiprocessing import Pipe\nfrom multiprocessing.connection import wait", []),
        ("from concurrent.futures import ThreadPoolExecutor", []),
    ],
)
def test_what_is_found(source: str, found: list[str]) -> None:
    assert forks(source) == found


def test_nothing_forks() -> None:
    assert len(FILES) > 200
    assert {
        str(file): found for file in FILES if (found := forks((ROOT / file).read_text(encoding="utf-8")))
    } == {}
