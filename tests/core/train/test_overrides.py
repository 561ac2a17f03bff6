"""A model's config written over, and weights begun anew, from the config to the chat."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import AutoModelForCausalLM

from ft_core.config import Config
from ft_core.infer.load import Models
from ft_core.infer.source import find_source
from ft_core.runs import Run
from ft_core.train.plan import make_plan

LINEAR = {"rope_scaling": {"rope_type": "linear", "factor": 4.0}}


def test_the_plan_and_the_saved_model_have_the_overrides(
    make_config: Callable[..., Config], train: Callable[..., Run]
) -> None:
    keys: dict[str, Any] = {"adapter": ..., "sequence_len": 1024, "max_steps": 1}
    plain = make_plan(make_config(**keys))
    assert [problem.key for problem in plain.warnings] == ["sequence_len"]
    config = make_config(**keys, overrides_of_model_config={**LINEAR, "num_hidden_layers": 1})
    plan = make_plan(config)
    assert (plan.warnings, plan.trainable_exact, plan.trainable) == ((), True, 49152 * 64 + 36_992 + 64)
    run = train(config)
    settings = json.loads((run.final / "config.json").read_text())
    assert settings["num_hidden_layers"] == 1
    assert settings["rope_parameters"]["factor"] == 4.0


def test_an_adapter_is_chatted_with_on_the_model_that_it_was_trained_on(
    make_config: Callable[..., Config], train: Callable[..., Run], tiny_model: Path
) -> None:
    run = train(make_config(overrides_of_model_config=LINEAR, max_steps=1))
    models = Models(find_source(run), "cpu")
    for which in ("tuned", "base"):
        with models.using(which) as model:
            settings: Any = model.config
            assert settings.rope_parameters["factor"] == 4.0


def test_a_model_from_scratch(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., Any],
    tiny_model: Path,
) -> None:
    config = make_config(adapter=..., reinit_weights=True, max_steps=2)
    plan = make_plan(config)
    assert (plan.method, plan.trainable) == ("full fine-tune, from new random weights", 3_219_776)
    one, other = train(config), train(config)
    first = [event["loss"] for event in events(one, "step")]
    assert first == [event["loss"] for event in events(other, "step")]
    assert 10.0 < first[0] < 12.0  # all 49152 tokens are alike to it: ln 49152 is 10.8
    new = AutoModelForCausalLM.from_pretrained(one.final).model.embed_tokens.weight
    assert (
        not (new == AutoModelForCausalLM.from_pretrained(tiny_model).model.embed_tokens.weight)
        .any(dim=1)
        .any()
    )
    source = find_source(one)
    assert (source.base, source.choices) == (None, ("tuned",))
