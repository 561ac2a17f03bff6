from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.train.steps import Cadence, Steps, count_steps, eval_cadence, save_cadence, warmup_steps

STEPS = Steps(per_epoch=40, total=100)
EVAL = {"val_set_size": 0.1}


@pytest.mark.parametrize(
    ("keys", "rows", "world_size", "expected"),
    [
        ({"max_steps": ..., "num_epochs": 1}, 12, 1, Steps(6, 6)),
        (
            {"max_steps": ..., "num_epochs": 1},
            13,
            1,
            Steps(7, 7),
        ),  # the rows that are left make a step of their own
        ({"max_steps": ..., "num_epochs": 2.5}, 12, 2, Steps(3, 8)),
        ({"max_steps": ..., "gradient_accumulation_steps": 4}, 12, 1, Steps(2, 2)),
        ({"max_steps": 5}, 12, 1, Steps(6, 5)),
        ({"max_steps": 5}, 1, 8, Steps(1, 5)),
    ],
)
def test_steps(
    keys: dict[str, Any], rows: int, world_size: int, expected: Steps, make_config: Callable[..., Config]
) -> None:
    assert count_steps(make_config(**keys), rows, world_size) == expected


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"save_strategy": "no"}, Cadence("no")),
        ({"save_strategy": "epoch"}, Cadence("epoch")),
        ({"save_strategy": ...}, Cadence("epoch")),
        ({"save_strategy": ..., "save_steps": 7}, Cadence("steps", 7)),
        ({"save_strategy": ..., "save_steps": 0.25}, Cadence("steps", 25)),
        ({"save_strategy": ..., "saves_per_epoch": 4}, Cadence("steps", 10)),
        ({"save_strategy": ..., "saves_per_epoch": 3}, Cadence("steps", 14)),
        ({"save_strategy": ..., "saves_per_epoch": 400}, Cadence("steps", 1)),
    ],
)
def test_saving(keys: dict[str, Any], expected: Cadence, make_config: Callable[..., Config]) -> None:
    assert save_cadence(make_config(**keys), STEPS) == expected


@pytest.mark.parametrize(
    ("keys", "eval_rows", "expected"),
    [
        (EVAL, 5, Cadence("epoch")),
        (EVAL, 0, Cadence("no")),
        ({**EVAL, "eval_strategy": "no"}, 5, Cadence("no")),
        ({**EVAL, "eval_steps": 3}, 5, Cadence("steps", 3)),
        ({**EVAL, "evals_per_epoch": 2}, 5, Cadence("steps", 20)),
    ],
)
def test_evaluating(
    keys: dict[str, Any], eval_rows: int, expected: Cadence, make_config: Callable[..., Config]
) -> None:
    assert eval_cadence(make_config(**keys), STEPS, eval_rows) == expected


@pytest.mark.parametrize(
    ("keys", "total", "expected"),
    [
        ({"warmup_steps": 9}, 100, 9),
        ({"warmup_steps": ..., "warmup_ratio": 0.05}, 101, 6),
        ({"warmup_steps": ...}, 100, 3),
        ({"warmup_steps": ...}, 10, 0),
        ({"warmup_steps": ...}, 10_000, 100),
    ],
)
def test_warmup(keys: dict[str, Any], total: int, expected: int, make_config: Callable[..., Config]) -> None:
    assert warmup_steps(make_config(**keys), Steps(total, total)) == expected
