"""Which weights learn at which rate: ``lr_groups``, ``embedding_lr``, LoRA+, and the two halves of Muon.

A weight takes the first rate that it fits: that of its group in ``lr_groups``, of LoRA+, of the embeddings, else
``learning_rate``. Every group is decayed by Trainer's own rule: not its biases and norms. Weights of which only some rows
train are not decayed either: decay would move their frozen rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from ft_core.errors import ModelError
from ft_core.models.unfrozen import partly_trained

if TYPE_CHECKING:
    from torch import nn

    from ft_core.config import Config


def parameter_groups(config: Config, model: nn.Module) -> list[dict[str, Any]] | None:
    """Return the groups of trained weights as torch's optimizers take them, or None where Trainer's own are right.

    The first group has the rate that the run reports, ``learning_rate``, even where no weight has it.

    Parameters
    ----------
    config
        The run's config.
    model
        The model as it is trained, with its adapter.

    Raises
    ------
    ModelError
        A group of ``lr_groups`` names no weight that trains.
    """
    own_rates = (
        config.lr_groups or config.loraplus_lr_ratio or config.embedding_lr or config.embedding_lr_scale
    )
    is_muon = config.optimizer == "muon"
    partly = partly_trained(model, config)
    if not own_rates and not is_muon and not partly:
        return None
    from transformers import Trainer

    trained = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    _check_groups(config, list(trained))
    embeddings = _embedding_weights(model)
    # A method that reads nothing of its trainer; asked here so that there is one rule of what is decayed.
    decayed = set(Trainer.get_decay_parameter_names(cast("Trainer", None), model)) - set(partly)
    groups: dict[tuple[float, bool, bool], list[nn.Parameter]] = {(config.learning_rate, True, is_muon): []}
    for name, weight in trained.items():
        in_embedding = id(weight) in embeddings
        rate = _rate(config, name, weight, in_embedding=in_embedding)
        by_muon = is_muon and weight.ndim == 2 and not in_embedding
        groups.setdefault((rate, name in decayed, by_muon), []).append(weight)
    return [
        {
            "params": weights,
            "lr": rate,
            "weight_decay": config.weight_decay if decays else 0.0,
            **({"use_muon": by_muon} if is_muon else {}),
        }
        for (rate, decays, by_muon), weights in groups.items()
    ]


def _rate(config: Config, name: str, weight: nn.Parameter, *, in_embedding: bool) -> float:
    """Return the largest learning rate of a weight."""
    for group in config.lr_groups or ():
        if any(part in name for part in group["modules"]):
            return group["lr"]
    rate = config.learning_rate
    if config.loraplus_lr_ratio:
        if "lora_embedding_" in name:
            return config.loraplus_lr_embedding
        # As in PEFT's create_loraplus_optimizer, biases and DoRA's magnitudes go with B.
        if "lora_B" in name or weight.ndim == 1:
            return rate * config.loraplus_lr_ratio
    if in_embedding and config.embedding_lr:
        return config.embedding_lr
    if in_embedding and config.embedding_lr_scale:
        return rate * config.embedding_lr_scale
    return rate


def _embedding_weights(model: nn.Module) -> set[int]:
    """Return the identities of the weights of the input embedding and the output head, trained copies among them."""
    holder: Any = model
    modules: tuple[nn.Module | None, ...] = (holder.get_input_embeddings(), holder.get_output_embeddings())
    return {id(weight) for module in modules if module is not None for weight in module.parameters()}


def _check_groups(config: Config, names: list[str]) -> None:
    """Raise a ModelError for a group of ``lr_groups`` that no trained weight is in."""
    for group in config.lr_groups or ():
        if not any(part in name for part in group["modules"] for name in names):
            raise ModelError(
                f"lr_groups: no weight that is trained has {' or '.join(repr(part) for part in group['modules'])} in its "
                f"name, as the group '{group['name']}' says.",
                f"The names of trained weights are like these: {', '.join(names[:3])}.",
            )
