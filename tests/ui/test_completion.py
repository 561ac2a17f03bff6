"""Typing in a %%finetune cell: what the completer offers, and what Tab writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Notebook
from playwright.sync_api import Locator, expect

# JupyterLab waits a second for completions, and then shows none.
pytestmark = [pytest.mark.ui, pytest.mark.alone]


@pytest.fixture
def complete(notebook: Notebook) -> Callable[[str], Locator]:
    """Return a function that puts a text in a cell, presses Tab at its end, and returns the completer's items."""
    notebook.run("%load_ext ft_jupyter")

    def press_tab(text: str) -> Locator:
        notebook.page.evaluate(
            """(text) => {
                const notebook = window.jupyterapp.shell.currentWidget.content
                notebook.activeCellIndex = notebook.widgets.length - 1
                notebook.activeCell.model.sharedModel.setSource(text)
                notebook.mode = 'edit'
                const editor = notebook.activeCell.editor
                editor.focus()
                editor.setCursorPosition(editor.getPositionAt(text.length))
            }""",
            text,
        )
        notebook.page.keyboard.press("Tab")
        return notebook.page.locator(".jp-Completer-item:visible")

    return press_tab


def source(notebook: Notebook) -> str:
    return notebook.page.evaluate(
        "() => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.getSource()"
    )


def test_keys_are_offered_with_what_they_are(
    complete: Callable[[str], Locator], notebook: Notebook, screenshots: Path
) -> None:
    items = complete(
        "%%finetune joker\nbase_model: some/model\ndatasets:\n  - type: alpaca\n    path: rows.jsonl\n  - "
    )
    expect(items.first).to_contain_text("path:")
    expect(items.first).to_contain_text("required")
    expect(items.filter(has_text="lora_r")).to_have_count(0)
    notebook.page.screenshot(path=screenshots / "completion-nested.png")
    notebook.page.keyboard.press("Enter")
    assert source(notebook).endswith("\n  - path: ")

    items = complete("%%finetune joker\nbase_model: some/model\nlora")
    expect(items.filter(has_text="lora_alpha:").first).to_be_visible()
    expect(items.filter(has_text="not supported yet").first).to_be_attached()
    notebook.page.screenshot(path=screenshots / "completion-keys.png")
    notebook.page.keyboard.press("Escape")
    expect(items).to_have_count(0)

    items = complete("%%finetune joker\nadapter: lor")
    expect(items.first).to_contain_text("value")
    notebook.page.keyboard.press("Enter")
    assert source(notebook) == "%%finetune joker\nadapter: lora"


def test_a_key_is_explained(notebook: Notebook, screenshots: Path) -> None:
    notebook.run("%load_ext ft_jupyter")
    card = notebook.run("%ft explain datasets.train_on_eos")
    expect(card).to_contain_text("turn, all, last, none")
    planned = notebook.run("%ft explain low_cpu_mem_usage")
    expect(planned).to_contain_text("not yet: ")
    notebook.page.screenshot(path=screenshots / "explain-key.png")
    everything = notebook.run("%ft explain")
    expect(everything).to_contain_text("special_tokens (bos_token")
    everything.scroll_into_view_if_needed()
    notebook.page.screenshot(path=screenshots / "explain-all.png")
