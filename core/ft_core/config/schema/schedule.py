"""Keys of how long and in what portions training goes."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, FreeMap, Number, Whole

GRADIENT_CHECKPOINTING = Choice((), ("offload", "offload_disk"), "use true", flags=True)


class ScheduleKeys(Topic):
    """Length, batches, memory and chance."""

    num_epochs: Annotated[float, Number(above=0)] = 1.0
    """How often the data is gone through; may be a fraction."""

    max_steps: Annotated[int | None, Whole(minimum=1)] = None
    """Optimizer steps after which training ends, whatever num_epochs says. Default: no limit."""

    micro_batch_size: Annotated[int, Whole(minimum=1)] = 1
    """Samples that one device computes at a time."""

    gradient_accumulation_steps: Annotated[int, Whole(minimum=1)] = 1
    """Micro batches whose gradients are summed into one optimizer step."""

    eval_batch_size: Annotated[int | None, Whole(minimum=1)] = None
    """Samples that one device evaluates at a time. Default: micro_batch_size."""

    gradient_checkpointing: Annotated[bool, GRADIENT_CHECKPOINTING] = False
    """Whether activations are computed again in the backward pass in place of being kept: less memory, about a third
    more time."""

    gradient_checkpointing_kwargs: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of gradient checkpointing, such as ``{use_reentrant: false}``."""

    seed: Annotated[int, Whole(minimum=0, maximum=2**32 - 1)] = 42
    """What every random choice derives from: the order of the data, new weights, dropout."""

    strict: Annotated[bool, Flag()] = False
    """Accepted, without effect: an unknown key is always an error."""
