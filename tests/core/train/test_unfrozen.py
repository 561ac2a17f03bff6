"""A full fine-tune of some weights, from the config to the saved model."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from ft_core.config import Config, ConfigError
from ft_core.runs import Run
from ft_core.train.plan import make_plan


def weights_of(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def moved(before: Path, after: Path) -> dict[str, list[int]]:
    """Return the rows of each weight that training changed; none that it left alone."""
    old, new = weights_of(before), weights_of(after)
    assert old.keys() == new.keys()
    rows = {name: (old[name] != new[name]).reshape(len(old[name]), -1).any(dim=1) for name in old}
    return {name: which.nonzero().flatten().tolist() for name, which in rows.items() if which.any()}


def test_only_what_is_named_moves(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., Any],
    untied_model: Path,
) -> None:
    config = make_config(
        base_model=str(untied_model),
        adapter=...,
        unfrozen_parameters=["model.layers.0.mlp.", "model.norm"],
        gradient_checkpointing=True,
    )
    run = train(config)
    names = {f"model.layers.0.mlp.{name}_proj.weight" for name in ("gate", "up", "down")}
    assert moved(untied_model, run.final).keys() == names | {"model.norm.weight"}
    (model,) = events(run, "model")
    plan = make_plan(config, exact=True)
    assert model["trainable_parameters"] == plan.trainable == 3 * 64 * 128 + 64
    assert (model["parameters"], plan.parameters) == (plan.parameters, 6_365_504)
    assert plan.method == "fine-tune of model.layers.0.mlp., model.norm"


@pytest.mark.parametrize("optimizer", ["adamw_torch", "muon", "schedule_free_adamw"])
def test_rows_that_do_not_train_keep_every_bit(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., Any],
    untied_model: Path,
    optimizer: str,
) -> None:
    config = make_config(
        base_model=str(untied_model),
        adapter=...,
        unfrozen_parameters=["lm_head[:7]", "model.layers.1.mlp.up_proj.weight[100:]"],
        optimizer=optimizer,
        weight_decay=0.5,
    )
    run = train(config)
    rows = {"lm_head.weight": [*range(7)], "model.layers.1.mlp.up_proj.weight": [*range(100, 128)]}
    assert moved(untied_model, run.final) == rows
    (model,) = events(run, "model")
    assert model["trainable_parameters"] == make_plan(config).trainable == 7 * 64 + 28 * 64


def test_the_head_that_is_tied_is_the_embedding(
    make_config: Callable[..., Config], train: Callable[..., Run], tiny_model: Path
) -> None:
    run = train(make_config(adapter=..., unfrozen_parameters=["lm_head"]))
    assert moved(tiny_model, run.final).keys() == {"model.embed_tokens.weight"}
    model = AutoModelForCausalLM.from_pretrained(run.final)
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_a_run_that_goes_on_is_the_uninterrupted_one(
    make_config: Callable[..., Config], train: Callable[..., Run]
) -> None:
    patterns = ["model.layers.1.", "model.embed_tokens.weight[:1000]"]
    keys: dict[str, Any] = {
        "adapter": ...,
        "unfrozen_parameters": patterns,
        "save_steps": 2,
        "save_strategy": ...,
    }
    whole = train(make_config(**keys, max_steps=4))
    checkpoint = whole.directory / "checkpoints" / "checkpoint-2"
    rest = train(make_config(**keys, max_steps=4, resume_from_checkpoint=str(checkpoint)))
    assert moved(whole.final, rest.final) == {}
    assert moved(checkpoint, rest.final) != {}
    state = torch.load(checkpoint / "optimizer.pt", weights_only=False)
    assert len(state["state"]) == 10  # nine weights of a layer, and the embedding


def test_new_tokens_must_train(make_config: Callable[..., Config], train: Callable[..., Run]) -> None:
    keys: dict[str, Any] = {"adapter": ..., "tokens": ["<one>", "<two>"]}
    with pytest.raises(ConfigError) as caught:
        make_plan(make_config(**keys, unfrozen_parameters=["model.layers.1."]), exact=True)
    (problem,) = (problem for problem in caught.value.problems if problem.severity == "error")
    assert (problem.key, problem.message, problem.fix) == (
        "unfrozen_parameters",
        "'unfrozen_parameters' leaves the rows of new tokens in 'model.embed_tokens.weight' as they were drawn at random",
        "add 'model.embed_tokens.weight[49152:49154]' to it",
    )
    config = make_config(**keys, unfrozen_parameters=["model.embed_tokens.weight[49152:49154]"])
    plan = make_plan(config, exact=True)
    assert (plan.trainable, plan.vocabulary_reason) == (2 * 64, "trained with what is not frozen")
    before, after = config.base_model, train(config).final
    old, new = weights_of(Path(before)), weights_of(after)
    assert torch.equal(old["model.embed_tokens.weight"], new["model.embed_tokens.weight"][:49152])


def test_a_pattern_that_matches_nothing_has_its_line(tiny_model: Path, rows: Path) -> None:
    from ft_core.config import load_config

    text = (
        f"base_model: {tiny_model}\nlearning_rate: 1e-3\nunfrozen_parameters:\n- model.norm\n- model.layer.0\n"
        f"datasets: {json.dumps([{'path': str(rows), 'type': 'completion'}])}\n"
    )
    with pytest.raises(ConfigError) as caught:
        make_plan(load_config(text))
    (problem,) = caught.value.problems
    assert (problem.line, problem.column, problem.key) == (5, 3, "unfrozen_parameters[1]")
