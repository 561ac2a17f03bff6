"""Telling a model's layers to compute their activations again in the backward pass (Chen et al. 2016, https://arxiv.org/abs/1604.06174)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from ft_core.config import Config


def recompute_layers(model: PreTrainedModel | PeftModel, config: Config, layers: int) -> int:
    """Have the first `layers` of a model computed again, and return how many are.

    Parameters
    ----------
    model
        The model, with its adapter.
    config
        The run's config.
    layers
        How many of its layers. A model that cannot choose among them computes all again, if any.

    Raises
    ------
    ModelError
        The config asks for it, and the model's code cannot.
    """
    if not layers:
        return 0
    base: Any = model.get_base_model() if config.adapter else model  # type: ignore[operator]
    if not base.supports_gradient_checkpointing:
        if config.gradient_checkpointing == "auto":
            return 0
        raise ModelError(
            f"{type(base).__name__} cannot compute its activations again in the backward pass.",
            "Remove 'gradient_checkpointing', and lower micro_batch_size or sequence_len where memory is short.",
        )
    if config.adapter:
        # Recomputing from frozen embeddings would otherwise find nothing that needs a gradient.
        base.enable_input_require_grads()
    arguments = {"use_reentrant": False, **config.gradient_checkpointing_kwargs}
    if config.gradient_checkpointing == "offload" and base.device.type != "cpu":
        _offload(base, arguments)
    elif hasattr(base, "activation_checkpointing_enable"):
        base.activation_checkpointing_enable(arguments)
    else:
        base.gradient_checkpointing_enable(arguments)
    chosen = choosing_layers(base)
    for layer in chosen[layers:]:
        layer.gradient_checkpointing = False
    return min(layers, len(chosen)) if chosen else layers


def _offload(base: Any, arguments: dict[str, Any]) -> None:
    """Keep what is computed again from in the host's memory."""
    if not hasattr(base, "activation_checkpointing_enable"):
        raise ModelError(
            "'gradient_checkpointing: offload' came with Transformers 5.20, and an older one is installed.",
            "Write 'gradient_checkpointing: true', or run: pip install -U transformers",
        )
    base.activation_checkpointing_enable(arguments, offload=True)


def choosing_layers(model: Any) -> list[Any]:
    """Return the layers that choose for themselves, in the model's order; none where the model chooses for all."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    return [module for module in model.modules() if isinstance(module, GradientCheckpointingLayer)]
