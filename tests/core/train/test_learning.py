"""The real model learns real data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.runs import Run


@pytest.mark.model
def test_lora_on_the_demo_model(
    demo_model: Path,
    dictionary: Path,
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    config = make_config(
        base_model=str(demo_model),
        datasets=[{"path": str(dictionary), "type": "chat_template"}],
        learning_rate=1e-3,
        lora_r=8,
        sequence_len=64,
        micro_batch_size=4,
        max_steps=5,
        val_set_size=8,
        eval_steps=1,
        bf16="auto",
    )
    run = train(config)
    assert run.state == "completed", run.error
    (model,) = events(run, "model")
    assert (model["parameters"], model["trainable_parameters"]) == (134_515_008 + 2_442_240, 2_442_240)
    losses = [event["loss"] for event in events(run, "eval")]
    assert 3 < losses[0] < 6  # what a language model says of new text; a broken mask or template is far off
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] - 0.3
