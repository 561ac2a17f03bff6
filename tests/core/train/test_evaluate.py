"""Losses outside of a run are those within it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import FtError, RunError
from ft_core.launch.evaluation import evaluate_config, evaluate_run, weights_of
from ft_core.runs import Run
from ft_core.train.evaluate import evaluate

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]


@pytest.mark.parametrize("keys", [{}, {"adapter": ...}, {"sample_packing": True}])
def test_the_loss_is_the_one_that_the_run_told(
    keys: dict[str, Any], make_config: MakeConfig, train: Train, events: Events
) -> None:
    saving = {"save_strategy": "steps", "save_steps": 1, "val_set_size": 5, "eval_steps": 1, "max_steps": 2}
    config = make_config(**saving, **keys)
    run = train(config)
    told = {event["step"]: event["loss"] for event in events(run, "eval")}
    for weights, step in ((run.directory / "checkpoints" / "checkpoint-1", 1), (run.final, 2)):
        (found,) = evaluate(config, weights)
        assert found.loss == pytest.approx(told[step], rel=1e-6)
        assert found.perplexity == math.exp(found.loss)
        assert found.samples == 5
    (base,) = evaluate(config)
    assert base.loss > told[1] > told[2]


def test_each_dataset_has_its_line(make_config: MakeConfig, rows: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.jsonl"
    other.write_text(json.dumps({"text": "seven wizards box"}) + "\n")
    tests = [{"path": str(path), "type": "completion"} for path in (rows, other)]
    first, second, together = evaluate(make_config(test_datasets=tests))
    assert [row.dataset for row in (first, second, together)] == [str(rows), str(other), "all"]
    assert (first.samples, second.samples, together.samples) == (12, 1, 13)
    assert together.tokens == first.tokens + second.tokens
    weighed = (first.loss * first.tokens + second.loss * second.tokens) / together.tokens
    assert together.loss == pytest.approx(weighed, rel=1e-12)


def test_nothing_to_evaluate_on_is_a_sentence(make_config: MakeConfig) -> None:
    with pytest.raises(FtError, match=r"^The config leaves nothing to evaluate on\."):
        evaluate(make_config())


def test_a_process_of_its_own_finds_the_same(make_config: MakeConfig, train: Train, events: Events) -> None:
    run = train(make_config(val_set_size=5, max_steps=1))
    (found,) = evaluate_run(run)
    assert found.loss == pytest.approx(events(run, "eval")[-1]["loss"], rel=1e-6)
    with pytest.raises(FtError, match=r"^The config leaves nothing to evaluate on\.") as caught:
        evaluate_config(make_config())
    assert caught.value.fix == "Set 'val_set_size: 0.05' or give 'test_datasets'."


def test_weights_go_by_their_names(make_config: MakeConfig, train: Train) -> None:
    run = train(make_config(max_steps=1, save_strategy="steps", save_steps=1))
    assert weights_of(run, "base") is None
    assert weights_of(run, "final") == run.final
    assert weights_of(run, "checkpoint-1") == run.directory / "checkpoints" / "checkpoint-1"
    with pytest.raises(RunError) as caught:
        weights_of(run, "checkpoint-9")
    assert caught.value.fix == "It has: base, checkpoint-1, final."
