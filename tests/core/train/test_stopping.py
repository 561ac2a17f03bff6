"""Runs whose evaluations and losses are written beforehand."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.runs import Run
from ft_core.train.stopping import best_checkpoint, evaluations_since_best

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]

EVERY_STEP: dict[str, Any] = {
    "val_set_size": 2,
    "eval_steps": 1,
    "save_steps": 1,
    "save_strategy": ...,
    "max_steps": 4,
}


@pytest.fixture
def evaluations(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that says what loss the evaluation after each step has."""
    from ft_core.train.trainer import RunTrainer

    def script(*losses: float) -> None:
        def evaluate(self: RunTrainer, *_: Any, **__: Any) -> dict[str, float]:
            metrics = {"eval_loss": losses[self.state.global_step - 1]}
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

        monkeypatch.setattr(RunTrainer, "evaluate", evaluate)

    return script


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that says what training loss each step has."""
    from ft_core.train.trainer import RunTrainer

    log = RunTrainer.log

    def script(*losses: float) -> None:
        def log_other(self: RunTrainer, logs: dict[str, float], *rest: Any) -> None:
            if "loss" in logs:
                logs = {**logs, "loss": losses[self.state.global_step - 1]}
            log(self, logs, *rest)

        monkeypatch.setattr(RunTrainer, "log", log_other)

    return script


def weights(folder: Path) -> dict[str, torch.Tensor]:
    name = "adapter_model" if (folder / "adapter_model.safetensors").is_file() else "model"
    return load_file(folder / f"{name}.safetensors")


def checkpoints(run: Run) -> list[str]:
    return sorted(path.name for path in (run.directory / "checkpoints").iterdir())


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([], 0),
        ([3], 0),
        ([3, 2], 0),
        ([2, 3, 2], 2),
        ([2, math.inf, 1], 0),
    ],
)
def test_evaluations_since_the_best(scores: list[float], expected: int) -> None:
    assert evaluations_since_best([{"score": score} for score in scores]) == expected


def test_the_best_is_one_that_was_saved() -> None:
    history = [
        {"score": score, "checkpoint": name} for score, name in ((3, "a"), (1, None), (2, "b"), (2, "c"))
    ]
    assert best_checkpoint(history) == history[2]
    assert best_checkpoint(history[1:2]) is None


def test_early_stopping(
    make_config: MakeConfig, train: Train, events: Events, evaluations: Callable[..., None]
) -> None:
    evaluations(3.0, 2.0, 2.5, 2.0, 1.0, 0.5)
    run = train(make_config(**{**EVERY_STEP, "max_steps": 6}, early_stopping_patience=2))
    assert run.state == "completed"
    assert [event["step"] for event in events(run, "step")] == [1, 2, 3, 4]
    assert [event["message"] for event in events(run, "warning")] == [
        "Training ended after step 4: 2 evaluations in a row were not better."
    ]
    assert all(
        torch.equal(one, other)
        for one, other in zip(
            weights(run.final).values(),
            weights(run.directory / "checkpoints" / "checkpoint-4").values(),
            strict=True,
        )
    )
    # A run that goes on counts on.
    half = run.directory / "checkpoints" / "checkpoint-3"
    rest = train(
        make_config(
            **{**EVERY_STEP, "max_steps": 6}, early_stopping_patience=2, resume_from_checkpoint=str(half)
        )
    )
    assert [event["step"] for event in events(rest, "step")] == [4]


@pytest.mark.parametrize("adapter", ["lora", ...])
def test_the_best_checkpoint_is_the_tuned_model(
    adapter: Any, make_config: MakeConfig, train: Train, events: Events, evaluations: Callable[..., None]
) -> None:
    evaluations(3.0, 1.0, 2.0, 4.0)
    run = train(make_config(**EVERY_STEP, adapter=adapter, load_best_model_at_end=True, save_total_limit=1))
    assert checkpoints(run) == ["checkpoint-2", "checkpoint-4"]  # the newest, and the best
    best, last = (weights(run.directory / "checkpoints" / name) for name in checkpoints(run))
    final = weights(run.final)
    assert all(torch.equal(weight, best[name]) for name, weight in final.items())
    assert not all(torch.equal(weight, last[name]) for name, weight in final.items())
    assert [{**event, "time": 0} for event in events(run, "best")] == [
        {"type": "best", "time": 0, "step": 2, "path": "checkpoints/checkpoint-2", "loss": 1.0}
    ]


@pytest.mark.parametrize(
    ("keys", "scores", "step"),
    [
        ({}, (3.0, 2.0, 1.5, 1.0), None),  # the last one is the best
        ({"greater_is_better": True}, (3.0, 2.0, 1.5, 1.0), 1),
        ({}, (3.0, math.nan, 4.0, 5.0), 1),
        ({"save_steps": 2}, (1.0, 3.0, 0.5, 4.0), 2),  # better ones were not saved
        ({"save_steps": 3}, (3.0, 3.0, 2.0, 1.0), None),  # evaluated at the end, and not saved
    ],
)
def test_which_is_the_best(
    keys: dict[str, Any],
    scores: tuple[float, ...],
    step: int | None,
    make_config: MakeConfig,
    train: Train,
    events: Events,
    evaluations: Callable[..., None],
) -> None:
    evaluations(*scores)
    run = train(make_config(**{**EVERY_STEP, **keys}, load_best_model_at_end=True))
    assert [event["step"] for event in events(run, "best")] == ([step] if step else [])
    told = [event["message"] for event in events(run, "warning")]
    assert told == (
        [] if step else ["The tuned model has the last weights: no checkpoint was evaluated better."]
    )


def test_without_it_the_last_weights_are_the_tuned_model(
    make_config: MakeConfig, train: Train, events: Events, evaluations: Callable[..., None]
) -> None:
    evaluations(1.0, 2.0, 3.0, 4.0)
    run = train(make_config(**EVERY_STEP, save_total_limit=1))
    assert checkpoints(run) == ["checkpoint-4"]
    assert events(run, "best") == events(run, "warning") == []


def test_a_best_checkpoint_that_is_gone(
    make_config: MakeConfig, train: Train, events: Events, evaluations: Callable[..., None]
) -> None:
    import shutil

    evaluations(1.0, 2.0, 3.0, 4.0)
    run = train(make_config(**{**EVERY_STEP, "max_steps": 2}, load_best_model_at_end=True))
    folder = run.directory / "checkpoints"
    shutil.rmtree(folder / "checkpoint-1")
    keys = {
        **EVERY_STEP,
        "load_best_model_at_end": True,
        "resume_from_checkpoint": str(folder / "checkpoint-2"),
    }
    rest = train(make_config(**keys))
    assert events(rest, "warning")[-1]["message"] == (
        f"The best checkpoint, '{folder / 'checkpoint-1'}', is no longer there: the tuned model has the last weights."
    )


def test_the_watchdog_ends_a_run_and_leaves_the_last_good_checkpoint(
    make_config: MakeConfig, train: Train, events: Events, losses: Callable[..., None]
) -> None:
    losses(1.0, 6.0, 1.0, 6.0, 7.0, 8.0)
    run = train(
        make_config(
            save_steps=1, save_strategy=..., save_total_limit=1, max_steps=6, loss_watchdog_threshold=5
        )
    )
    assert run.state == "failed"
    (error,) = events(run, "error")
    assert error["message"] == (
        "The loss was above loss_watchdog_threshold (5) in 3 steps in a row, 4 to 6, so training ended."
    )
    kept = run.directory / "checkpoints" / "checkpoint-3"
    assert error["fix"] == (
        f"Lower learning_rate (now 0.01), look for broken rows, and go on from resume_from_checkpoint: {kept}."
    )
    assert error["traceback"] is None
    assert checkpoints(run) == ["checkpoint-3"]


def test_the_watchdog_saves_no_epoch_that_ends_too_high(
    make_config: MakeConfig, train: Train, events: Events, losses: Callable[..., None]
) -> None:
    losses(1.0, 1.0, 6.0, 1.0)
    run = train(
        make_config(
            micro_batch_size=12,
            max_steps=...,
            num_epochs=4,
            save_strategy="epoch",
            loss_watchdog_threshold=5,
            loss_watchdog_patience=2,
        )
    )
    assert run.state == "completed"
    assert checkpoints(run) == ["checkpoint-1", "checkpoint-2", "checkpoint-4"]
