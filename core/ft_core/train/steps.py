"""The arithmetic of steps: how rows become optimizer steps, and at which of them to save and evaluate. Torch-free.

One optimizer step takes one *global batch*: the rows of a micro-batch on each rank, ``gradient_accumulation_steps`` times
over. Those rows are ``micro_batch_size``, or with packing as many as hold that many times ``sequence_len`` tokens. The last
step of an epoch takes the rows that are left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ft_core.data.row_packing import row_layout

if TYPE_CHECKING:
    from ft_core.config import Config


@dataclass(frozen=True)
class Steps:
    """How long a run is.

    Attributes
    ----------
    per_epoch
        Optimizer steps that one pass over the rows takes.
    total
        Optimizer steps of the run.
    """

    per_epoch: int
    total: int

    @property
    def epochs(self) -> float:
        """Passes over the rows that the run makes."""
        return self.total / self.per_epoch


@dataclass(frozen=True)
class Cadence:
    """When something happens: never, at the end of every epoch, or every so many optimizer steps."""

    strategy: Literal["no", "epoch", "steps"]
    steps: int = 0


def count_steps(config: Config, rows: int | None, world_size: int) -> Steps:
    """Return the steps that `rows` training rows, packed ones if samples are packed, make on `world_size` ranks.

    Rows that are streamed have no number (None); the run is then one epoch of ``max_steps``.

    >>> from types import SimpleNamespace
    >>> config = SimpleNamespace(
    ...     micro_batch_size=2, gradient_accumulation_steps=2, num_epochs=1.5, max_steps=None, sample_packing=False
    ... )
    >>> count_steps(config, rows=17, world_size=2)  # 8 rows a step: 8, 8 and 1; then half as many again
    Steps(per_epoch=3, total=5)
    """
    if rows is None:
        assert config.max_steps is not None
        return Steps(config.max_steps, config.max_steps)
    per_epoch = max(1, math.ceil(rows / global_batch(config, world_size)))
    total = config.max_steps or math.ceil(config.num_epochs * per_epoch)
    return Steps(per_epoch, total)


def global_batch(config: Config, world_size: int) -> int:
    """Return the rows of one optimizer step, over all ranks and accumulated micro-batches."""
    rows = config.micro_batch_size
    if config.sample_packing:
        rows = row_layout(config, config.micro_batch_size).rows
    return rows * config.gradient_accumulation_steps * world_size


def save_cadence(config: Config, steps: Steps) -> Cadence:
    """Return when to save a checkpoint: as the config says."""
    return _cadence(config.save_strategy, config.save_steps, config.saves_per_epoch, steps)


def eval_cadence(config: Config, steps: Steps, eval_rows: int) -> Cadence:
    """Return when to evaluate: as the config says; never without eval rows."""
    if eval_rows == 0:
        return Cadence("no")
    return _cadence(config.eval_strategy, config.eval_steps, config.evals_per_epoch, steps)


def warmup_steps(config: Config, steps: Steps) -> int:
    """Return the steps over which the learning rate rises from zero: as configured, else 3 %, at most 100."""
    if config.warmup_steps is not None:
        return config.warmup_steps
    if config.warmup_ratio is not None:
        return math.ceil(config.warmup_ratio * steps.total)
    return min(100, int(0.03 * steps.total))


def _cadence(
    strategy: Literal["epoch", "steps", "no"], every: float | None, per_epoch: int | None, steps: Steps
) -> Cadence:
    """Return the cadence that the three keys of saving, or of evaluating, describe together.

    A number of steps below one is a share of the whole run.
    """
    if strategy != "steps":
        return Cadence(strategy)
    if every:
        return Cadence("steps", max(1, math.ceil(every * steps.total) if every < 1 else int(every)))
    if per_epoch:
        return Cadence("steps", max(1, math.ceil(steps.per_epoch / per_epoch)))
    return Cadence("epoch")
