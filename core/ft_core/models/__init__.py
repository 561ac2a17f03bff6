"""Base models, tokenizers and adapters; and what is known of them without loading anything.

::

    detect_hardware(), read_outline(base_model)          torch-free, for plans
    load_tokenizer(config)                               the tokenizer, with a padding token
    load_model(config, "cuda:0")                         the base model in the formats its training needs
    apply_adapter(model, config)                         LoRA on it

Importing this package imports neither torch nor transformers.
"""

from ft_core.models.adapter import apply_adapter
from ft_core.models.hardware import Device, Hardware, detect_hardware
from ft_core.models.load import load_model
from ft_core.models.outline import Outline
from ft_core.models.parameters import read_outline
from ft_core.models.tokenizer import load_tokenizer

__all__ = [
    "Device",
    "Hardware",
    "Outline",
    "apply_adapter",
    "detect_hardware",
    "load_model",
    "load_tokenizer",
    "read_outline",
]
