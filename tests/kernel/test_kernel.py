"""Cells in a real kernel: they return at once, and neither the kernel's death nor an interrupt reaches a run."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from ft_core.runs import Run

pytestmark = pytest.mark.kernel

WIDGET = "application/vnd.jupyter.widget-view+json"


def say(kernel: Any, model_id: str, content: dict[str, Any]) -> None:
    """Send a widget's custom message as a page does."""
    data = {"method": "custom", "content": content}
    message = kernel.client.session.msg("comm_msg", {"comm_id": model_id, "data": data})
    kernel.client.shell_channel.send(message)


def custom(kind: str, model_id: str) -> Callable[[dict[str, Any]], bool]:
    """Return what recognises a custom message of one type to one widget."""

    def wanted(message: dict[str, Any]) -> bool:
        content = message["content"]
        return (
            message["msg_type"] == "comm_msg"
            and content["comm_id"] == model_id
            and content["data"].get("content", {}).get("type") == kind
        )

    return wanted


def test_a_run_trains_beside_the_kernel_and_outlives_it(
    start_kernel: Callable[[], Any], until_step: Callable[[str, int], Run], yaml: str, record_property: Any
) -> None:
    kernel = start_kernel()
    cell = kernel.run(f"%%finetune joker\n{yaml}")
    assert cell.status == "ok"
    assert cell.printed == ""
    view = cell.displays[-2]
    assert "… starting" in view["text/html"]
    run = until_step("joker", 1)

    # The kernel answers while training has both cores.
    seconds = [kernel.run("1 + 1").seconds for _ in range(15)]
    print(
        f"cell {cell.seconds:.2f} s, answers: median {median(seconds) * 1000:.1f} ms, worst {max(seconds) * 1000:.1f} ms"
    )
    assert run.alive
    assert median(seconds) < 0.1

    # A page says hello and gets a snapshot, then deltas.
    model = view[WIDGET]["model_id"]
    say(kernel, model, {"type": "hello", "have": 0})
    snapshot = kernel.until_message(custom("snapshot", model))
    content = snapshot["content"]["data"]["content"]
    steps, loss = (np.frombuffer(buffer, "<f4") for buffer in snapshot["buffers"][:2])
    assert steps[0] == 1
    assert len(steps) == len(loss) > 0
    delta = kernel.until_message(custom("delta", model))
    assert delta["content"]["data"]["content"]["seq"] == content["seq"] + 1
    assert np.frombuffer(delta["buffers"][0], "<f4")[0] == steps[-1] + 1

    kernel.kill()
    at_death = run.status().step
    run = until_step("joker", at_death + 2)
    assert run.alive

    # From another kernel the same run is attached to, stopped by the page's button, and left as a report.
    other = start_kernel()
    attached = other.run("%ft attach joker")
    model = attached.displays[-2][WIDGET]["model_id"]
    say(other, model, {"type": "stop", "now": False})
    update = other.until_message(lambda message: message["msg_type"] == "update_display_data")
    assert "◼ stopped" in update["content"]["data"]["text/html"]
    assert "<svg" in update["content"]["data"]["text/html"]
    assert run.state == "stopped"
    assert (run.final / "adapter_config.json").is_file()


def test_a_variable_with_rows_outlives_its_kernel(
    start_kernel: Callable[[], Any], until_step: Callable[[str, int], Run], yaml: str, dictionary: Any
) -> None:
    kernel = start_kernel()
    kernel.run(f"import pandas as pd; df = pd.read_json({str(dictionary)!r}, lines=True).head(20)")
    cell = kernel.run(f"%%finetune joker\n{yaml.replace(str(dictionary), '${df}')}")
    assert (cell.status, cell.printed) == ("ok", "")
    kernel.run("df.drop(df.index, inplace=True)")
    kernel.kill()
    run = until_step("joker", 2)
    assert run.plan["train_rows"] == 20
    run.stop(now=True)
    again = start_kernel().run("%ft inspect joker")
    assert again.status == "ok"
    assert [message for message in again.messages if message["msg_type"] == "execute_result"]


def test_a_mistake_is_a_sentence(start_kernel: Callable[[], Any], yaml: str) -> None:
    kernel = start_kernel()
    cell = kernel.run(f"%%finetune\n{yaml.replace('sequence_len', 'sequense_len')}")
    assert cell.status == "error"
    error = cell.error
    assert error["ename"] == "ConfigError"
    told = "\n".join(error["traceback"])
    assert "line 10, column 1: unknown key 'sequense_len'; did you mean 'sequence_len'?" in told
    assert "Traceback" not in told
    assert len(error["traceback"]) == 4
    assert kernel.run("%%finetune --plann\nx: 1").error["traceback"][0] == (
        "%%finetune: there is no option or key '--plann'; did you mean '--plan'?"
    )


def test_an_interrupt_ends_the_waiting_and_not_the_run(
    start_kernel: Callable[[], Any], until_step: Callable[[str, int], Run], yaml: str
) -> None:
    kernel = start_kernel()
    begin = time.perf_counter()
    sent = kernel.start(f"%%finetune joker --wait\n{yaml}")
    # The cell blocks the kernel, and its view still moves: snapshots come unasked.
    kernel.until_message(
        lambda message: message["msg_type"] == "display_data" and WIDGET in message["content"]["data"]
    )
    run = until_step("joker", 1)
    kernel.until_message(
        lambda message: (
            message["msg_type"] == "comm_msg"
            and message["content"]["data"].get("content", {}).get("run", {}).get("step", 0) >= 1
        )
    )
    kernel.manager.interrupt_kernel()
    cell = kernel.finish(sent, begin)
    assert cell.status == "error"
    assert cell.error["ename"] == "KeyboardInterrupt"
    assert cell.error["traceback"] == [
        "Stopped waiting. The run joker goes on.",
        "%ft stop joker ends it, %ft attach joker shows it.",
    ]
    assert run.alive
    assert kernel.run("print(joker.alive)").printed == "True\n"
    kernel.run("%ft stop joker")
    update = kernel.until_message(lambda message: message["msg_type"] == "update_display_data")
    assert "◼ stopped" in update["content"]["data"]["text/html"]


def execute(runs_root: Any, *cells: str) -> Any:
    """Execute a notebook headless and return it."""
    book = nbformat.v4.new_notebook()
    book.cells = [nbformat.v4.new_code_cell(source) for source in cells]
    return NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(runs_root)}}
    ).execute()


def test_a_notebook_that_is_executed_headless_keeps_the_report(
    runs_root: Any, yaml: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nbconvert import HTMLExporter

    runs_root.mkdir()
    monkeypatch.setenv("PYTHONPATH", ":".join(__import__("sys").path))
    short = yaml.replace("4000", "3")
    book = execute(
        runs_root, "%load_ext ft_jupyter", f"%%finetune joker --wait\n{short}", "joker.metrics.loss.shape"
    )
    outputs = book.cells[1].outputs
    assert [output.output_type for output in outputs] == ["display_data"] * 4
    assert all(WIDGET not in output.data for output in outputs)
    assert outputs[2].data["text/html"] == ""
    assert "✓ completed" in outputs[-1].data["text/html"]
    assert book.cells[2].outputs[0].data["text/plain"] == "(3,)"
    page, _ = HTMLExporter().from_notebook_node(book)
    assert "3 of 3" in page
    assert "<polyline" in page
    with pytest.raises(CellExecutionError) as caught:
        execute(runs_root, "%load_ext ft_jupyter", f"%%finetune\n{short}lora_rr: 1")
    assert "unknown key 'lora_rr'" in str(caught.value)
    assert "Traceback (most recent call last)" not in str(caught.value)
