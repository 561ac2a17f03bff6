"""Evaluations and the samples of a run on a GPU: the same losses outside as within, and text from the model as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.launch.evaluation import evaluate_run
from ft_core.runs import Run
from ft_core.train.evaluate import evaluate

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]

SAVING = {"save_strategy": "steps", "save_steps": 3, "val_set_size": 24, "eval_steps": 3, "max_steps": 6}
SAMPLED = {"generate_samples": True, "num_generation_samples": 2, "generation_max_new_tokens": 8}
WAYS: dict[str, dict[str, Any]] = {
    "bf16": {"bf16": True},
    "fp16": {"bf16": False, "fp16": True},
    "fp32": {"bf16": False},
    "packed": {"bf16": True, "sample_packing": True},
    "whole": {"bf16": True, "adapter": None, "learning_rate": 5e-4},
    "nf4": {"bf16": True, "adapter": "qlora", "load_in_4bit": True},
    "int8": {"bf16": True, "load_in_8bit": True},
}


@pytest.mark.parametrize("name", WAYS)
def test_the_loss_is_the_one_that_the_run_told(
    config_of: MakeConfig, train: Train, events: Events, name: str
) -> None:
    config = config_of(**SAVING, **WAYS[name])
    run = train(config, name)
    told = {event["step"]: event["loss"] for event in events(run, "eval")}
    found = {
        step: evaluate(config, weights)[0]
        for weights, step in ((run.directory / "checkpoints" / "checkpoint-3", 3), (run.final, 6))
    }
    (base,) = evaluate(config)
    print(
        json.dumps(
            {
                "run": name,
                "told": told,
                "found": {step: each.loss for step, each in found.items()},
                "base": base.loss,
            }
        )
    )
    for step, each in found.items():
        # A tuned model that is whole was rounded when it was saved.
        assert each.loss == pytest.approx(told[step], rel=1e-3 if name == "whole" else 2e-4)
        assert each.perplexity == math.exp(each.loss)
        assert each.samples == 24
    assert base.loss > told[3] > told[6]


def test_a_process_of_its_own_finds_the_same(config_of: MakeConfig, train: Train, events: Events) -> None:
    run = train(config_of(**SAVING, bf16=True))
    (found,) = evaluate_run(run)
    assert found.loss == pytest.approx(events(run, "eval")[-1]["loss"], rel=2e-4)


@pytest.mark.parametrize("name", ["bf16", "fp16", "nf4"])
def test_a_run_writes_samples_and_trains_as_without(
    config_of: MakeConfig, train: Train, events: Events, name: str
) -> None:
    config = config_of(**SAVING, **WAYS[name], **SAMPLED)
    run, plain = train(config, "sampled"), train(config_of(**SAVING, **WAYS[name]), "plain")
    samples = events(run, "sample")
    assert [event["step"] for event in samples] == [3, 3, 6, 6]
    assert all(event["prompt"] and event["reference"] for event in samples)
    assert any(event["text"] for event in samples)
    losses = [[event["loss"] for event in events(each, "step")] for each in (run, plain)]
    print(json.dumps({"run": name, "text": samples[-1]["text"], "losses": losses}))
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_likely_and_drawn_text_come_of_the_seed_alone(
    config_of: MakeConfig, train: Train, events: Events
) -> None:
    keys = {**SAMPLED, "val_set_size": 8, "eval_steps": 2, "max_steps": 2, "bf16": True}
    texts = {
        (sample, seed, turn): [
            event["text"]
            for event in events(
                train(config_of(**keys, generation_do_sample=sample, seed=seed), f"{sample}-{seed}-{turn}"),
                "sample",
            )
        ]
        for sample, seed, turn in ((True, 1, 0), (True, 1, 1), (True, 2, 0))
    }
    assert texts[True, 1, 0] == texts[True, 1, 1]
    assert texts[True, 1, 0] != texts[True, 2, 0]
