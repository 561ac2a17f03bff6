"""What is merged at a run's end, and what a limit of a GPU's memory is for."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nadapter: lora\nreward_model: true\nmerge_lora: true",
        6,
        1,
        "'merge_lora' makes a language model, and 'reward_model' trains one that scores texts",
        "remove 'merge_lora'",
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nadapter: lora\nreward_model: true",
    ),
]

WARNINGS = [
    (
        "merge_lora: true",
        4,
        1,
        "'merge_lora' has no effect: without an adapter there is nothing to merge",
        "add 'adapter: lora', or remove the line",
        "adapter: lora\nmerge_lora: true",
    ),
    (
        "adapter: lora\nrelora: true\njagged_restart_steps: 50\nmerge_lora: true",
        7,
        1,
        "'merge_lora' has no effect: 'relora' merges the adapter itself, and saves a whole model",
        "remove the line",
        "adapter: lora\nrelora: true\njagged_restart_steps: 50",
    ),
    (
        "gpu_memory_limit: 20GiB",
        4,
        1,
        "'gpu_memory_limit' is for merging: training takes the memory of the GPU that the plan says",
        "remove the line; 'gradient_checkpointing: true' or 'load_in_4bit: true' take less memory",
        "",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
