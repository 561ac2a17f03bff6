"""Training runs of tiny models in the test's own process, and what was seen inside of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import TrainerCallback

from ft_core.config import load_config
from ft_core.runs import Run, create_run
from ft_core.train import worker

TEXTS = ("the quick brown fox jumps", "over a lazy dog", "seven wizards", "box and vex a jury")
"""As many as a step takes, so that each step sees the same rows."""


@dataclass
class Trained(TrainerCallback):
    """What was seen of a run.

    Attributes
    ----------
    run
        The finished run.
    model
        The model as it is at the end.
    trains, frozen
        Names of weights that train, and of those that do not.
    without_gradient
        Of those that train, the ones that got none, or one of zeros, in the last step.
    with_gradient
        Of those that do not train, the ones that got one.
    still, moved
        Of those that train, the ones that are what they were before; of those that do not, the ones that are not.
    """

    run: Run | None = None
    model: Any = None
    trains: set[str] = field(default_factory=set[str])
    frozen: set[str] = field(default_factory=set[str])
    without_gradient: set[str] = field(default_factory=set[str])
    with_gradient: set[str] = field(default_factory=set[str])
    still: set[str] = field(default_factory=set[str])
    moved: set[str] = field(default_factory=set[str])
    before: dict[str, torch.Tensor] = field(default_factory=dict[str, torch.Tensor])

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = dict(self.model.named_parameters())
        self.trains = {name for name, weight in named.items() if weight.requires_grad}
        self.frozen = named.keys() - self.trains
        self.before = {name: weight.detach().clone() for name, weight in named.items()}

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        named = dict(self.model.named_parameters())
        self.without_gradient = {
            name for name in self.trains if named[name].grad is None or not named[name].grad.any()
        }
        self.with_gradient |= {name for name in self.frozen if named[name].grad is not None}

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        same = {
            name for name, weight in self.model.named_parameters() if torch.equal(weight, self.before[name])
        }
        self.still, self.moved = self.trains & same, self.frozen - same

    @property
    def losses(self) -> list[float]:
        assert self.run is not None
        return [event["loss"] for event in self.run.events()[0] if event["type"] == "step"]

    @property
    def told(self) -> dict[str, Any]:
        """What the run tells of its model."""
        assert self.run is not None
        return next(event for event in self.run.events()[0] if event["type"] == "model")


def train(config: Any, root: Path, name: str, patch: pytest.MonkeyPatch) -> Trained:
    """Train a config in this process as a run does it, and return what was seen."""
    seen = Trained()
    build: Callable[..., Any] = worker._trainer

    def watched(*arguments: Any, **keys: Any) -> Any:
        trainer = build(*arguments, **keys)
        seen.model = trainer.model
        trainer.add_callback(seen)
        return trainer

    patch.setattr(worker, "_trainer", watched)
    seen.run = create_run(
        name, config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={}, root=root
    )
    worker.main(seen.run.directory)
    return seen


def config_of(folder: Path, keys: Mapping[str, Any]) -> Any:
    """Return the config of two steps of the model in `folder`, on a few short texts that lie beside it."""
    rows = folder.parent / "texts.jsonl"
    if not rows.exists():
        rows.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    return load_config(
        {
            "base_model": str(folder),
            "datasets": [{"path": str(rows), "type": "completion"}],
            "learning_rate": 2e-3,
            "lr_scheduler": "constant",
            "warmup_steps": 0,
            "sequence_len": 64,
            "micro_batch_size": len(TEXTS),
            "max_steps": 2,
            "save_strategy": "no",
            "bf16": False,
            **keys,
        }
    )


def assert_trained(seen: Trained, config: Any) -> None:
    """Assert that a run trained all of what should train and nothing else, and that its base is kept as it says."""
    assert seen.run is not None
    assert seen.run.state == "completed", seen.run.log_tail(30)
    first, last = seen.losses
    assert 5 < first < 7  # the logarithm of the vocabulary is 5.8
    assert last < first
    adapters = {name for name in seen.trains if "lora_" in name}
    assert seen.trains == (adapters if config.adapter else seen.trains | seen.frozen)
    assert (seen.without_gradient, seen.with_gradient) == (set(), set())
    assert (seen.still, seen.moved) == (set(), set())
    kinds = [type(module).__name__ for module in seen.model.modules()]
    assert ("Linear4bit" in kinds) is config.load_in_4bit
    assert ("Linear8bitLt" in kinds) is config.load_in_8bit
