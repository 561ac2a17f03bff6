"""Runs on a base in few bits: what is planned, what is trained, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.models.hardware import Hardware
from ft_core.runs import Run
from ft_core.train import make_plan

GIB = 1024**3
CPU = Hardware("cpu", (), 2, 16 * GIB, 12 * GIB)
QLORA: dict[str, Any] = {"adapter": "qlora", "load_in_4bit": True}
INT8: dict[str, Any] = {"adapter": "lora", "load_in_8bit": True}


def test_a_plan_counts_the_weights_in_the_bits_that_they_take(make_config: Callable[..., Config]) -> None:
    whole, int8, nf4 = (
        make_plan(make_config(**keys), hardware=CPU, exact=True) for keys in ({}, INT8, QLORA)
    )
    assert [plan.method for plan in (whole, int8, nf4)] == [
        "LoRA r=8 on all-linear",
        "LoRA r=8 on all-linear, base in int8",
        "LoRA r=8 on all-linear, base in nf4",
    ]
    assert (nf4.parameters, nf4.trainable) == (whole.parameters, whole.trainable)
    # Seven linear layers of two blocks: q and o 64x64, k and v 64x32, and three of 64x128; the largest is whole for a moment.
    linear = 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 128)
    assert whole.memory is not None
    assert int8.memory is not None
    assert nf4.memory is not None
    moment = 4 * 64 * 128
    assert whole.memory - int8.memory == pytest.approx(3 * linear - moment, abs=1)
    assert whole.memory - nf4.memory == pytest.approx(
        linear * (3.5 - 1 / 64 - 4 / (64 * 256)) - moment, abs=1
    )


@pytest.mark.parametrize("keys", [QLORA, INT8])
def test_a_run_learns_beside_a_base_in_few_bits(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., list[dict[str, Any]]],
    keys: dict[str, Any],
) -> None:
    """Packed and checkpointed, with an evaluation after each step, which once ended every later gradient."""
    config = make_config(
        **keys, sample_packing=True, gradient_checkpointing=True, val_set_size=2, eval_steps=1, max_steps=4
    )
    run = train(config)
    assert run.state == "completed"
    losses = [event["loss"] for event in events(run, "step")]
    assert losses[-1] < losses[0] - 0.3
    plan = make_plan(config, hardware=CPU, exact=True)
    [told] = events(run, "model")
    assert (told["parameters"], told["trainable_parameters"]) == (plan.parameters, plan.trainable)


def test_losses_are_near_those_of_the_whole_base(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., list[dict[str, Any]]],
) -> None:
    whole, nf4 = (
        [event["loss"] for event in events(train(make_config(**keys)), "step")] for keys in ({}, QLORA)
    )
    assert nf4 == pytest.approx(whole, abs=0.05)
    assert nf4 != whole


def test_a_run_in_4_bit_goes_on_from_a_checkpoint_as_if_it_had_not_stopped(
    make_config: Callable[..., Config], train: Callable[..., Run]
) -> None:
    from safetensors.torch import load_file

    keys = {**QLORA, "max_steps": 4, "save_steps": 2, "save_strategy": "steps"}
    through = train(make_config(**keys), "through")
    checkpoint = through.directory / "checkpoints" / "checkpoint-2"
    resumed = train(make_config(**keys, resume_from_checkpoint=str(checkpoint)), "resumed")
    first, second = (load_file(run.final / "adapter_model.safetensors") for run in (through, resumed))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name])
