"""LoRA on a base model, by way of PEFT."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_core.config.derive import DEFAULT_RANK
from ft_core.errors import ModelError
from ft_core.models.initial_adapter import keep_initial, takes_from_weights
from ft_core.models.outline import read_past
from ft_core.models.targets import (
    ALL_LINEAR,
    Adapted,
    adaptable_names,
    adapted,
    in_layers,
    trained_parameters,
    unknown_names,
    unknown_weights,
    without_layer,
)

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from ft_core.config import Config
    from ft_core.models.outline import Outline


def target_modules(config: Config) -> str | tuple[str, ...]:
    """Return what the adapter goes on: the names in the config, a regular expression, or ``all-linear``.

    Names beside ``lora_target_linear: true`` add nothing but what is no linear layer, and so have no adapter in PEFT.
    """
    if config.lora_target_linear:
        return "all-linear"
    if not config.lora_target_modules:
        # Parameters that are named alone are the only ones.
        return () if config.lora_target_parameters else "all-linear"
    return config.lora_target_modules


def adapted_by(config: Config, outline: Outline) -> Adapted:
    """Return what the config's adapter goes on.

    Raises
    ------
    re.error
        The targets are no regular expression.
    """
    return adapted(
        outline,
        target_modules(config),
        config.lora_modules_to_save or (),
        target_parameters=config.lora_target_parameters or (),
        layers=config.peft_layers_to_transform or (),
        layers_pattern=config.peft_layers_pattern or (),
    )


def count_trained(config: Config, outline: Outline) -> int:
    """Return how many parameters the config's adapter trains, without the rows of tokens."""
    return trained_parameters(
        outline,
        rank=config.lora_r or DEFAULT_RANK,
        target_modules=target_modules(config),
        modules_to_save=config.lora_modules_to_save or (),
        target_parameters=config.lora_target_parameters or (),
        rank_pattern=config.lora_rank_pattern,
        use_dora=config.peft_use_dora,
        layers=config.peft_layers_to_transform or (),
        layers_pattern=config.peft_layers_pattern or (),
    )


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

    from ft_core.models.skeleton import outline_of

    outline = outline_of(model)
    _check_targets(config, outline)
    rows = _token_rows(config, outline, new_tokens)
    targets = target_modules(config)
    if targets == ALL_LINEAR and getattr(model, "quantization_method", None) == "gptq":
        # PEFT knows the word for torch's own linear layers, and GPTQ's are others.
        targets = [*adaptable_names(outline), *(outline.fusion.names if outline.fusion else ())]
    settings: dict[str, Any] = {
        "task_type": TaskType.SEQ_CLS if config.reward_model else TaskType.CAUSAL_LM,
        "r": config.lora_r,
        "lora_alpha": config.lora_alpha,
        "lora_dropout": config.lora_dropout,
        "target_modules": targets if isinstance(targets, str) else list(targets) or None,
        "exclude_modules": list(read_past(model.config.model_type)) or None,
        "target_parameters": list(config.lora_target_parameters or ()) or None,
        "rank_pattern": dict(config.lora_rank_pattern or {}),
        "alpha_pattern": dict(config.lora_alpha_pattern or {}),
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
        settings |= _chosen_layers(config, outline)
    adapted = get_peft_model(model, LoraConfig(**settings))
    if takes_from_weights(config):
        keep_initial(adapted)
    for weight in adapted.parameters():
        if weight.requires_grad:
            # PEFT lifts the adapter's matrices, but not modules_to_save; see ft_core.models.precision for why it matters.
            weight.data = weight.data.float()
    return adapted


def _chosen_layers(config: Config, outline: Outline) -> dict[str, Any]:
    """Return the settings that keep the adapter to the layers of ``peft_layers_to_transform``.

    Raises
    ------
    ModelError
        The model has no such layers, or experts that adapters do not choose by layer.
    """
    layers, pattern = config.peft_layers_to_transform or (), config.peft_layers_pattern or ()
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
    if target_modules(config) == ALL_LINEAR:
        # PEFT refuses to choose layers where the targets are a word.
        settings["target_modules"] = adaptable_names(outline)
    return settings


def _token_rows(config: Config, outline: Outline, new_tokens: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the rows that train beside the adapter, by the name of the module that holds them."""
    from ft_core.models.token_rows import refused_rows, token_rows

    if not new_tokens and not config.peft_trainable_token_indices:
        return {}
    rows = token_rows(config, outline, new_tokens)
    for _, message, fix in refused_rows(config, outline, rows):
        raise ModelError(f"{message[0].upper()}{message[1:]}.", f"{fix[0].upper()}{fix[1:]}.")
    return rows


def _check_targets(config: Config, outline: Outline) -> None:
    """Raise a ModelError for each name in the config that the model does not have; PEFT only minds if none matches."""
    targets = target_modules(config)
    linear = ", ".join(adaptable_names(outline))
    fix = f"Its linear layers are: {linear}. Or write 'lora_target_linear: true' for all of them."
    named: dict[str, list[str]] = {
        "lora_target_modules": [] if isinstance(targets, str) else unknown_names(outline, targets),
        "lora_target_parameters": unknown_weights(outline, config.lora_target_parameters or ()),
        "lora_modules_to_save": unknown_names(outline, config.lora_modules_to_save or ()),
    }
    every = [part for path in outline.modules if not (part := path.rsplit(".", 1)[-1]).isdigit()]
    for key, unknown in named.items():
        if unknown:
            whole = f"Its last module names are: {', '.join(dict.fromkeys(every))}."
            raise ModelError(
                f"{key} names {', '.join(map(repr, unknown))}, which this model does not have.",
                whole if key == "lora_modules_to_save" else fix,
            )
    found = adapted_by(config, outline)
    if not (found.modules or found.parameters or config.peft_layers_to_transform):
        raise ModelError("lora_target_modules matches no layer of this model, so nothing would train.", fix)
    for key in ("lora_rank_pattern", "lora_alpha_pattern"):
        if lost := without_layer(found, getattr(config, key) or ()):
            raise ModelError(
                f"{key} has {', '.join(map(repr, lost))}, which fits no layer that has an adapter.", fix
            )
