"""Keys of how long and in what portions training goes, and of the learning rate's course."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, FreeMap, Number, Whole, names

# transformers.SchedulerType of 5.23.
SCHEDULERS = names(
    "cosine linear cosine_with_restarts polynomial constant constant_with_warmup inverse_sqrt "
    "reduce_lr_on_plateau cosine_with_min_lr cosine_warmup_with_min_lr warmup_stable_decay greedy"
)

PLANNED_SCHEDULERS = ("one_cycle", "rex", "log_sweep")

GRADIENT_CHECKPOINTING = Choice((), ("offload", "offload_disk"), "use true", flags=True)


class ScheduleKeys(Topic):
    """Length, batches, the learning rate's course, memory and chance."""

    num_epochs: Annotated[float, Number(above=0)] = 1.0
    """How often the data is gone through; may be a fraction."""

    max_steps: Annotated[int | None, Whole(minimum=1)] = None
    """Optimizer steps after which training ends, whatever num_epochs says. Default: no limit."""

    micro_batch_size: Annotated[int, Whole(minimum=1)] = 1
    """Samples that one device computes at a time."""

    gradient_accumulation_steps: Annotated[int, Whole(minimum=1)] = 1
    """Micro batches whose gradients are summed into one optimizer step."""

    gradient_checkpointing: Annotated[bool, GRADIENT_CHECKPOINTING] = False
    """Whether activations are computed again in the backward pass in place of being kept: less memory, about a third
    more time."""

    gradient_checkpointing_kwargs: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of gradient checkpointing, such as ``{use_reentrant: false}``."""

    seed: Annotated[int, Whole(minimum=0, maximum=2**32 - 1)] = 42
    """What every random choice derives from: the order of the data, new weights, dropout."""

    lr_scheduler: Annotated[str, Choice(SCHEDULERS, PLANNED_SCHEDULERS, "use 'cosine' or 'linear'")] = (
        "cosine"
    )
    """How the learning rate falls after its warmup: a name of Transformers' ``SchedulerType``."""

    lr_scheduler_kwargs: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of the scheduler, such as ``{min_lr_rate: 0.1}`` for cosine_with_min_lr."""

    warmup_steps: Annotated[int | None, Whole(minimum=0)] = None
    """Steps over which the learning rate rises from 0. Default: 3 % of the steps, at most 100."""

    warmup_ratio: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """The same as a share of all steps."""
