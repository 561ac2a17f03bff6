"""The course of the learning rate: the schedules of transformers, and four that it does not have.

Each gives a factor of the largest learning rate, of every parameter group alike:

* ``cosine`` falls like a half wave to ``cosine_min_lr_ratio`` and stays there from ``cosine_constant_lr_ratio`` of the steps
  on; with ``lr_quadratic_warmup`` it rises as a parabola;
* ``rex`` falls slowly at first and fast at the end;
* ``one_cycle`` is torch's OneCycleLR, which moves the momentum too.

``jagged_restart_steps`` multiplies any of them that is a function of the step by a second factor, which falls before each
restart and rises after it.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError

if TYPE_CHECKING:
    from torch.optim import Optimizer
    from torch.optim.lr_scheduler import LRScheduler

    from ft_core.config import Config

OWN_SCHEDULES = ("rex", "one_cycle")
"""Values of ``lr_scheduler`` that transformers does not know."""

_RESTART_FLOOR = 0.001  # Axolotl's: a rate of zero would make the first step after a restart do nothing


def make_schedule(config: Config, optimizer: Optimizer, total: int, *, warmup: int) -> LRScheduler:
    """Return the schedule that `config` asks for, at its first step.

    Parameters
    ----------
    config
        The run's config.
    optimizer
        Holds the largest learning rate of each of its groups.
    total
        Optimizer steps of the run.
    warmup
        Steps over which the learning rate rises from zero.

    Raises
    ------
    ModelError
        ``lr_scheduler_kwargs`` names an argument that the schedule does not take.
    """
    schedule = _smooth_schedule(config, optimizer, total, warmup)
    if config.jagged_restart_steps is not None:
        made: Any = schedule
        made.lr_lambdas = [partial(_jagged, smooth, config) for smooth in made.lr_lambdas]
    return schedule


def _smooth_schedule(config: Config, optimizer: Optimizer, total: int, warmup: int) -> LRScheduler:
    """Return the schedule that ``lr_scheduler`` names."""
    from torch.optim.lr_scheduler import LambdaLR

    name, floor = config.lr_scheduler, config.cosine_min_lr_ratio or 0.0
    if name == "one_cycle":
        return _one_cycle(config, optimizer, total, warmup)
    if name == "rex":
        _check_arguments(config, set())
        return LambdaLR(optimizer, partial(rex_factor, warmup=warmup, total=total, floor=floor))
    if name == "cosine" and (floor or config.cosine_constant_lr_ratio or config.lr_quadratic_warmup):
        _check_arguments(config, {"num_cycles"})
        return LambdaLR(
            optimizer,
            partial(
                cosine_factor,
                warmup=warmup,
                total=total,
                floor=floor,
                constant_from=config.cosine_constant_lr_ratio or 1.0,
                quadratic_warmup=config.lr_quadratic_warmup,
                cycles=float(config.lr_scheduler_kwargs.get("num_cycles", 0.5)),
            ),
        )
    return _of_transformers(config, optimizer, total, warmup)


def cosine_factor(
    step: int,
    *,
    warmup: int,
    total: int,
    floor: float = 0.0,
    constant_from: float = 1.0,
    quadratic_warmup: bool = False,
    cycles: float = 0.5,
) -> float:
    """Return the factor of `step`: a rise, then a cosine wave down to `floor`, which it keeps.

    Constant part: Gupta et al. 2023, https://arxiv.org/abs/2308.04014

    Parameters
    ----------
    step
        Optimizer steps that were made.
    warmup, total
        Steps of the rise, and of the run.
    floor
        The lowest factor.
    constant_from
        Share of `total` from which the factor is `floor`.
    quadratic_warmup
        Whether the rise is a parabola, in place of a line.
    cycles
        Waves of the fall; a half one goes down once.

    >>> [cosine_factor(step, warmup=2, total=10, floor=0.2) for step in (0, 1, 2, 6, 10)]
    [0.0, 0.5, 1.0, 0.6, 0.2]
    """
    if step < warmup:
        rise = step / warmup
        return rise**2 if quadratic_warmup else rise
    end = int(total * constant_from)
    progress = (step - warmup) / (end - warmup) if step < end else 1.0
    return floor + (1 - floor) * (1 + math.cos(2 * math.pi * cycles * progress)) / 2


def rex_factor(step: int, *, warmup: int, total: int, floor: float = 0.0) -> float:
    """Return the factor of `step`: a rise in a line, then slowly down at first and fast at the end.

    With ``z`` for the share of the steps that is left, it is ``z / (0.1 + 0.9 z)``: the profile of Chen et al. 2021
    (https://arxiv.org/abs/2107.04197) as later implementations have it, Axolotl's among them, with 0.1 and 0.9 where the
    paper has a half twice.

    >>> [round(rex_factor(step, warmup=0, total=4), 4) for step in (0, 1, 2, 3, 4)]
    [1.0, 0.9677, 0.9091, 0.7692, 0.0]
    """
    if step < warmup:
        return step / warmup
    left = max(0, total - step) / max(1, total - warmup)
    return floor + (1 - floor) * left / (0.1 + 0.9 * left)


def restart_factor(step: int, *, every: int, warmup: int, anneal: int, floor: float) -> float:
    """Return the factor of `step` where something begins anew each `every` steps: down before a restart, and up after it.

    Parameters
    ----------
    step
        Optimizer steps that were made.
    every
        Steps from one restart to the next.
    warmup, anneal
        Steps of the rise and of the fall; a fall of one step ends where it begins.
    floor
        The lowest factor.

    >>> [restart_factor(step, every=5, warmup=2, anneal=3, floor=0.0) for step in (0, 2, 5, 6, 7)]
    [1.0, 1.0, 0.0, 0.5, 1.0]
    >>> [round(restart_factor(step, every=5, warmup=2, anneal=3, floor=0.0), 2) for step in (3, 4, 8, 9)]
    [0.67, 0.33, 0.67, 0.33]
    """
    since, left, share = step % every, every - step % every, 1.0
    if step >= every and since < warmup:
        share = since / warmup
    elif left < anneal:
        share = left / anneal
    return floor + (1 - floor) * share


def _jagged(smooth: Callable[[int], float], config: Config, step: int) -> float:
    """Return the factor of a step between restarts."""
    assert config.jagged_restart_steps is not None
    return smooth(step) * restart_factor(
        step,
        every=config.jagged_restart_steps,
        warmup=config.jagged_restart_warmup_steps,
        anneal=config.jagged_restart_anneal_steps,
        floor=config.cosine_min_lr_ratio or _RESTART_FLOOR,
    )


def _one_cycle(config: Config, optimizer: Optimizer, total: int, warmup: int) -> LRScheduler:
    """Return torch's schedule of one rise and one fall (Smith 2018, https://arxiv.org/abs/1803.09820).

    It rises over the warmup, from a 25th of the largest learning rate. The momentum falls while the learning rate rises,
    in optimizers that have one.
    """
    from torch.optim.lr_scheduler import OneCycleLR

    known = set(inspect.signature(OneCycleLR).parameters) - {
        "optimizer",
        "max_lr",
        "total_steps",
        "last_epoch",
    }
    _check_arguments(config, known)
    settings: dict[str, Any] = {
        "cycle_momentum": all("betas" in group or group.get("momentum") for group in optimizer.param_groups),
        "pct_start": min(1.0, warmup / total),
        **config.lr_scheduler_kwargs,
    }
    rates = [group["lr"] for group in optimizer.param_groups]
    return OneCycleLR(optimizer, max_lr=rates, total_steps=total, **settings)


def _of_transformers(config: Config, optimizer: Optimizer, total: int, warmup: int) -> LRScheduler:
    from transformers import get_scheduler
    from transformers.optimization import TYPE_TO_SCHEDULER_FUNCTION
    from transformers.trainer_utils import SchedulerType

    function = TYPE_TO_SCHEDULER_FUNCTION[SchedulerType(config.lr_scheduler)]
    given = {"optimizer", "num_warmup_steps", "num_training_steps", "last_epoch"}
    _check_arguments(config, set(inspect.signature(function).parameters) - given)
    return get_scheduler(
        config.lr_scheduler,
        optimizer=optimizer,
        num_warmup_steps=warmup,
        num_training_steps=total,
        scheduler_specific_kwargs=dict(config.lr_scheduler_kwargs),
    )


def _check_arguments(config: Config, known: set[str]) -> None:
    """Raise a ModelError if ``lr_scheduler_kwargs`` holds a name that is not one of `known`."""
    if "kwargs" in known:
        return
    unknown = sorted(set(config.lr_scheduler_kwargs) - known)
    if unknown:
        takes = (
            f"It takes: {', '.join(sorted(known))}."
            if known
            else "It takes none; remove lr_scheduler_kwargs."
        )
        raise ModelError(
            f"lr_scheduler_kwargs: '{config.lr_scheduler}' takes no argument {', '.join(repr(name) for name in unknown)}.",
            takes,
        )
