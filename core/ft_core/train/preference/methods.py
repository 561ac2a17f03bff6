"""What TRL has for each method: trainer, settings, and the form of its rows."""

from __future__ import annotations

import copy
import dataclasses
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ft_core.data.preference import Method, Preferences
from ft_core.errors import MissingExtra, ModelError
from ft_core.train.batches import Rows
from ft_core.train.preference.needs import PIP, keeps_a_copy, require_trl

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, TrainingArguments

    from ft_core.config import Config
    from ft_core.data.preference.tokens import TokenRow
    from ft_core.train.preference.trainer import PreferenceRun


@dataclass(frozen=True)
class TrlMethod:
    """A method in TRL's terms.

    Attributes
    ----------
    trainer
        Our trainer of the method.
    arguments
        ``Trainer``'s arguments with the method's own beside them.
    collate
        Makes tensors of rows.
    as_row
        Turns a tokenized row into what `collate` takes.
    """

    trainer: type[PreferenceRun]
    arguments: TrainingArguments
    collate: Callable[..., dict[str, Any]]
    as_row: Callable[[TokenRow], dict[str, Any]]


def trl_method(config: Config, method: Method, arguments: TrainingArguments, pad_token_id: int) -> TrlMethod:
    """Return what trains `method`.

    Raises
    ------
    MissingExtra
        TRL is not installed, or is one that lacks the method.
    """
    require_trl(config)
    # Some methods are in a part of TRL that warns of changes to come.
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    make = {"dpo": _dpo, "ipo": _dpo, "kto": _kto, "orpo": _orpo, "simpo": _simpo, "reward": _reward}[method]
    try:
        return make(config, arguments, pad_token_id)
    except ImportError as error:
        raise MissingExtra(
            f"The installed TRL has not what 'rl: {method}' needs: {str(error).splitlines()[0]}",
            f"Install a TRL that has it: {PIP} --upgrade",
        ) from error


def preference_rows_of(
    config: Config, preferences: Preferences, made: TrlMethod, *, evaluation: bool = False
) -> Rows | None:
    """Return the rows that are trained or evaluated on, in the form that TRL takes; None where there are none."""
    from datasets import Dataset, disable_progress_bars

    disable_progress_bars()
    rows = preferences.eval if evaluation else preferences.train
    if not len(rows):
        return None
    items: Any = Dataset.from_list([made.as_row(row) for row in rows])
    batch_size = (config.eval_batch_size if evaluation else None) or config.micro_batch_size
    return Rows(items, batch_size, made.collate)


def reference_of(
    config: Config, method: Method, model: PreTrainedModel | PeftModel
) -> PreTrainedModel | None:
    """Return a frozen copy of `model` to compare it with; None where none is needed.

    With an adapter the reference is the model without it, and where its part of the loss is computed once before training,
    that is the model itself.
    """
    if not keeps_a_copy(config, method):
        return None
    reference: Any = copy.deepcopy(model)
    reference.requires_grad_(False)
    return reference.eval()


def explain_trl(error: Exception, config: Config) -> Exception:
    """Return what TRL's trainer refused to begin with, as a sentence where it is known."""
    if isinstance(error, ValueError) and "lm_head" in str(error):
        return ModelError(
            f"An adapter on the output head does not train with 'rl: {config.rl}': TRL computes the loss from the "
            "head's own weights.",
            "Leave the head out of lora_target_modules.",
        )
    return error


def _arguments(kind: type[Any], arguments: TrainingArguments, **own: Any) -> Any:
    """Return `arguments` as those of a trainer of TRL."""
    shared = {
        field.name: getattr(arguments, field.name) for field in dataclasses.fields(arguments) if field.init
    }
    return kind(**shared, **{name: value for name, value in own.items() if value is not None})


