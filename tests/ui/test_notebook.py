"""What a person sees in JupyterLab: a cell that trains, a chart that moves, a run that survives."""

from __future__ import annotations

import os
import re
import signal
import time
from pathlib import Path

import pytest
from lab import Notebook
from playwright.sync_api import expect

from ft_core.runs import open_run

pytestmark = pytest.mark.ui

SECONDS = 1000


@pytest.fixture
def cell(tiny_model: Path, dictionary: Path):
    """Return the text of a %%finetune cell on the tiny model; a long run of small steps."""

    def text(line: str, **more: object) -> str:
        keys = {"num_epochs": 20, "micro_batch_size": 2, "learning_rate": "1e-3", "logging_steps": 50} | more
        settings = "\n".join(f"{key}: {value}" for key, value in keys.items())
        return (
            f"%%finetune {line}\nbase_model: {tiny_model}\nadapter: lora\nlora_r: 8\nlora_alpha: 16\nsequence_len: 128\n"
            f"datasets:\n  - path: {dictionary}\n    type: chat_template\nval_set_size: 16\n{settings}\n"
        )

    return text


@pytest.fixture
def loaded(notebook: Notebook) -> Notebook:
    """Return a notebook in which the extension is loaded."""
    notebook.run("%load_ext ft_jupyter")
    return notebook


def _points(notebook: Notebook) -> int:
    """Return how many points the loss curve on the page has."""
    return notebook.page.evaluate(
        """() => {
            const chart = document.querySelector('.ft-run .ft-chart.js-plotly-plot')
            return chart ? Math.max(0, ...chart.data.map((trace) => trace.x?.length ?? 0)) : 0
        }"""
    )


def _await_points(notebook: Notebook, more_than: int, timeout: float = 60) -> int:
    deadline = time.monotonic() + timeout
    while (points := _points(notebook)) <= more_than:
        if time.monotonic() > deadline:
            shown = notebook.page.locator(".jp-OutputArea-output").all_inner_texts()
            raise AssertionError(f"the chart has {points} points after {timeout} s; the page shows {shown}")
        notebook.page.wait_for_timeout(100)
    return points


def test_a_run_is_drawn_live_and_stops_on_the_button(loaded: Notebook, cell, screenshots: Path) -> None:
    output = loaded.run(cell("live"))
    view = output.locator(".ft-run")
    first = _await_points(loaded, 2)
    assert _await_points(loaded, first) > first
    expect(view.locator(".ft-chip")).to_have_text("running")
    expect(view.locator(".ft-run-doing")).to_have_text(re.compile(r"step \d+ of 7,100"))

    # The cell is free: another one is answered while the run goes on.
    expect(loaded.run("6 * 7")).to_contain_text("42")

    _await_points(loaded, 60)
    view.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "run-light.png")
    loaded.set_theme("JupyterLab Dark")
    loaded.page.wait_for_timeout(500)
    loaded.page.screenshot(path=screenshots / "run-dark.png")
    loaded.set_theme("JupyterLab Light")

    view.get_by_role("button", name="Stop", exact=True).click()
    report = output.locator(".ft-report")
    expect(report).to_be_visible(timeout=30 * SECONDS)
    expect(report).to_contain_text("stopped")
    expect(report.locator("svg")).to_be_visible()
    expect(output.locator(".ft-run")).to_have_count(0)
    run = open_run("live", loaded.server.runs)
    assert run.state == "stopped"
    assert (run.final / "adapter_model.safetensors").is_file()
    report.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "report-light.png")
    loaded.set_theme("JupyterLab Dark")
    loaded.page.screenshot(path=screenshots / "report-dark.png")
    loaded.set_theme("JupyterLab Light")


def test_a_finished_run_is_still_there_when_the_notebook_is_reopened(loaded: Notebook, cell) -> None:
    output = loaded.run(cell("kept --wait", max_steps=20))
    expect(output.locator(".ft-report")).to_contain_text("completed")
    loaded.save("kept.ipynb")
    loaded.shut_down_kernel()
    loaded.open("kept.ipynb")
    report = loaded.page.locator(".ft-report")
    expect(report).to_contain_text("completed")
    expect(report.locator("svg")).to_be_visible()
    expect(loaded.page.get_by_text("Error displaying widget")).to_have_count(0)


def test_a_reloaded_page_draws_the_run_again(loaded: Notebook, cell) -> None:
    loaded.run(cell("reloaded"))
    before = _await_points(loaded, 20)
    loaded.save("reloaded.ipynb")
    loaded.open("reloaded.ipynb")
    assert _await_points(loaded, before) > before
    loaded.page.locator(".ft-run").get_by_role("button", name="Stop", exact=True).click()
    assert open_run("reloaded", loaded.server.runs).wait(timeout=60) == "stopped"


def test_a_killed_kernel_leaves_the_run_alive_and_a_new_one_attaches(loaded: Notebook, cell) -> None:
    loaded.run(cell("survivor"))
    _await_points(loaded, 5)
    pid = int(loaded.run("import os; print(os.getpid())").inner_text().strip())
    run = open_run("survivor", loaded.server.runs)
    os.kill(pid, signal.SIGKILL)
    step = run.status().step
    loaded.page.evaluate(
        "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.restartKernel() }"
    )
    # JupyterLab tells of the dead kernel in a dialog of its own, sometimes.
    for dialog in loaded.page.locator(".jp-Dialog button").all():
        dialog.click()
    loaded.run("%load_ext ft_jupyter")
    assert run.alive
    output = loaded.run("%ft attach survivor")
    expect(output.locator(".ft-run .ft-chip")).to_have_text("running", timeout=20 * SECONDS)
    deadline = time.monotonic() + 30
    while run.status().step <= step:
        assert time.monotonic() < deadline
        loaded.page.wait_for_timeout(200)
    expect(loaded.run("%ft stop survivor")).not_to_contain_text("Traceback")
    assert run.wait(timeout=60) == "stopped"


