"""The learning rate of every step, against the formulas written out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.runs import Run
from ft_core.train.schedules import make_schedule

TOTAL, WARMUP = 10, 2


def rates(config: Config, optimizer: torch.optim.Optimizer | None = None) -> list[float]:
    """Return the learning rate of each of ten steps, and the one after the last."""
    optimizer = optimizer or torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=config.learning_rate)
    schedule = make_schedule(config, optimizer, TOTAL, warmup=WARMUP)
    found = [optimizer.param_groups[0]["lr"]]
    for _ in range(TOTAL):
        optimizer.step()
        schedule.step()
        found.append(optimizer.param_groups[0]["lr"])
    return found


def wave(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


RISE, FALL = [0, 1 / 2], [share / 8 for share in range(9)]
LOWEST = 0.001
RESTARTS = {"jagged_restart_steps": 4, "jagged_restart_warmup_steps": 1, "jagged_restart_anneal_steps": 2}


@pytest.mark.parametrize(
    ("keys", "factors"),
    [
        ({"lr_scheduler": "constant"}, [1] * 11),
        ({"lr_scheduler": "constant_with_warmup"}, RISE + [1] * 9),
        ({"lr_scheduler": "linear"}, RISE + [1 - share for share in FALL]),
        ({"lr_scheduler": "cosine"}, RISE + [wave(share) for share in FALL]),
        (
            {"lr_scheduler": "polynomial", "lr_scheduler_kwargs": {"power": 2.0, "lr_end": 0.1}},
            [*RISE, *[(1 - 0.1 / 8) * (1 - share) ** 2 + 0.1 / 8 for share in FALL]],
        ),
        ({"lr_scheduler": "inverse_sqrt"}, RISE + [math.sqrt(2 / step) for step in range(2, 11)]),
        (
            {"lr_scheduler": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.25}},
            RISE + [0.25 + 0.75 * wave(share) for share in FALL],
        ),
        ({"cosine_min_lr_ratio": 0.25}, RISE + [0.25 + 0.75 * wave(share) for share in FALL]),
        (
            {"cosine_min_lr_ratio": 0.25, "cosine_constant_lr_ratio": 0.6},
            RISE + [0.25 + 0.75 * wave(min(1, step / 4)) for step in range(9)],
        ),
        ({"cosine_constant_lr_ratio": 0.6}, RISE + [wave(min(1, step / 4)) for step in range(9)]),
        # The constant part begins within the warmup.
        ({"cosine_min_lr_ratio": 0.25, "cosine_constant_lr_ratio": 0.1}, RISE + [0.25] * 9),
        ({"lr_quadratic_warmup": True}, [0, 1 / 4] + [wave(share) for share in FALL]),
        (
            {"cosine_min_lr_ratio": 0.5, "lr_scheduler_kwargs": {"num_cycles": 1}},
            RISE + [0.5 + 0.5 * wave(2 * share) for share in FALL[:-1]] + [1],
        ),
        ({"lr_scheduler": "rex"}, RISE + [(1 - share) / (0.1 + 0.9 * (1 - share)) for share in FALL]),
        (
            {"lr_scheduler": "rex", "cosine_min_lr_ratio": 0.2},
            RISE + [0.2 + 0.8 * (1 - share) / (0.1 + 0.9 * (1 - share)) for share in FALL],
        ),
        # Down to a thousandth before step 4 and 8, and up after them; the first steps are the warmup's.
        (
            {"lr_scheduler": "constant_with_warmup", **RESTARTS},
            [*RISE, 1, LOWEST + (1 - LOWEST) / 2, LOWEST, 1, 1, LOWEST + (1 - LOWEST) / 2, LOWEST, 1, 1],
        ),
        (
            {"lr_scheduler": "cosine", **RESTARTS, "jagged_restart_anneal_steps": 1},
            [*RISE, *(wave(s) * (LOWEST if step in (2, 6) else 1) for step, s in enumerate(FALL))],
        ),
        (
            {
                "lr_scheduler": "constant",
                "cosine_min_lr_ratio": 0.25,
                **RESTARTS,
                "jagged_restart_warmup_steps": 2,
            },
            [1, 1, 1, 0.625, 0.25, 0.625, 1, 0.625, 0.25, 0.625, 1],
        ),
    ],
    ids=lambda value: " ".join(map(str, value.values())) if isinstance(value, dict) else "",
)
def test_every_step(keys: dict[str, Any], factors: list[float], make_config: Callable[..., Config]) -> None:
    config = make_config(**{"learning_rate": 8.0, "lr_scheduler": "cosine", "optimizer": "sgd", **keys})
    assert rates(config) == pytest.approx([8.0 * factor for factor in factors], rel=1e-12, abs=1e-12)


def test_one_cycle(make_config: Callable[..., Config]) -> None:
    # From a 25th up over the warmup's share, then down to a 25th of a 10,000th.
    config = make_config(lr_scheduler="one_cycle", learning_rate=8.0, optimizer="sgd")
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=8.0)
    expected = [8 / 25] + [8 / 25e4 + (8 - 8 / 25e4) * wave(step / 8) for step in range(9)]
    assert rates(config, optimizer)[:10] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("make", "moves"),
    [
        (lambda weights: torch.optim.SGD(weights, lr=8.0), False),
        (lambda weights: torch.optim.SGD(weights, lr=8.0, momentum=0.5), True),
        (lambda weights: torch.optim.AdamW(weights, lr=8.0), True),
    ],
)
def test_one_cycle_moves_a_momentum_where_there_is_one(
    make: Callable[..., Any], moves: bool, make_config: Callable[..., Config]
) -> None:
    optimizer = make([torch.nn.Parameter(torch.zeros(1))])
    make_schedule(make_config(lr_scheduler="one_cycle", learning_rate=8.0), optimizer, TOTAL, warmup=WARMUP)
    group = optimizer.param_groups[0]
    momentum = group["betas"][0] if "betas" in group else group["momentum"]
    assert momentum == (0.95 if moves else 0)


def test_groups_keep_their_proportion(make_config: Callable[..., Config]) -> None:
    for name in ("cosine", "rex", "one_cycle"):
        weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
        optimizer = torch.optim.SGD([{"params": [weights[0]]}, {"params": [weights[1]], "lr": 16.0}], lr=8.0)
        config = make_config(lr_scheduler=name, cosine_min_lr_ratio=0.1, learning_rate=8.0)
        schedule = make_schedule(config, optimizer, TOTAL, warmup=WARMUP)
        for _ in range(TOTAL):
            one, two = (group["lr"] for group in optimizer.param_groups)
            assert two == pytest.approx(2 * one)
            optimizer.step()
            schedule.step()


@pytest.mark.parametrize(
    ("name", "fix"),
    [
        ("linear", "It takes none"),
        ("rex", "It takes none"),
        ("cosine", "It takes: num_cycles."),
        ("polynomial", "It takes: lr_end, power."),
        ("one_cycle", "anneal_strategy"),
    ],
)
def test_an_argument_that_the_schedule_does_not_take(
    name: str, fix: str, make_config: Callable[..., Config]
) -> None:
    config = make_config(lr_scheduler=name, lr_scheduler_kwargs={"num_cycle": 2})
    with pytest.raises(ModelError, match=f"'{name}' takes no argument 'num_cycle'") as raised:
        rates(config)
    assert fix in raised.value.fix


def test_a_run_learns_at_these_rates(
    make_config: Callable[..., Config], train: Callable[..., Run], events: Callable[..., Any]
) -> None:
    run = train(
        make_config(
            lr_scheduler="rex", learning_rate=8e-3, max_steps=5, warmup_steps=1, gradient_accumulation_steps=2
        )
    )
    expected = [0, *[8e-3 * left / (0.1 + 0.9 * left) for left in (1, 0.75, 0.5, 0.25)]]
    assert [event["learning_rate"] for event in events(run, "step")] == pytest.approx(expected)
