"""Keys that ask for a loss without the logits of all tokens: the loss is that, and adapters on the head train (CORRECTNESS 9, 15)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.runs import Run
from ft_core.train import make_plan


def losses(run: Run, events: Callable[[Run, str], list[dict[str, Any]]]) -> list[float]:
    return [event["loss"] for event in events(run, "step")]


@pytest.mark.parametrize(
    "key", ["liger_fused_linear_cross_entropy", "liger_cross_entropy", "cut_cross_entropy"]
)
def test_the_plan_says_what_loss_it_is(key: str, make_config: Callable[..., Config]) -> None:
    lines = make_plan(make_config(**{key: True})).render().splitlines()
    [line] = [line for line in lines if line.startswith("loss ")]
    assert line.split(maxsplit=1)[1] == (
        f"within the output head (as '{key}' asks: the logits of some trained tokens at a time, and never of all)"
    )


def test_answers_alone_are_trained_and_the_loss_is_that_of_a_run_without_the_key(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    dictionary: Path,
    tmp_path: Path,
) -> None:
    chats = tmp_path / "chats.jsonl"
    chats.write_text("".join(dictionary.read_text().splitlines(keepends=True)[:8]))
    keys: dict[str, Any] = {"datasets": [{"path": str(chats), "type": "chat_template"}], "max_steps": 2}
    plain = train(make_config(**keys), "plain")
    asked = train(make_config(**keys, liger_fused_linear_cross_entropy=True), "asked")
    assert losses(asked, events) == losses(plain, events)
    [data] = events(asked, "data")
    assert 0 < data["trained_tokens"] < data["train_tokens"]


def test_an_adapter_on_the_head_trains(
    make_config: Callable[..., Config], train: Callable[..., Run], untied_model: Path
) -> None:
    run = train(
        make_config(
            base_model=str(untied_model),
            lora_target_modules=["lm_head"],
            liger_fused_linear_cross_entropy=True,
            max_steps=2,
        )
    )
    weights = load_file(run.directory / "final" / "adapter_model.safetensors")
    grown = {name.rpartition(".lora_")[2]: float(weight.abs().max()) for name, weight in weights.items()}
    assert grown["B.weight"] > 1e-3  # nothing but zeros before it trains
