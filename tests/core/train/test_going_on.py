"""CORRECTNESS 16: a run that goes on from a checkpoint takes the steps that the uninterrupted one takes, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.runs import Run

KEYS: dict[str, Any] = {
    "lora_dropout": 0.3,
    "lr_scheduler": "cosine",
    "gradient_accumulation_steps": 2,
    "save_strategy": "steps",
    "save_steps": 5,
    "max_steps": 9,
}
"""Twelve texts. The checkpoint falls into the second epoch and is at its end in neither cut."""

CUTS: dict[str, tuple[dict[str, Any], int]] = {
    "padded": ({"micro_batch_size": 2}, 3),
    "packed": ({"micro_batch_size": 1, "sample_packing": True, "sequence_len": 14}, 4),
}
"""Each with the steps of an epoch, of which the last is smaller where rows are packed."""


@pytest.mark.parametrize("cut", CUTS)
def test_ids_losses_and_weights(
    cut: str,
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ft_core.train.trainer import RunTrainer

    trained: list[list[list[list[int]]]] = []
    original = RunTrainer.get_batch_samples

    def watched(self: Any, *arguments: Any) -> Any:
        batches, count = original(self, *arguments)
        trained.append([batch["input_ids"].tolist() for batch in batches])
        return batches, count

    monkeypatch.setattr(RunTrainer, "get_batch_samples", watched)
    keys, steps_of_an_epoch = CUTS[cut]
    whole = train(make_config(**KEYS, **keys))
    ids = list(trained)
    assert [event["epoch"] for event in events(whole, "step")][steps_of_an_epoch - 1] == 1
    assert steps_of_an_epoch < 5 < 2 * steps_of_an_epoch

    trained.clear()
    checkpoint = whole.directory / "checkpoints" / "checkpoint-5"
    rest = train(make_config(**KEYS, **keys, resume_from_checkpoint=str(checkpoint)))
    assert (rest.state, rest.error) == ("completed", None)
    assert trained == ids[5:]
    told = ("step", "epoch", "loss", "learning_rate", "grad_norm", "tokens")
    after, again = (
        [[event[name] for name in told] for event in events(run, "step")] for run in (whole, rest)
    )
    assert again == after[5:]
    weights, resumed = (load_file(run.final / "adapter_model.safetensors") for run in (whole, rest))
    assert weights.keys() == resumed.keys()
    assert all(torch.equal(resumed[name], weight) for name, weight in weights.items())
