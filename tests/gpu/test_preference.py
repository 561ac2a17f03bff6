"""Preference methods and reward models on a GPU: the first loss is that of their formula, and they learn."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.runs import Run

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"]
FORMATS: dict[str, dict[str, Any]] = {
    "bf16": {"bf16": True},
    "fp16": {"bf16": False, "fp16": True},
    "fp32": {"bf16": False},
}

Prefer = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]


@pytest.fixture
def prefer(config_of: Callable[..., Config], tmp_path: Path) -> Prefer:
    """Return a function from a method to the config that trains it on nine pairs, or on eighteen answers for kto."""
    pairs, verdicts = tmp_path / "pairs.jsonl", tmp_path / "verdicts.jsonl"
    rows = [{"question": f"Say {w}.", "chosen": f"{w} yes please", "rejected": f"no {w}"} for w in WORDS]
    pairs.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = [
        {"question": row["question"], "completion": row[name], "label": name == "chosen"}
        for row in rows
        for name in ("chosen", "rejected")
    ]
    verdicts.write_text("".join(json.dumps(row) + "\n" for row in judged))

    def make(method: str, **keys: Any) -> Config:
        path = verdicts if method == "kto" else pairs
        kind = "bradley_terry.chatml.intel" if method == "reward" else "chatml.intel"
        asked = {"reward_model": True} if method == "reward" else {"rl": method}
        return config_of(
            **{"datasets": [{"path": str(path), "type": kind}], "micro_batch_size": 9, **asked, **keys}
        )

    return make


# Where the model is its own reference both say the same, so the first loss is a number.
FIRST = {"dpo": math.log(2), "ipo": (1 / (2 * 0.1)) ** 2, "kto": 0.5}


@pytest.mark.parametrize("method", ["dpo", "ipo", "kto", "orpo", "simpo", "reward"])
def test_a_run_learns_to_tell_answers_apart_in_every_format(
    prefer: Prefer, train: Train, events: Events, method: str
) -> None:
    keys = {"rl_beta": 2.0} if method == "simpo" else {}
    begun: dict[str, float] = {}
    for name, numbers in FORMATS.items():
        run = train(prefer(method, max_steps=8, learning_rate=1e-3, **numbers, **keys), name)
        steps = events(run, "step")
        first, last = steps[0], steps[-1]
        begun[name] = first["loss"]
        told = {key: last.get(key) for key in ("loss", "rewards/margins", "rewards/accuracies")}
        print(json.dumps({"run": f"{method}-{name}", "first": first["loss"], **told}))
        assert last["loss"] < first["loss"]
        assert last["rewards/margins"] > first["rewards/margins"]
        if method in (
            "dpo",
            "ipo",
            "simpo",
            "reward",
        ):  # orpo trains on the better answer, and kto tells no accuracy
            assert last["rewards/accuracies"] == 1.0
    if method in FIRST:
        assert begun["fp32"] == pytest.approx(FIRST[method], rel=1e-4)
    assert begun["fp16"] == pytest.approx(begun["fp32"], rel=1e-2)
    assert begun["bf16"] == pytest.approx(begun["fp32"], rel=3e-2)


@pytest.mark.parametrize(
    ("method", "keys"),
    [
        ("dpo", {"adapter": "qlora", "load_in_4bit": True}),
        ("kto", {"adapter": "lora", "load_in_8bit": True}),
        ("dpo", {"adapter": None, "learning_rate": 1e-4}),
        ("orpo", {"adapter": None, "learning_rate": 1e-4}),
        ("dpo", {"adapter": "lora", "gradient_checkpointing": True}),
        ("dpo", {"adapter": "qlora", "load_in_4bit": True, "gradient_checkpointing": True}),
    ],
)
def test_it_learns_beside_few_bits_recomputing_and_whole(
    prefer: Prefer, train: Train, events: Events, method: str, keys: dict[str, Any]
) -> None:
    run = train(prefer(method, **{"max_steps": 8, "learning_rate": 1e-3, "bf16": True, **keys}))
    steps = events(run, "step")
    print(json.dumps({"run": method, **keys, "first": steps[0]["loss"], "last": steps[-1]["loss"]}))
    if method in FIRST:
        assert steps[0]["loss"] == pytest.approx(FIRST[method], rel=1e-2)
    assert steps[-1]["loss"] < steps[0]["loss"]
    assert steps[-1]["rewards/margins"] > steps[0]["rewards/margins"] + 0.01


def test_a_run_goes_on_from_a_checkpoint(prefer: Prefer, train: Train, events: Events) -> None:
    keys = {"max_steps": 5, "bf16": True}
    whole = train(prefer("dpo", save_strategy="steps", save_steps=3, **keys))
    checkpoint = whole.directory / "checkpoints" / "checkpoint-3"
    rest = train(prefer("dpo", resume_from_checkpoint=str(checkpoint), **keys))
    told = [[step["loss"] for step in events(run, "step")] for run in (whole, rest)]
    assert told[1] == pytest.approx(told[0][3:], rel=5e-3)
