"""Keys of what a run writes and when: checkpoints, evaluations, log lines."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, PathText, Steps, Whole

SaveStrategy = Literal["epoch", "steps", "no"]
EvalStrategy = Literal["epoch", "steps", "no"]


class OutputKeys(Topic):
    """Checkpoints, evaluations and log lines."""

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

    eval_strategy: Annotated[EvalStrategy, Choice(get_args(EvalStrategy))] = "no"
    """When the model is evaluated: after each ``epoch``, every eval_steps ``steps``, or ``no`` evaluation. Default with
    evaluation data: ``steps`` where eval_steps or evals_per_epoch is given, else ``epoch``."""

    eval_steps: Annotated[int | float | None, Steps()] = None
    """Optimizer steps between evaluations, or their share of all steps."""

    evals_per_epoch: Annotated[int | None, Whole(minimum=0)] = None
    """Evaluations in each epoch, in place of eval_steps; 0: as if not given."""

    logging_steps: Annotated[int, Whole(minimum=1)] = 1
    """Optimizer steps from one line of the log to the next. The loss curve has every step."""
