from __future__ import annotations

from pathlib import Path

import pytest

from ft_core.runs import Run, log_size, read_log
from ft_core.runs import log as log_module
from ft_core.runs.log import log_tail, painted, read_tail


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("plain", "plain"),
        ("tab\there", "tab\there"),
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x1b]8;;http://x\x07link\x1b]8;;\x1b\\", "link"),
        ("\x1b]0;unfinished title", ""),
        ("\x1b(Bx\x1b=y\x1bMz", "xyz"),
        ("10%\r50%\r100%", "100%"),
        ("100%\r7%", "7%0%"),
        ("done   \r", "done"),
        ("a\x07\x00\x9bb", "ab"),
        ("", ""),
    ],
)
def test_a_line_as_a_terminal_shows_it(line: str, shown: str) -> None:
    assert painted(line) == shown


@pytest.mark.parametrize(
    ("text", "lines", "tail"),
    [
        ("", 3, ""),
        ("a\nb\nc\n", 2, "b\nc"),
        ("a\nb\nc", 2, "b\nc"),
        ("a\nb\n", 9, "a\nb"),
        ("a\r\nb\r\n", 9, "a\nb"),
        ("a\n\n\n", 2, "\n"),
        ("a\n", 0, ""),
        ("a\n", -1, ""),
    ],
)
def test_the_tail(tmp_path: Path, text: str, lines: int, tail: str) -> None:
    (tmp_path / "log.txt").write_bytes(text.encode())
    assert log_tail(tmp_path, lines) == tail


def test_no_log_yet(run: Run) -> None:
    assert run.log_tail() == ""
    assert read_log(run.directory) == ([], 0)
    assert log_size(run.directory) == 0


def test_a_block_border_splits_no_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "BLOCK", 7)
    text = "".join(f"line {n} é\n" for n in range(50))
    (tmp_path / "log.txt").write_text(text, encoding="utf-8")
    for lines in range(1, 60):
        assert log_tail(tmp_path, lines) == "\n".join(text.splitlines()[-lines:])


def test_of_a_huge_log_only_the_end_is_read(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with path.open("wb") as file:
        file.truncate(50 * 2**30)  # sparse: reading it whole would need 50 GiB
        file.seek(0, 2)
        file.write(b"\nthe end\n")
    assert log_tail(tmp_path, 1) == "the end"
    assert log_size(tmp_path) == 50 * 2**30 + 9


def test_a_line_without_end_is_cut_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_module, "LIMIT", 100)
    monkeypatch.setattr(log_module, "BLOCK", 10)
    (tmp_path / "log.txt").write_bytes(b"x" * 1000 + b"y" * 100)
    assert log_tail(tmp_path, 3) == "y" * 100
    lines, offset = read_log(tmp_path)
    assert (lines, offset) == (["x" * 100], 100)


def test_following(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"one\ntwo\nthr")
    lines, offset = read_log(tmp_path)
    assert (lines, offset) == (["one", "two"], 8)
    path.write_bytes(b"one\ntwo\nthree\n")
    assert read_log(tmp_path, offset) == (["three"], 14)
    path.write_bytes(b"one\ntwo\nthree\nfo")
    assert read_tail(tmp_path, 2) == (["two", "three"], 14)
    assert read_log(tmp_path, 14) == ([], 14)
    assert read_log(tmp_path, 14, rest=True) == (["fo"], 16)
    path.write_bytes(b"new\n")
    assert read_log(tmp_path, 14) == (["new"], 4)
