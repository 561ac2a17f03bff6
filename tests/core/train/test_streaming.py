"""Whole runs on streamed rows: what they tell, and that a run that goes on is the run that was never stopped."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.runs import Run, create_run

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]
OnTwoRanks = Callable[..., subprocess.CompletedProcess[str]]

STREAM: dict[str, Any] = {
    "streaming": True,
    "streaming_multipack_buffer_size": 5,
    "max_steps": 8,
    "micro_batch_size": 1,
    "gradient_accumulation_steps": 2,
    "lora_dropout": 0.1,
}
"""Sixteen rows of twelve: the second pass begins in the seventh step, in the middle of a buffer."""

SAVING: dict[str, Any] = {"save_strategy": "steps", "save_steps": 1}

PACKED: dict[str, Any] = {"sample_packing": True, "sequence_len": 32}


def assert_same_end(run: Run, other: Run) -> None:
    """Assert that two runs ended with the same weights, to the last bit."""
    weights, expected = (load_file(each.final / "adapter_model.safetensors") for each in (run, other))
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        assert torch.equal(weight, expected[name]), name


def losses(run: Run, events: Events) -> dict[int, float]:
    return {event["step"]: event["loss"] for event in events(run, "step")}


def test_a_run_tells_what_it_has_read(
    make_config: MakeConfig, train: Train, events: Events, rows: Path
) -> None:
    with rows.open("a") as file:
        file.write("no\n")
    tests = [{"path": str(rows), "type": "completion", "split": "train[:4]"}]
    run = train(make_config(**STREAM, test_datasets=tests, broken_rows="skip"))
    assert run.state == "completed"
    assert [event["step"] for event in events(run, "step")] == list(range(1, 9))
    assert events(run, "data") == [
        {
            "type": "data",
            "time": events(run, "data")[0]["time"],
            "train_samples": 17,
            "eval_samples": 4,
            "streamed_rows": 18,
            "passes": 1,
            "dropped": {"broken": 1},
        }
    ]
    assert events(run, "eval")[-1]["step"] == 8
    [warning] = [event["message"] for event in events(run, "warning") if "broken" in event["message"]]
    assert warning.startswith("1 broken row is left out (broken_rows is skip): ")


@pytest.mark.parametrize("keys", [{}, PACKED], ids=["padded", "packed"])
@pytest.mark.parametrize("step", [3, 6])
def test_a_run_goes_on_as_if_it_had_not_stopped(
    make_config: MakeConfig, train: Train, events: Events, keys: dict[str, Any], step: int
) -> None:
    """CORRECTNESS 16: in the middle of a buffer, and in the second pass."""
    whole = train(make_config(**STREAM, **SAVING, **keys), "whole")
    checkpoint = whole.directory / "checkpoints" / f"checkpoint-{step}"
    run = train(make_config(**STREAM, **keys, resume_from_checkpoint=str(checkpoint)), "rest")
    assert run.state == "completed"
    expected = losses(whole, events)
    assert losses(run, events) == {number: expected[number] for number in range(step + 1, 9)}
    assert_same_end(run, whole)
    assert [event["epoch"] for event in events(run, "step")] == [
        event["epoch"] for event in events(whole, "step")[step:]
    ]
    assert [event["dropped"] for event in events(run, "data")] == [{}]
    assert events(run, "data")[0]["train_samples"] == events(whole, "data")[0]["train_samples"]


def test_a_checkpoint_of_rows_that_were_not_streamed(make_config: MakeConfig, train: Train) -> None:
    whole = train(make_config(max_steps=1, save_strategy="epoch"), "whole")
    checkpoint = whole.directory / "checkpoints" / "checkpoint-1"
    run = train(make_config(**STREAM, resume_from_checkpoint=str(checkpoint)), "rest")
    assert run.state == "failed"
    assert run.status().message == f"'{checkpoint}' does not say where in its stream rank 0 was."


def test_plain_text_in_windows(make_config: MakeConfig, train: Train, tmp_path: Path, events: Events) -> None:
    (tmp_path / "book.txt").write_text(
        "".join(f"This is line {number} of the book.\n" for number in range(40))
    )
    data = {"datasets": ..., "pretraining_dataset": {"path": str(tmp_path / "book.txt"), "skip": 2}}
    run = train(make_config(**STREAM, **PACKED, **data))
    assert run.state == "completed"
    [told] = events(run, "data")
    assert (told["eval_samples"], told["dropped"]) == (0, {})
    assert json.loads((run.final / "adapter_config.json").read_text())["r"] == 8


def test_rows_that_are_all_there_go_on_too(make_config: MakeConfig, train: Train, events: Events) -> None:
    """CORRECTNESS 16: in the middle of the second epoch."""
    keys = {"max_steps": 11, "lora_dropout": 0.1}
    whole = train(make_config(**keys, **SAVING | {"save_steps": 8}), "whole")
    checkpoint = whole.directory / "checkpoints" / "checkpoint-8"
    run = train(make_config(**keys, resume_from_checkpoint=str(checkpoint)), "rest")
    expected = losses(whole, events)
    assert losses(run, events) == {number: expected[number] for number in (9, 10, 11)}
    assert [event["epoch"] for event in events(run, "step")] == [1.5, 1.6667, 1.8333]
    assert_same_end(run, whole)


def create(name: str, config: Config) -> Run:
    return create_run(name, config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})


def test_two_ranks_go_on_as_if_they_had_not_stopped(
    make_config: MakeConfig, events: Events, on_two_ranks: OnTwoRanks, runs_root: Path
) -> None:
    whole = create("whole", make_config(**STREAM, **SAVING))
    done = on_two_ranks("two_ranks.py", whole)
    assert done.returncode == 0, done.stderr
    checkpoint = whole.directory / "checkpoints" / "checkpoint-3"
    assert {file.name for file in checkpoint.glob("stream-*.json")} == {"stream-0.json", "stream-1.json"}
    rest = create("rest", make_config(**STREAM, resume_from_checkpoint=str(checkpoint)))
    done = on_two_ranks("two_ranks.py", rest)
    assert done.returncode == 0, done.stderr
    expected = losses(whole, events)
    assert losses(rest, events) == {number: expected[number] for number in range(4, 9)}
    assert_same_end(rest, whole)
    # Eight steps of two micro-batches of one row, on two ranks that have six rows each.
    assert [event["passes"] for event in events(whole, "data")] == [2]
