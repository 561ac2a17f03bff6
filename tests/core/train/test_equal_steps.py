"""One global batch takes one step, however it is cut: CORRECTNESS 1 and 24."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ft_core.config import Config
from ft_core.runs import Run, create_run

KEYS: dict[str, Any] = {"max_steps": 3, "val_set_size": 3, "optimizer": "sgd", "learning_rate": 1.0}
"""Nine training rows: a step of eight, a step of one, and the first step of the second epoch. Plain gradient descent,
because Adam divides by the gradient and so makes rounding large where that is almost zero."""

PACKED: dict[str, Any] = {"sample_packing": True, "sequence_len": 16}
"""Six packed rows of the nine: one step an epoch, whose last micro-batch of four, or of four on the second rank, is short."""


@pytest.fixture(params=[{}, PACKED], ids=["padded", "packed"])
def keys(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the keys that the runs to compare have in common."""
    return {**KEYS, **request.param}


@pytest.fixture
def reference(make_config: Callable[..., Config], train: Callable[..., Run], keys: dict[str, Any]) -> Run:
    """Return the run that takes eight rows at once."""
    return train(make_config(micro_batch_size=8, **keys), "reference")


def assert_equal(run: Run, reference: Run, events: Callable[[Run, str], list[dict[str, Any]]]) -> None:
    """Assert that two runs took the same steps, within what the order of fp32 sums changes."""
    for kind, names in (("step", ("loss", "grad_norm", "tokens")), ("eval", ("loss",))):
        ours, theirs = events(run, kind), events(reference, kind)
        assert len(ours) == len(theirs) > 0
        for one, other in zip(ours, theirs, strict=True):
            assert [one[name] for name in names] == pytest.approx([other[name] for name in names], rel=1e-5)
    weights, expected = (load_file(each.final / "adapter_model.safetensors") for each in (run, reference))
    assert weights.keys() == expected.keys()
    for name, weight in weights.items():
        torch.testing.assert_close(weight, expected[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(("micro_batch_size", "accumulation"), [(1, 8), (2, 4)])
def test_one_rank(
    micro_batch_size: int,
    accumulation: int,
    reference: Run,
    keys: dict[str, Any],
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
) -> None:
    cut = {"micro_batch_size": micro_batch_size, "gradient_accumulation_steps": accumulation}
    assert_equal(train(make_config(**cut, **keys)), reference, events)


def test_two_ranks(
    reference: Run,
    keys: dict[str, Any],
    make_config: Callable[..., Config],
    events: Callable[[Run, str], list[dict[str, Any]]],
    on_two_ranks: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    """Two ranks with unequal targets, of which one has none at all in the step of one row."""
    config = make_config(micro_batch_size=4, **keys)
    run = create_run("two", config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})
    done = on_two_ranks("two_ranks.py", run)
    assert done.returncode == 0, done.stderr
    # Exit status 0 proves nothing: accelerate can train two models side by side without a word.
    for rank in (0, 1):
        facts = json.loads((run.directory / f"facts-{rank}.json").read_text())
        assert facts == {"world_size": 2, "backend": "gloo", "wrapper": "DistributedDataParallel"}
    assert run.status().world_size == 2
    assert_equal(run, reference, events)
