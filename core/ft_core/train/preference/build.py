"""From preference rows to the trainer of their method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_core.data.preference import Method, Preferences
from ft_core.errors import DataError, LaunchError
from ft_core.models.tokenizer import pad_token_id
from ft_core.train.preference.methods import explain_trl, preference_rows_of, reference_of, trl_method

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

    from ft_core.config import Config
    from ft_core.train.trainer import RunTrainer


def rows_of_an_epoch(preferences: Preferences, world_size: int) -> int:
    """Return the rows that an epoch takes: as many as the ranks share evenly.

    Raises
    ------
    DataError
        There are fewer rows than ranks.
    """
    total = len(preferences.train)
    if total < world_size:
        raise DataError(
            f"There are {total} rows for {world_size} ranks, and each needs one.",
            "Give more rows, or use fewer ranks.",
        )
    return total - total % world_size


def preference_trainer(
    config: Config,
    method: Method,
    model: PreTrainedModel | PeftModel,
    arguments: TrainingArguments,
    tokenizer: PreTrainedTokenizerBase,
    preferences: Preferences,
    **shared: Any,
) -> RunTrainer:
    """Return what trains `model` on `preferences`.

    Parameters
    ----------
    config, method
        What is trained.
    model, arguments, tokenizer
        As for `ft_core.train.trainer.RunTrainer`.
    preferences
        The rows.
    shared
        What every trainer gets: the optimizer, the schedule, the callback.

    Raises
    ------
    MissingExtra
        TRL is not installed, or lacks the method.
    ModelError
        TRL does not train such an adapter.
    LaunchError
        The reference's part of the loss is to be computed before training, on several ranks.
    """
    if config.precompute_ref_log_probs and arguments.world_size > 1:
        raise LaunchError(
            "precompute_ref_log_probs works on one rank: TRL keeps what it computes where the other ranks do not see it.",
            "Remove 'precompute_ref_log_probs', or train on one GPU.",
        )
    made = trl_method(config, method, arguments, pad_token_id(tokenizer))
    rows = preference_rows_of(config, preferences, made)
    assert rows is not None
    kind: Any = made.trainer
    try:
        return kind(
            model,
            made.arguments,
            tokenizer,
            reference=reference_of(config, method, model),
            train=rows,
            evaluation=preference_rows_of(config, preferences, made, evaluation=True),
            isolated_by=None,
            **shared,
        )
    except ValueError as error:
        explained = explain_trl(error, config)
        if explained is error:
            raise
        raise explained from error
