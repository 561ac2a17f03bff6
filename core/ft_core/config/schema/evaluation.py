"""Keys of when and how the model is evaluated while it trains."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Steps, Whole

EvalStrategy = Literal["epoch", "steps", "no"]


class EvaluationKeys(Topic):
    """When the model is evaluated, and on what portions."""

    eval_strategy: Annotated[EvalStrategy, Choice(get_args(EvalStrategy))] = "no"
    """When the model is evaluated: after each ``epoch``, every eval_steps ``steps``, or ``no`` evaluation. Default with
    evaluation data: ``steps`` where eval_steps or evals_per_epoch is given, else ``epoch``."""

    eval_steps: Annotated[int | float | None, Steps()] = None
    """Optimizer steps between evaluations, or their share of all steps."""

    evals_per_epoch: Annotated[int | None, Whole(minimum=0)] = None
    """Evaluations in each epoch, in place of eval_steps; 0: as if not given."""

    eval_batch_size: Annotated[int | None, Whole(minimum=1)] = None
    """Samples that one device evaluates at a time. Default: micro_batch_size."""
