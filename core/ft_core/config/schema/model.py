"""Keys that say which model is tuned and how it is loaded."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag, PathText, Text

Attention = Literal["auto", "sdpa", "eager", "flash_attention_2"]

PLANNED_ATTENTION = (
    "flash_attention_3",
    "flash_attention_4",
    "flash_attention_torch",
    "flex_attention",
    "varlen",
    "xformers",
    "sage",
    "fp8",
)


class ModelKeys(Topic):
    """The model that is tuned."""

    base_model: Annotated[str, PathText()]
    """The model to tune: a folder with a Transformers checkpoint, or a name on the Hugging Face hub."""

    revision_of_model: Annotated[str | None, Text()] = None
    """Branch, tag or commit of the model on the hub; also written ``model_revision``. Default: the newest."""

    model_type: Annotated[str, Text()] = "AutoModelForCausalLM"
    """The model's class. The class that the checkpoint names is used whatever stands here: a ``...ForCausalLM`` name is
    accepted for the sake of existing configs."""

    trust_remote_code: Annotated[bool, Flag()] = False
    """Whether Python code that comes with the model, tokenizer or dataset may run on this machine."""

    attn_implementation: Annotated[Attention, Choice(get_args(Attention), PLANNED_ATTENTION)] = "auto"
    """How attention is computed: ``sdpa`` (PyTorch's own kernels), ``eager`` (plain matrix products, slow),
    ``flash_attention_2`` (needs the package flash-attn and a GPU), or ``auto``: what Transformers picks for the model,
    mostly ``sdpa``."""
