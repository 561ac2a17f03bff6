"""Training on packed rows: the same loss and steps as without, none of them lost, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config, ConfigError
from ft_core.data import Sample, load_samples
from ft_core.models.load import load_model
from ft_core.models.tokenizer import load_tokenizer
from ft_core.runs import Run
from ft_core.train import make_plan
from ft_core.train.batches import Rows, make_rows
from ft_core.train.isolation import model_inputs
from ft_core.train.loss import summed_loss
from ft_core.train.packing import PackingEstimate, check_packing, estimate_packing, lays_end_to_end

PACKED: dict[str, Any] = {"sample_packing": True, "sequence_len": 32}
ONE_EPOCH: dict[str, Any] = {"max_steps": ..., "num_epochs": 1}


def loss_and_gradients(config: Config, rows: Rows) -> tuple[float, dict[str, torch.Tensor]]:
    """Return the summed loss of all rows, and what a step on all of them would change."""
    model = load_model(config).train()
    order = rows.order(rank=0, world_size=1, accumulation=1, seed=None)
    total = 0.0
    for indices in order.batches(0):
        batch = rows.collate([rows.items[index] for index in indices])
        inputs = model_inputs(batch, "positions")
        labels = inputs.pop("labels")
        loss = summed_loss(model(**inputs).logits, labels)
        loss.backward()
        total += loss.item()
    return total, {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}


@pytest.mark.parametrize(
    "keys",
    [
        PACKED,
        {**PACKED, "pad_to_sequence_len": False},
        {**PACKED, "multipack_real_batches": False},
        {**PACKED, "sample_packing_sequentially": True},
        {"batch_flattening": True},
    ],
)
def test_loss_and_gradients_are_those_of_rows_with_one_sample(
    keys: dict[str, Any], make_config: Callable[..., Config]
) -> None:
    config = make_config(adapter=..., **keys)
    samples = load_samples(config, load_tokenizer(config)).train
    lengths = [len(sample) for sample in samples]
    expected, gradients = loss_and_gradients(
        config, make_rows(make_config(), samples, lengths, pad_token_id=0)
    )
    loss, found = loss_and_gradients(config, make_rows(config, samples, lengths, pad_token_id=0))
    assert loss == pytest.approx(expected, rel=1e-6)
    assert found.keys() == gradients.keys()
    for name, gradient in found.items():
        torch.testing.assert_close(gradient, gradients[name], rtol=1e-4, atol=1e-4)


def test_a_run_tells_its_rows_and_trains_every_token_once_an_epoch(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    config = make_config(**PACKED, max_steps=..., num_epochs=2, val_set_size=2, gradient_accumulation_steps=2)
    run = train(config)
    assert run.state == "completed"
    [data] = events(run, "data")
    steps = events(run, "step")
    per_epoch = -(-data["packed_rows"] // 4)
    assert data["fill"] == round(data["train_tokens"] / (32 * data["packed_rows"]), 4) > 0.7
    assert [step["total_steps"] for step in steps] == [2 * per_epoch] * 2 * per_epoch
    for epoch in (steps[:per_epoch], steps[per_epoch:]):
        assert sum(step["tokens"] for step in epoch) == data["train_tokens"]


def test_one_long_row_for_a_batch(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    config = make_config(**PACKED, **ONE_EPOCH, multipack_real_batches=False)
    run = train(config)
    [data] = events(run, "data")
    steps = events(run, "step")
    assert len(steps) == data["packed_rows"] == make_plan(config).steps
    assert sum(step["tokens"] for step in steps) == data["train_tokens"]
    assert max(step["tokens"] for step in steps) > 32


def test_steps_differ_from_epoch_to_epoch(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    run = train(make_config(**PACKED, max_steps=..., num_epochs=2, micro_batch_size=1))
    tokens = [step["tokens"] for step in events(run, "step")]
    half = len(tokens) // 2
    assert sorted(tokens[:half]) == sorted(tokens[half:])
    assert tokens[:half] != tokens[half:]


def test_evaluation_is_the_same_packed_and_not(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    losses: list[float] = []
    for packed in (True, False):
        keys = {**PACKED, "eval_sample_packing": packed, "val_set_size": 5, "max_steps": 1}
        [event] = events(train(make_config(**keys)), "eval")
        losses.append(event["loss"])
    assert losses[0] == pytest.approx(losses[1], rel=1e-6)


def test_batch_flattening_takes_the_steps_of_padded_rows(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    padded, flat = (train(make_config(**ONE_EPOCH, batch_flattening=flat)) for flat in (False, True))
    for one, other in zip(events(padded, "step"), events(flat, "step"), strict=True):
        assert (one["tokens"], one["loss"]) == (other["tokens"], pytest.approx(other["loss"], rel=1e-5))


def test_group_by_length_trains_every_token_once(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    run = train(make_config(**ONE_EPOCH, group_by_length=True, micro_batch_size=3))
    tokens = [step["tokens"] for step in events(run, "step")]
    [data] = events(run, "data")
    assert sum(tokens) == data["train_tokens"]
    assert len(set(tokens)) == 4
    # The steps are the same however they are cut.
    cut = train(
        make_config(**ONE_EPOCH, group_by_length=True, gradient_accumulation_steps=3, micro_batch_size=1)
    )
    assert [step["tokens"] for step in events(cut, "step")] == tokens


@pytest.mark.parametrize("key", ["sample_packing", "eval_sample_packing", "batch_flattening"])
def test_what_cannot_be_packed_is_an_error_at_the_key(key: str, make_config: Callable[..., Config]) -> None:
    config = make_config(**{key: True})
    assert lays_end_to_end(config)
    [problem] = check_packing(config, {"model_type": "rwkv"}, "sdpa")
    assert (problem.key, problem.severity) == (key, "error")
    assert problem.message == (
        f"'{key}' cannot be used with this model: its layers carry a state from each document of a row into the next"
    )
    assert problem.fix == f"remove '{key}'; 'group_by_length: true' keeps padding low without it"


def test_what_packs_nothing_is_no_error(make_config: Callable[..., Config]) -> None:
    assert not lays_end_to_end(make_config())
    assert check_packing(make_config(), {"model_type": "rwkv"}, "sdpa") == []
    assert check_packing(make_config(sample_packing=True), {"model_type": "llama"}, "sdpa") == []


def test_a_plan_refuses_it(make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rwkv"
    shutil.copytree(tiny_model, folder)
    model_config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**model_config, "model_type": "rwkv"}))
    config = make_config(base_model=str(folder), sample_packing=True)
    with pytest.raises(ConfigError, match="'sample_packing' cannot be used with this model"):
        make_plan(config)


def test_a_plan_says_how_many_rows_there_are(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    config = make_config(**PACKED, **ONE_EPOCH)
    plan = make_plan(config)
    [data] = events(train(config), "data")
    assert plan.packing is not None
    assert (plan.packing.rows, plan.packing.capacity) == (data["packed_rows"], 32)
    assert plan.packing.fill == pytest.approx(data["fill"], abs=0.03)
    assert plan.steps == -(-data["packed_rows"] // 2)
    rendered = plan.render()
    assert (
        f"packing    about {plan.packing.rows} rows of 32 tokens (about {plan.packing.fill:.1%} full)"
        in rendered
    )
    assert "2 packed rows a step" in rendered


@pytest.mark.parametrize(
    ("samples", "rows", "fill"), [(2, 1, 1.0), (7, 4, 0.9062), (1_000_000, 500_000, 1.0)]
)
def test_rows_are_estimated_from_some_lengths(
    samples: int, rows: int, fill: float, make_config: Callable[..., Config]
) -> None:
    found = estimate_packing(make_config(**PACKED), (20, 12), samples)
    assert found == PackingEstimate(rows, 32, fill)


def test_a_model_that_leaks_ends_the_run_before_its_first_step(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As if a family did not look at its positions: the check before training asks the model itself."""
    monkeypatch.setattr("ft_core.train.isolation.PackCollator", _WithoutRestart)
    run = train(make_config(sample_packing=True))
    assert run.state == "failed"
    [error] = events(run, "error")
    assert error["message"].startswith(
        "'sample_packing' cannot be used with this model: the documents of a row change each other"
    )
    assert events(run, "step") == []


class _WithoutRestart:
    def __init__(self, pad_token_id: int) -> None:
        from ft_core.data.collate import PackCollator

        self._packs = PackCollator(pad_token_id)

    def __call__(self, rows: list[list[Sample]]) -> dict[str, torch.Tensor]:
        batch = self._packs(rows)
        return {**batch, "position_ids": torch.arange(batch["input_ids"].shape[1])[None]}
