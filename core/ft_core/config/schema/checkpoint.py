"""Keys of what a run keeps: checkpoints and the tuned model."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, PathText, Steps, Whole

SaveStrategy = Literal["epoch", "steps", "no"]


class CheckpointKeys(Topic):
    """What is saved, when and where."""

    output_dir: Annotated[str | None, PathText()] = None
    """Folder that gets a copy of the tuned model. Default: only the run's own folder holds it."""

    save_strategy: Annotated[SaveStrategy, Choice(get_args(SaveStrategy), ("best",))] = "epoch"
    """When checkpoints are saved: after each ``epoch``, every save_steps ``steps``, or ``no`` checkpoints. Default:
    ``steps`` where save_steps or saves_per_epoch is given, else ``epoch``."""

    save_steps: Annotated[int | float | None, Steps()] = None
    """Optimizer steps between checkpoints, or their share of all steps."""

    saves_per_epoch: Annotated[int | None, Whole(minimum=0)] = None
    """Checkpoints in each epoch, in place of save_steps; 0: as if not given."""

    save_total_limit: Annotated[int | None, Whole(minimum=1)] = None
    """How many checkpoints are kept, the newest ones. Default: all."""
