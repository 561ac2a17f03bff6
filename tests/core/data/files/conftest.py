"""Files in an empty folder, which is the working folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.data.files import DataFile, Row, data_file, read_file


@pytest.fixture
def make_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DataFile]:
    """Return a function from a name and its content to the file."""
    monkeypatch.chdir(tmp_path)

    def make(name: str, content: str | bytes, kind: str | None = None) -> DataFile:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return data_file(path, kind)

    return make


@pytest.fixture
def rows_of(make_file: Callable[..., DataFile]) -> Callable[..., list[Row | str]]:
    """Return a function from a name and its content to the rows, and what is said of those that are broken."""

    def read(name: str, content: str | bytes, start: int = 0) -> list[Row | str]:
        rows = read_file(make_file(name, content), start)
        return [row if isinstance(row, dict) else str(row) for row in rows]

    return read
