"""The inspector in a real kernel: it answers while a pass goes on, and its processes end with it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import pytest

pytestmark = pytest.mark.kernel

WIDGET = "application/vnd.jupyter.widget-view+json"


def say(kernel: Any, model_id: str, content: dict[str, Any]) -> None:
    """Send a widget's custom message as a page does."""
    data = {"method": "custom", "content": content}
    kernel.client.shell_channel.send(
        kernel.client.session.msg("comm_msg", {"comm_id": model_id, "data": data})
    )


def content_of(message: dict[str, Any], model_id: str) -> dict[str, Any]:
    """Return the custom message of a widget, empty where it is none."""
    if message["msg_type"] != "comm_msg" or message["content"]["comm_id"] != model_id:
        return {}
    return message["content"]["data"].get("content", {})


def children(kernel: Any) -> list[psutil.Process]:
    """Return the processes that go through rows."""
    started = psutil.Process(kernel.manager.provisioner.pid).children(recursive=True)
    return [process for process in started if "background_process" in " ".join(process.cmdline())]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def test_a_pass_leaves_the_kernel_quick_and_ends_with_it(
    start_kernel: Callable[[], Any], yaml: str, dictionary: Path, tmp_path: Path
) -> None:
    many = tmp_path / "many.jsonl"
    many.write_bytes(dictionary.read_bytes() * 500)
    kernel = start_kernel()
    body = yaml.replace(str(dictionary), str(many))
    cell = kernel.run(f"%%finetune --inspect\n{body}")
    assert cell.status == "ok"
    [result] = [message for message in cell.messages if message["msg_type"] == "execute_result"]
    model = result["content"]["data"][WIDGET]["model_id"]
    assert "408,500 rows" in result["content"]["data"]["text/plain"]

    say(kernel, model, {"type": "hello"})
    state = kernel.until_message(lambda message: content_of(message, model).get("type") == "state")
    assert content_of(state, model)["rows"] == 408_500
    say(kernel, model, {"type": "scan", "action": "start"})
    until(lambda: children(kernel))
    processes = children(kernel)

    # While all cores tokenize, a cell is answered, and so is a row of the middle.
    seconds = [kernel.run("1 + 1").seconds for _ in range(15)]
    print(f"answers: median {median(seconds) * 1000:.1f} ms, worst {max(seconds) * 1000:.1f} ms")
    assert median(seconds) < 0.2
    say(kernel, model, {"type": "sample", "request": 7, "place": 200_000, "sample": 0})
    reply = kernel.until_message(lambda message: content_of(message, model).get("request") == 7)
    assert content_of(reply, model)["place"] == 200_000
    ids = np.frombuffer(reply["buffers"][0], "<i4")
    assert len(ids) == content_of(reply, model)["count"] > 0

    # An interrupt is for the cell that runs, not for the pass.
    kernel.manager.interrupt_kernel()
    assert kernel.run("2 + 2").status == "ok"
    assert alive(processes) == processes

    kernel.kill()
    until(lambda: not alive(processes))
