"""Keys of when and how the model is evaluated while it trains."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, Number, Steps, TextList, Whole

EvalStrategy = Literal["epoch", "steps", "no"]


class EvaluationKeys(Topic):
    """When the model is evaluated, on what portions and by what."""

    eval_strategy: Annotated[EvalStrategy, Choice(get_args(EvalStrategy))] = "no"
    """When the model is evaluated: after each ``epoch``, every eval_steps ``steps``, or ``no`` evaluation. Default with
    evaluation data: ``steps`` where eval_steps or evals_per_epoch is given, else ``epoch``.
    Example: ``eval_strategy: steps``."""

    eval_steps: Annotated[int | float | None, Steps()] = None
    """Optimizer steps between evaluations, or their share of all steps. Example: ``eval_steps: 50``."""

    evals_per_epoch: Annotated[int | None, Whole(minimum=0)] = None
    """Evaluations in each epoch, in place of eval_steps; 0: as if not given. Example: ``evals_per_epoch: 4``."""

    eval_on_start: Annotated[bool, Flag()] = False
    """Whether the model is evaluated before the first step too, to see where it starts.
    Example: ``eval_on_start: true``."""

    eval_batch_size: Annotated[int | None, Whole(minimum=1)] = None
    """Samples that one device evaluates at a time. Default: micro_batch_size. Example: ``eval_batch_size: 4``."""

    early_stopping_patience: Annotated[int | None, Whole(minimum=1)] = None
    """Evaluations in a row without a better metric_for_best_model after which training ends. Needs save_steps to be a
    multiple of eval_steps. Default: training goes on. Example: ``early_stopping_patience: 3``."""

    metric_for_best_model: Annotated[
        Literal["loss", "eval_loss"] | None,
        Choice(("loss", "eval_loss"), planned_pattern=".+", advice="use 'loss'"),
    ] = None
    """Result of the evaluation by which checkpoints are compared; there is one. Default: loss.
    Example: ``metric_for_best_model: eval_loss``."""

    greater_is_better: Annotated[bool | None, Flag()] = None
    """Whether a greater metric_for_best_model is better. Default: false, as fits a loss.
    Example: ``greater_is_better: false``."""

    do_causal_lm_eval: Annotated[bool, Flag()] = False
    """Whether the evaluation also tells the scores of eval_causal_lm_metrics.
    Example: ``do_causal_lm_eval: true``."""

    eval_causal_lm_metrics: Annotated[tuple[str, ...] | None, TextList()] = None
    """Scores of do_causal_lm_eval: ``perplexity``, which is e to the power of the loss. Default with it: perplexity.
    Example: ``eval_causal_lm_metrics: [perplexity]``."""

    generate_samples: Annotated[bool, Flag()] = False
    """Whether the model goes on with some evaluation samples at each evaluation, to read how it does: the dashboard shows
    each prompt, what the model writes, and what the data says.
    Example: ``generate_samples: true``."""

    num_generation_samples: Annotated[int, Whole(minimum=1)] = 3
    """How many samples generate_samples takes, the first ones of the evaluation data. Example: ``num_generation_samples: 5``."""

    generation_max_new_tokens: Annotated[int, Whole(minimum=1)] = 50
    """Longest answer of generate_samples, in tokens. Example: ``generation_max_new_tokens: 100``."""

    generation_temperature: Annotated[float, Number(minimum=0)] = 0.7
    """How freely generate_samples draws each token; 0: always the likeliest. Example: ``generation_temperature: 0.2``."""

    generation_top_p: Annotated[float | None, Number(above=0, maximum=1)] = None
    """Draw only from the likeliest tokens that have this probability together. Default: from all.
    Example: ``generation_top_p: 0.9``."""

    generation_top_k: Annotated[int | None, Whole(minimum=1)] = None
    """Draw only from this many of the likeliest tokens. Default: from all. Example: ``generation_top_k: 50``."""

    generation_prompt_ratio: Annotated[float | None, Number(minimum=0, maximum=1)] = None
    """Share of a sample that generate_samples shows to the model, which writes the rest. Default: all before the first token
    that would be trained, or half of the sample where that is its beginning.
    Example: ``generation_prompt_ratio: 0.3``."""

    generation_do_sample: Annotated[bool, Flag()] = True
    """Whether generate_samples draws tokens at random, by the seed and alike at each evaluation, in place of always taking
    the likeliest.
    Example: ``generation_do_sample: false``."""
