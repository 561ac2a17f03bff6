"""The page of silent bugs names, for each of them, tests that are there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "silent-bugs.md"
ROWS = {
    int(found[1]): re.findall(r"`(tests/[^`]+)`", found[2])
    for found in re.finditer(r"^\| (\d+) \|(.*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
}


def test_every_row_is_there() -> None:
    assert sorted(ROWS) == list(range(1, 26))


@pytest.mark.parametrize(("row", "test"), [(row, test) for row, tests in ROWS.items() for test in tests])
def test_its_tests_are_there(row: int, test: str) -> None:
    file, _, name = test.partition("::")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    names = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
    assert name in names


def test_no_row_is_without_one() -> None:
    assert [row for row, tests in ROWS.items() if not tests] == []