def _dpo(config: Config, arguments: TrainingArguments, pad_token_id: int) -> TrlMethod:
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DataCollatorForPreference, DPOTrainer

    from ft_core.train.preference.trainer import trainer_class

    losses: Sequence[str] = ("ipo",) if config.rl == "ipo" else config.dpo_loss_type or ("sigmoid",)
    settings = _arguments(
        DPOConfig,
        arguments,
        beta=config.rl_beta,
        loss_type=list(losses),
        loss_weights=list(config.dpo_loss_weights) if config.dpo_loss_weights else None,
        label_smoothing=config.dpo_label_smoothing,
        use_weighting=config.dpo_use_weighting,
        ld_alpha=config.dpo_ld_alpha,
        precompute_ref_log_probs=config.precompute_ref_log_probs,
        max_length=config.sequence_len,
    )
    collate = DataCollatorForPreference(pad_token_id=pad_token_id)
    return TrlMethod(trainer_class(DPOTrainer), settings, collate, dict)


def _kto(config: Config, arguments: TrainingArguments, pad_token_id: int) -> TrlMethod:
    from trl.trainer.kto_config import KTOConfig
    from trl.trainer.kto_trainer import DataCollatorForUnpairedPreference, KTOTrainer

    from ft_core.train.preference.trainer import trainer_class, with_mismatched

    arguments.train_sampling_strategy = "sequential"  # TRL asks for it; the order is ours
    settings = _arguments(
        KTOConfig,
        arguments,
        beta=config.rl_beta,
        desirable_weight=config.kto_desirable_weight,
        undesirable_weight=config.kto_undesirable_weight,
        max_length=config.sequence_len,
    )
    collate = with_mismatched(DataCollatorForUnpairedPreference(pad_token_id=pad_token_id))
    return TrlMethod(trainer_class(KTOTrainer), settings, collate, dict)


def _orpo(config: Config, arguments: TrainingArguments, pad_token_id: int) -> TrlMethod:
    from trl.experimental.orpo import ORPOConfig, ORPOTrainer
    from trl.experimental.utils import DPODataCollatorWithPadding

    from ft_core.train.preference.trainer import trainer_class

    settings = _arguments(ORPOConfig, arguments, beta=config.orpo_alpha, max_length=config.sequence_len)
    collate = DPODataCollatorWithPadding(pad_token_id=pad_token_id)
    return TrlMethod(trainer_class(ORPOTrainer), settings, collate, _labelled)


def _simpo(config: Config, arguments: TrainingArguments, pad_token_id: int) -> TrlMethod:
    from trl.experimental.cpo import CPOConfig, CPOTrainer
    from trl.experimental.utils import DPODataCollatorWithPadding

    from ft_core.train.preference.trainer import trainer_class

    settings = _arguments(
        CPOConfig,
        arguments,
        loss_type="simpo",
        beta=config.rl_beta,
        cpo_alpha=config.cpo_alpha,
        simpo_gamma=config.simpo_gamma,
        max_length=config.sequence_len,
    )
    collate = DPODataCollatorWithPadding(pad_token_id=pad_token_id)
    return TrlMethod(trainer_class(CPOTrainer), settings, collate, _labelled)


def _reward(config: Config, arguments: TrainingArguments, pad_token_id: int) -> TrlMethod:
    from trl.trainer.reward_config import RewardConfig
    from trl.trainer.reward_trainer import DataCollatorForPreference, RewardTrainer

    from ft_core.train.preference.trainer import trainer_class

    settings = _arguments(
        RewardConfig,
        arguments,
        center_rewards_coefficient=config.center_rewards_coefficient,
        max_length=config.sequence_len,
    )
    collate = DataCollatorForPreference(pad_token_id=pad_token_id)
    return TrlMethod(trainer_class(RewardTrainer), settings, collate, dict)


def _labelled(row: TokenRow) -> dict[str, Any]:
    """Return a row as sequences with labels, which ORPO and SimPO take in TRL."""
    prompt = row["prompt_ids"]
    made: dict[str, Any] = {"prompt_input_ids": prompt, "prompt_attention_mask": [1] * len(prompt)}
    for name in ("chosen", "rejected"):
        answer = row[f"{name}_ids"]
        made[f"{name}_input_ids"] = [*prompt, *answer]
        made[f"{name}_attention_mask"] = [1] * (len(prompt) + len(answer))
        made[f"{name}_labels"] = [-100] * len(prompt) + list(answer)
    return made
