"""A run on a GPU, from the config to the saved model: precisions, both methods, stop, chat."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ft_core.config import load_config
from ft_core.infer import Chat
from ft_core.launch import launch

LORA = {"adapter": "lora", "lora_r": 16, "lora_alpha": 32, "learning_rate": 2e-3}
FULL = {"learning_rate": 5e-4}


def _config(model: Path, dictionary: Path, **keys: object):
    return load_config(
        {
            "base_model": str(model),
            "datasets": [{"path": str(dictionary), "type": "chat_template"}],
            "sequence_len": 256,
            "micro_batch_size": 16,
            "max_steps": 40,
            "val_set_size": 16,
        }
        | keys
    )


@pytest.mark.parametrize(
    ("name", "keys", "dtype"),
    [
        ("lora-bf16", LORA | {"bf16": "auto"}, "bf16"),
        ("lora-fp16", LORA | {"bf16": False, "fp16": True}, "fp16"),
        ("lora-fp32", LORA | {"bf16": False}, "fp32"),
        ("lora-checkpointing", LORA | {"gradient_checkpointing": True}, "bf16"),
        ("full-bf16", FULL | {"bf16": "auto"}, "bf16"),
        ("full-adamw", FULL | {"optimizer": "adamw_torch"}, "bf16"),
    ],
)
def test_a_run_learns_and_says_what_it_used(
    small_model: Path, dictionary: Path, runs_root: Path, name: str, keys: dict[str, object], dtype: str
) -> None:
    run = launch(_config(small_model, dictionary, **keys), name, gpus=1)
    assert run.wait(timeout=400) == "completed", run.log_tail(30)
    events = run.events()[0]
    model = next(event for event in events if event["type"] == "model")
    assert model["dtype"] == dtype
    assert "NVIDIA" in model["device"]
    losses = run.metrics["loss"]
    assert len(losses) == 40
    assert losses.iloc[-5:].mean() < losses.iloc[:3].mean() - 0.5
    speed = run.metrics["tokens_per_second"].iloc[10:].median()
    print(
        json.dumps(
            {"run": name, "tokens_per_second": speed, "first": losses.iloc[0], "last": losses.iloc[-1]}
        )
    )


def test_precisions_agree(small_model: Path, dictionary: Path, runs_root: Path) -> None:
    """The same seed and rows in three formats: the first loss agrees to the format's precision."""
    first = {}
    for name, keys in (
        ("bf16", {}),
        ("fp16", {"bf16": False, "fp16": True}),
        ("fp32", {"bf16": False, "tf32": False}),
    ):
        run = launch(_config(small_model, dictionary, **LORA, **keys, max_steps=3), name, gpus=1)
        assert run.wait(timeout=400) == "completed", run.log_tail(30)
        first[name] = run.metrics["loss"].iloc[0]
    assert first["fp16"] == pytest.approx(first["fp32"], rel=2e-3)
    assert first["bf16"] == pytest.approx(first["fp32"], rel=1e-2)


def test_chat_answers_from_both_models(small_model: Path, dictionary: Path, runs_root: Path) -> None:
    run = launch(_config(small_model, dictionary, **LORA), "chat", gpus=1)
    assert run.wait(timeout=400) == "completed", run.log_tail(30)
    with Chat(run) as chat:
        tuned = chat.ask('Define "money".', which="tuned", temperature=0, max_new_tokens=16)
        base = chat.ask('Define "money".', which="base", temperature=0, max_new_tokens=16)
    assert tuned != base
