"""Packed runs on a GPU: documents stay apart in every format, and no step is spent on padding."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import load_config
from ft_core.launch import launch

STEPS = 30


def _config(model: Path, dictionary: Path, **keys: object) -> Any:
    return load_config(
        {
            "base_model": str(model),
            "datasets": [{"path": str(dictionary), "type": "chat_template"}],
            "adapter": "lora",
            "lora_r": 16,
            "learning_rate": 2e-3,
            "sequence_len": 1024,
            "max_steps": STEPS,
        }
        | keys
    )


def _figures(model: Path, dictionary: Path, name: str, **keys: object) -> dict[str, Any]:
    """Return what a run of `keys` came to."""
    run = launch(_config(model, dictionary, **keys), name, gpus=1)
    assert run.wait(timeout=400) == "completed", run.log_tail(30)
    events = run.events()[0]
    data = next(event for event in events if event["type"] == "data")
    model = next(event for event in events if event["type"] == "model")
    metrics = run.metrics
    return {
        "run": name,
        "attention": model["attention"],
        "fill": data.get("fill"),
        "tokens_per_second": metrics["tokens_per_second"].iloc[10:].median(),
        "first": metrics["loss"].iloc[:3].mean(),
        "last": metrics["loss"].iloc[-3:].mean(),
    }


@pytest.mark.parametrize(
    ("name", "keys", "attention"),
    [
        ("packed-bf16", {"bf16": "auto"}, "varlen"),
        ("packed-fp16", {"bf16": False, "fp16": True}, "varlen"),
        ("packed-fp32", {"bf16": False}, "sdpa"),
        ("packed-sdpa", {"attn_implementation": "sdpa"}, "sdpa"),
        ("packed-eager", {"attn_implementation": "eager"}, "eager"),
        ("packed-one-row", {"attn_implementation": "varlen"}, "varlen"),
        ("packed-recomputing", {"gradient_checkpointing": True}, "varlen"),
        ("packed-full", {"adapter": None, "learning_rate": 5e-4}, "varlen"),
        ("packed-flat", {"batch_flattening": True, "sample_packing": False}, "varlen"),
    ],
)
def test_a_packed_run_learns(
    small_model: Path, dictionary: Path, runs_root: Path, name: str, keys: dict[str, object], attention: str
) -> None:
    """Before its first step each run computes two documents packed and apart on this device, or it would end here."""
    figures = _figures(
        small_model, dictionary, name, **({"sample_packing": True, "micro_batch_size": 4} | keys)
    )
    print(json.dumps(figures))
    assert figures["attention"] == attention
    assert figures["last"] < figures["first"] - 0.5
    if keys.get("sample_packing", True):
        assert figures["fill"] > 0.95


def test_packing_spends_nothing_on_padding(small_model: Path, dictionary: Path, runs_root: Path) -> None:
    """The same GPU, the same rows, about as many tokens a step: packed rows beside padded ones."""
    packed = _figures(small_model, dictionary, "packed", sample_packing=True, micro_batch_size=4)
    padded = _figures(small_model, dictionary, "padded", micro_batch_size=48)
    ratio = packed["tokens_per_second"] / padded["tokens_per_second"]
    print(json.dumps({"packed": packed, "padded": padded, "ratio": ratio}))
    assert ratio > 1.2
