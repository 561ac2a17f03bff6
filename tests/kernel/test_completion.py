"""Completion in a real kernel: what a front end asks, and what comes back, to the character."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any

import pytest

pytestmark = pytest.mark.kernel


def ask(kernel: Any, marked: str) -> dict[str, Any]:
    """Send the cell with ``|`` where the cursor stands, and return the reply."""
    cursor = marked.index("|")
    sent = kernel.client.complete(marked[:cursor] + marked[cursor + 1 :], cursor)
    while True:
        reply = kernel.client.get_shell_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == sent:
            return reply["content"]


@pytest.mark.alone
def test_keys_values_and_lines_are_completed_to_the_character(start_kernel: Callable[[], Any]) -> None:
    kernel = start_kernel()
    begin = perf_counter()
    reply = ask(kernel, "%%finetune joker --plan\nmicro_b|")
    first = perf_counter() - begin
    text = "%%finetune joker --plan\nmicro_b"
    assert reply["status"] == "ok"
    assert reply["matches"] == ["micro_batch_size: "]
    assert (reply["cursor_start"], reply["cursor_end"]) == (len(text) - len("micro_b"), len(text))
    assert reply["metadata"]["_jupyter_types_experimental"] == [
        {
            "start": len(text) - len("micro_b"),
            "end": len(text),
            "text": "micro_batch_size: ",
            "type": "schedule",
            "signature": "",
        }
    ]

    # In a list, after text that JavaScript counts in two, with keys below.
    before = "%%finetune\n# \U0001f600\nspecial_tokens:\n  pad_token: x\n  u"
    reply = ask(kernel, before + "|\nlora_r: 8")
    assert reply["matches"] == ["unk_token: "]
    assert (reply["cursor_start"], reply["cursor_end"]) == (len(before) - 1, len(before))

    assert ask(kernel, "%%finetune\nadapter: lo|")["matches"] == ["lora"]
    assert ask(kernel, "%%finetune\ndatasets: [{path: x, type: al|}]")["matches"][0] == "alpaca"
    assert ask(kernel, "%%finetune --pl|")["matches"][0] == "--plan"
    assert ask(kernel, "%ft expl|")["matches"] == ["explain"]

    kernel.run("low_rate = 1e-4\nimport os as low_module")
    assert ask(kernel, "%%finetune\nlearning_rate: $lo|")["matches"] == ["$low_rate"]

    # Python's names stay out of the YAML, and in a cell of Python.
    assert "low_rate" not in str(ask(kernel, "%%finetune\nlow_r|")["matches"])
    assert "low_rate" in ask(kernel, "x = low_r|")["matches"]

    later: list[float] = []
    for _ in range(20):
        begin = perf_counter()
        ask(kernel, "%%finetune\ndatasets:\n  - path: x\n    |")
        later.append(perf_counter() - begin)
    print(f"first completion {first * 1000:.0f} ms, later ones {median(later) * 1000:.1f} ms")
    assert median(later) < 0.1
