"""The second notebook breaks a dataset in six ways, and each is the first of the findings."""

from __future__ import annotations

import html
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest


@pytest.fixture(scope="module")
def executed(
    runner: ModuleType, examples: Path, demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    return runner.execute(examples / "02_see_your_data.ipynb", tmp_path_factory.mktemp("see"))


def tables(notebook: Path) -> list[list[tuple[str, str, int]]]:
    """Return severity, title and count of each finding, for each table of the notebook."""
    found: list[list[tuple[str, str, int]]] = []
    for cell in nbformat.read(notebook, as_version=4).cells:
        for output in cell.get("outputs", ()):
            page = output.get("data", {}).get("text/html", "")
            if "<th>severity</th>" in page:
                rows = re.findall(r"<tr>\s*<th>\d+</th>(.*?)</tr>", page, re.DOTALL)
                cells = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL) for row in rows]
                found.append([(html.unescape(row[0]), html.unescape(row[1]), int(row[2])) for row in cells])
    return found


@pytest.mark.model
def test_each_of_the_six_is_found_with_its_rows(executed: Any) -> None:
    assert tables(executed.notebook) == [
        [],
        [("wrong", "Unknown role", 409)],
        [],
        [("wrong", "Empty turn", 40)],
        [("suspicious", "Truncated", 198)],
        [("wrong", "Rows in both sets", 25), ("suspicious", "Duplicate", 100)],
        [("suspicious", "Replacement character", 17), ("suspicious", "Mojibake", 17)],
        [("wrong", "Stop token untrained", 817)],
    ]


@pytest.mark.model
def test_the_page_shows_the_samples_where_no_widget_runs(executed: Any) -> None:
    page = executed.html.read_text(encoding="utf-8")
    assert page.count("First samples of") == 3
    assert "end of turn (train_on_eos: none)" in page
    assert '<script type="application/vnd.jupyter.widget-view+json">' not in page


@pytest.mark.model
def test_no_cell_printed_a_warning_or_an_error(executed: Any) -> None:
    outputs = [
        output
        for cell in nbformat.read(executed.notebook, as_version=4).cells
        for output in cell.get("outputs", ())
    ]
    assert [output for output in outputs if output.output_type in ("error", "stream")] == []


def test_the_committed_notebook_holds_no_outputs(examples: Path) -> None:
    document = nbformat.read(examples / "02_see_your_data.ipynb", as_version=4)
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)
