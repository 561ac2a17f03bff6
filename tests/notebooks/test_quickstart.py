"""The first notebook does what it promises: it trains in under two minutes, and anyone sees the change."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest


@pytest.fixture(scope="module")
def executed(
    runner: ModuleType, examples: Path, demo_model: Path, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    return runner.execute(examples / "01_quickstart.ipynb", tmp_path_factory.mktemp("demo"))


@pytest.mark.alone
@pytest.mark.model
def test_training_takes_under_two_minutes_and_lowers_the_loss(executed: Any) -> None:
    (run,) = executed.runs
    assert run.state == "completed"
    events, _ = run.events()
    (began,) = [
        event["time"] for event in events if event["type"] == "phase" and event["phase"] == "training"
    ]
    steps = [event for event in events if event["type"] == "step"]
    assert steps[-1]["step"] == steps[-1]["total_steps"] == len(steps)
    assert steps[-1]["time"] - began < 120
    losses = [step["loss"] for step in steps]
    assert sum(losses[-10:]) / 10 < losses[0] - 0.5


@pytest.mark.model
def test_base_and_tuned_answer_differently(executed: Any) -> None:
    asked = re.findall(
        r'Define "(\w+)"\.\n +base: (.*?)\n +tuned: (.*?)(?=\nDefine|\Z)', executed.answers, re.DOTALL
    )
    assert [word for word, _, _ in asked] == ["friend", "homework", "bank"]
    for _, base, tuned in asked:
        assert base.strip() != tuned.strip()
    # The dictionary's entries are one line; the base model talks until it is stopped.
    assert sum(len(tuned) for _, _, tuned in asked) < sum(len(base) for _, base, _ in asked)


@pytest.mark.model
def test_the_page_shows_the_report_with_its_table_and_curve(executed: Any) -> None:
    page = executed.html.read_text(encoding="utf-8")
    report = page[page.rindex('class="ft-report"') :]
    assert "<table" in report
    assert "<svg" in report
    assert "completed" in report


@pytest.mark.model
def test_no_cell_printed_a_warning_or_an_error(executed: Any) -> None:
    document = nbformat.read(executed.notebook, as_version=4)
    outputs = [output for cell in document.cells for output in cell.get("outputs", ())]
    assert [output for output in outputs if output.output_type == "error"] == []
    assert [
        output.text for output in outputs if output.output_type == "stream" and output.name == "stderr"
    ] == []


def test_the_committed_notebook_holds_no_outputs(examples: Path) -> None:
    document = nbformat.read(examples / "01_quickstart.ipynb", as_version=4)
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    assert [(cell.outputs, cell.execution_count) for cell in code] == [([], None)] * len(code)


@pytest.mark.kernel
def test_a_failing_cell_ends_with_its_sentence_and_the_notebook_so_far(
    runner: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = ["print('first')", "raise ValueError('the second cell')", "print('third')"]
    source = tmp_path / "broken.ipynb"
    nbformat.write(
        nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), source
    )
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["run.py", str(source), "--out", str(out)])
    assert runner.main() == 1
    printed = capsys.readouterr()
    assert "ValueError: the second cell" in printed.err
    assert "Traceback" not in printed.err
    assert [line.split()[0:2] for line in printed.out.splitlines() if line] == [["[", "1/3]"], ["[", "2/3]"]]
    first, second, third = nbformat.read(out / "broken.ipynb", as_version=4).cells
    assert first.outputs[0].text == "first\n"
    assert second.outputs[0].output_type == "error"
    assert third.outputs == []
