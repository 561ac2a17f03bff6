"""LoRA on a base model, by way of PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError
from ft_core.models.targets import in_layers

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from ft_core.config import Config


def target_modules(config: Config) -> str | tuple[str, ...]:
    """Return what the adapter goes on: the names in the config, or ``all-linear``.

    Names beside ``lora_target_linear: true`` add nothing but what is no linear layer, and so have no adapter in PEFT.
    """
    if config.lora_target_linear or not config.lora_target_modules:
        return "all-linear"
    return config.lora_target_modules


def apply_adapter(model: PreTrainedModel, config: Config, new_tokens: tuple[int, ...] = ()) -> PeftModel:
    """Wrap `model` with the config's LoRA adapter, its weights in fp32, the base frozen.

    Parameters
    ----------
    model
        The base model, with an embedding for every token.
    config
        The run's config.
    new_tokens
        Ids that the model has not learned, whose rows train beside the adapter and are saved with it.

    Raises
    ------
    ModelError
        The target modules match nothing, or rows cannot be trained; the message says what would do.
    """
    from peft import LoraConfig, TaskType, get_peft_model

    _check_targets(model, config)
    rows = _token_rows(model, config, new_tokens)
    targets = target_modules(config)
    settings: dict[str, Any] = {
        "task_type": TaskType.SEQ_CLS if config.reward_model else TaskType.CAUSAL_LM,
        "r": config.lora_r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "target_modules": targets if isinstance(targets, str) else list(targets),
        "modules_to_save": list(config.lora_modules_to_save) if config.lora_modules_to_save else None,
        "use_dora": config.peft_use_dora,
        "use_rslora": config.peft_use_rslora,
        "init_lora_weights": True if config.peft_init_lora_weights is None else config.peft_init_lora_weights,
        "trainable_token_indices": {path: list(ids) for path, ids in rows.items()} or None,
    }
    if getattr(model.config, "tie_word_embeddings", False) and config.lora_modules_to_save:
        # A copy of the embedding that is trained stays the output head too: https://github.com/huggingface/peft/issues/2777
        settings["ensure_weight_tying"] = True
    if config.peft_layers_to_transform:
        settings |= _chosen_layers(model, config)
    adapted = get_peft_model(model, LoraConfig(**settings))
    for weight in adapted.parameters():
        if weight.requires_grad:
            # PEFT lifts the adapter's matrices, but not modules_to_save; see ft_core.models.precision for why it matters.
            weight.data = weight.data.float()
    return adapted


def _chosen_layers(model: PreTrainedModel, config: Config) -> dict[str, Any]:
    """Return the settings that keep the adapter to the layers of ``peft_layers_to_transform``.

    Raises
    ------
    ModelError
        The model has no such layers, or experts that adapters do not choose by layer.
    """
    from ft_core.models.skeleton import outline_of

    layers, pattern = config.peft_layers_to_transform or (), config.peft_layers_pattern or ()
    outline = outline_of(model)
    if outline.fusion is not None:
        raise ModelError(
            "peft_layers_to_transform cannot choose among the fused experts of this model.",
            "Remove it: every layer that lora_target_modules names gets an adapter.",
        )
    linear = outline.linear_layers()
    absent = [layer for layer in layers if not any(in_layers(path, [layer], pattern) for path in linear)]
    if absent:
        raise ModelError(
            f"peft_layers_to_transform names {', '.join(map(str, absent))}, which are no numbers of layers in this model.",
            f"Its linear layers are called like '{next(iter(linear))}'; layers count from 0.",
        )
    settings: dict[str, Any] = {"layers_to_transform": list(layers), "layers_pattern": list(pattern) or None}
    if isinstance(target_modules(config), str):
        # PEFT refuses to choose layers where the targets are a word.
        settings["target_modules"] = list(dict.fromkeys(path.rsplit(".", 1)[-1] for path in linear))
    return settings


def module_names(model: PreTrainedModel) -> list[str]:
    """Return the last part of every linear layer's name, each once, in the model's order."""
    import torch
    from transformers.pytorch_utils import Conv1D

    names = (name for name, module in model.named_modules() if isinstance(module, (torch.nn.Linear, Conv1D)))
    return list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in names))


def _token_rows(
    model: PreTrainedModel, config: Config, new_tokens: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """Return the rows that train beside the adapter, by the name of the module that holds them."""
    from ft_core.models.skeleton import outline_of
    from ft_core.models.token_rows import refused_rows, token_rows

    if not new_tokens and not config.peft_trainable_token_indices:
        return {}
    outline = outline_of(model)
    rows = token_rows(config, outline, new_tokens)
    for _, message, fix in refused_rows(config, outline, rows):
        raise ModelError(f"{message[0].upper()}{message[1:]}.", f"{fix[0].upper()}{fix[1:]}.")
    return rows


def _check_targets(model: PreTrainedModel, config: Config) -> None:
    """Raise a ModelError for each name in the config that no module has; PEFT only minds if none matches."""
    every = [name for name, _ in model.named_modules()]
    targets = target_modules(config)
    unknown = (
        [] if isinstance(targets, str) else [target for target in targets if not _matches(target, every)]
    )
    if unknown:
        raise ModelError(
            f"lora_target_modules names {', '.join(repr(name) for name in unknown)}, which this model does not have.",
            f"Its linear layers are: {', '.join(module_names(model))}. Or write 'lora_target_linear: true' for all of them.",
        )
    lost = [name for name in config.lora_modules_to_save or () if not _matches(name, every)]
    if lost:
        raise ModelError(
            f"lora_modules_to_save names {', '.join(repr(name) for name in lost)}, which this model does not have.",
            f"Its last module names are: {', '.join(dict.fromkeys(n.rsplit('.', 1)[-1] for n in every if n))}.",
        )


def _matches(target: str, names: list[str]) -> bool:
    """Say whether a module is called `target`, by whole dotted parts at its end."""
    return any(name == target or name.endswith("." + target) for name in names)
