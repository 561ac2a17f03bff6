"""``%ft merge`` and ``ft.merge``: what a merge made, drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ft_jupyter as ft
from ft_core.infer.merge import Merged
from ft_core.runs import create_run
from ft_jupyter.merge_card import Doing, MergeCard

MADE = Merged("out", "<b>base</b>", "final", 1000, 2000, "bf16", 10, 9, 0.01, 15.5, notes=("a <i>note</i>",))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> list[tuple[Any, Any, dict[str, Any]]]:
    """Return what `merge` was asked for; it tells of two things and makes nothing."""
    create_run("poet", config_text="", resolved_text="", plan={})
    calls: list[tuple[Any, Any, dict[str, Any]]] = []

    def record(source: Any, out: Any, **options: Any) -> Merged:
        options.pop("on_progress")("merging", 3, 14)
        calls.append((source.directory.name, out, options))
        return MADE

    monkeypatch.setattr("ft_jupyter.merge_card.merge", record)
    return calls


@pytest.mark.parametrize(
    ("line", "out", "options"),
    [
        ("poet", None, {"dtype": "auto", "dequantise": True, "overwrite": False}),
        (
            "poet --out there --dtype fp16 --no-dequant --overwrite",
            "there",
            {"dtype": "fp16", "dequantise": False, "overwrite": True},
        ),
    ],
)
def test_the_magic(shell: Any, asked: Any, line: str, out: str | None, options: dict[str, Any]) -> None:
    card = shell.run(f"%ft merge {line}").result
    assert asked == [("poet", out, options)]
    assert (repr(card), card.folder) == (MADE.render(), Path("out"))


def test_the_function(asked: Any) -> None:
    assert isinstance(ft.merge("poet", overwrite=True), MergeCard)
    assert asked == [("poet", None, {"dtype": "auto", "dequantise": True, "overwrite": True})]


def test_the_card_shows_text_as_text() -> None:
    html = MergeCard(MADE)._repr_html_()
    assert "&lt;b&gt;base&lt;/b&gt;" in html
    assert "a &lt;i&gt;note&lt;/i&gt;" in html
    assert "<b>" not in html


@pytest.mark.parametrize(
    ("doing", "words"),
    [
        (Doing("loading the base"), "loading the base ..."),
        (Doing("merging", 1200, 1400), "merging: 1,200 of 1,400 layers"),
    ],
)
def test_what_is_done_at_the_moment(doing: Doing, words: str) -> None:
    assert repr(doing) == words
    assert words in doing._repr_html_()