def test_a_mistake_is_a_sentence_with_its_line(loaded: Notebook, cell, screenshots: Path) -> None:
    output = loaded.run(cell("wrong", sequense_len=64).replace("lora_r: 8", "lora_r: many"))
    expect(output).to_contain_text("unknown key 'sequense_len'; did you mean 'sequence_len'?")
    expect(output).to_contain_text("line 4")
    expect(output).not_to_contain_text("Traceback")
    output.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "mistake-light.png")
    assert not (loaded.server.runs / "wrong").exists()


def test_the_cell_is_coloured_as_yaml_and_only_that_cell(loaded: Notebook, screenshots: Path) -> None:
    coloured = """() => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].map((cell) =>
        [...cell.querySelectorAll('.cm-line span')].map((span) => [span.textContent, getComputedStyle(span).color]))"""
    index = loaded.start("base_model = 1  # a comment")
    loaded.page.evaluate(
        "(code) => window.jupyterapp.shell.currentWidget.content.activeCell.model.sharedModel.setSource(code)",
        "%%finetune colours\nbase_model: some/model  # a comment\nlora_r: 8\n",
    )
    loaded.page.wait_for_timeout(300)
    spans = loaded.page.evaluate(coloured)
    in_yaml = {text.strip(): colour for text, colour in spans[-1]}
    in_python = {text.strip(): colour for text, colour in spans[index]}
    assert {"%%finetune", "base_model", "lora_r", "8"} <= {text.rstrip(":") for text in in_yaml} | {
        "%%finetune"
    }
    key = next(colour for text, colour in in_yaml.items() if text.rstrip(":") == "base_model")
    assert key != in_yaml["# a comment"]
    assert in_python["# a comment"] == in_yaml["# a comment"]
    # In YAML a key has a colour of its own; in Python the same word is a plain name.
    assert in_python.get("base_model") != key
    loaded.page.screenshot(path=screenshots / "yaml-colours.png")


def test_the_data_is_inspected(loaded: Notebook, cell, screenshots: Path) -> None:
    output = loaded.run(cell("look --inspect"))
    inspector = output.locator(".ft-inspector")
    expect(inspector).to_contain_text('Define "abasement".')
    expect(inspector.locator(".ft-chip").first).to_have_text("ready", timeout=30_000)
    inspector.get_by_role("gridcell", name="token 'Define'").hover()
    expect(inspector).to_contain_text("role user is not in roles_to_train")
    inspector.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "inspector-light.png")
    loaded.set_theme("JupyterLab Dark")
    expect(loaded.page.locator("#jupyterlab-splash")).to_have_count(0)
    loaded.page.screenshot(path=screenshots / "inspector-dark.png")
    loaded.set_theme("JupyterLab Light")
    assert not (loaded.server.runs / "look").exists()


def test_an_inspector_opens_below_the_dashboard(loaded: Notebook, cell, screenshots: Path) -> None:
    loaded.run(cell("seen", max_steps=2000))
    dashboard = loaded.page.locator(".ft-run").last
    dashboard.get_by_role("button", name="Inspect data").click()
    expect(dashboard).to_contain_text("%ft inspect seen")
    inspector = loaded.page.locator(".ft-inspector").last
    expect(inspector).to_contain_text('Define "abasement".')
    expect(inspector.locator(".ft-ins-title")).to_have_text("seen")
    inspector.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "inspector-below.png")
    loaded.run("%ft stop seen --now")


def test_runs_are_listed_and_a_plan_is_a_card(loaded: Notebook, cell, screenshots: Path) -> None:
    loaded.run(cell("short --wait", max_steps=4))
    plan = loaded.run(cell("next --plan", max_steps=4))
    expect(plan).to_contain_text("LoRA")
    expect(plan).to_contain_text("4")
    output = loaded.run("%ft runs")
    expect(output.locator("table")).to_contain_text("short")
    expect(output.locator("table")).to_contain_text("completed")
    output.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "runs-light.png")
    assert not (loaded.server.runs / "next").exists()


def test_a_run_can_be_chatted_with(loaded: Notebook, cell, screenshots: Path) -> None:
    loaded.run(cell("talk --wait", max_steps=4))
    output = loaded.run("%ft chat talk")
    chat = output.locator(".ft-chat")
    expect(chat.locator(".ft-chip")).to_have_text("ready", timeout=60 * SECONDS)
    chat.get_by_label("Ask").or_(chat.locator("textarea.ft-chat-draft")).first.fill("Define <b>money</b>.")
    chat.get_by_role("button", name="Send").click()
    expect(chat.locator(".ft-chat-answer")).not_to_have_count(0, timeout=60 * SECONDS)
    expect(chat.locator(".ft-chat-question")).to_contain_text("Define <b>money</b>.")
    # The kernel is free while the answer is written.
    expect(loaded.run("6 * 7")).to_contain_text("42")
    expect(chat.locator(".ft-chip")).to_have_text("ready", timeout=60 * SECONDS)
    chat.scroll_into_view_if_needed()
    loaded.page.screenshot(path=screenshots / "chat-tiny-light.png")
    chat.get_by_role("button", name="Close").click()
    expect(chat.locator(".ft-chip")).to_have_text("closed", timeout=20 * SECONDS)
