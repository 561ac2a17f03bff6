"""Compiling a model layer by layer.

All layers of a model run the same code, so what is compiled for the first serves the others: compiling takes as long for
thirty layers as for one. Compiled as a whole, every layer would be compiled once more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError
from ft_core.models.checkpointing import choosing_layers

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from ft_core.config import Config


def compile_layers(model: PreTrainedModel | PeftModel, config: Config) -> int:
    """Have each layer of `model` compiled when it first runs, where the config says so; return how many.

    Parameters
    ----------
    model
        The model, with its adapter.
    config
        The run's config.

    Raises
    ------
    ModelError
        The model's code does not say what its layers are.
    """
    if not config.torch_compile:
        return 0
    layers = choosing_layers(model)
    if not layers:
        raise ModelError(
            f"'torch_compile' compiles a model layer by layer, and {type(model).__name__} does not tell its layers apart.",
            "Remove 'torch_compile'.",
        )
    options: dict[str, Any] = {}
    if config.torch_compile_backend:
        options["backend"] = config.torch_compile_backend
    if config.torch_compile_mode:
        options["mode"] = config.torch_compile_mode
    for layer in layers:
        layer.compile(**options)
    return len(layers)
