"""A run that was stopped, and one that goes on by itself: together they are the run that never stopped (CORRECTNESS 16)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.launch.resume import with_checkpoint
from ft_core.runs import Run, RunWriter

LONG: dict[str, Any] = {
    "max_steps": 8,
    "lora_dropout": 0.1,
    "micro_batch_size": 1,
    "gradient_accumulation_steps": 2,
}
"""Six steps of two rows are an epoch; packed, three of two."""


@pytest.mark.parametrize("keys", [{}, {"sample_packing": True, "sequence_len": 16}], ids=["padded", "packed"])
def test_a_stopped_run_goes_on_in_the_middle_of_its_second_epoch(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    keys: dict[str, Any],
) -> None:
    config = make_config(**LONG, **keys, seed=3)
    whole = train(config, "whole")
    config = make_config(**LONG, **keys, seed=3, auto_resume_from_checkpoints=True)
    assert with_checkpoint(config) == config  # that run has completed

    emit = RunWriter.emit

    def emit_and_stop(self: RunWriter, type: str, **fields: Any) -> None:
        emit(self, type, **fields)
        if type == "step" and fields["step"] == 6:
            Run(self.directory).stop()

    with monkeypatch.context() as patch:
        patch.setattr(RunWriter, "emit", emit_and_stop)
        stopped = train(config, "stopped")
    assert stopped.state == "stopped"
    assert "begins at the first step: no run of this config has broken off" in capsys.readouterr().out

    checkpoint = str(stopped.directory / "checkpoints" / "checkpoint-7")
    going_on = with_checkpoint(config)
    assert going_on.resume_from_checkpoint == checkpoint
    rest = train(going_on, "rest")
    assert [event["path"] for event in events(rest, "resume")] == [checkpoint]
    assert f"goes on from {checkpoint}" in capsys.readouterr().out
    steps = [*events(stopped, "step"), *events(rest, "step")]
    for name in ("step", "epoch", "loss", "learning_rate", "grad_norm"):
        assert [event[name] for event in steps] == [event[name] for event in events(whole, "step")]
    assert steps[6]["epoch"] % 1 != 0
    weights, expected = (load_file(run.final / "adapter_model.safetensors") for run in (rest, whole))
    assert all(torch.equal(weights[name], weight) for name, weight in expected.items())
