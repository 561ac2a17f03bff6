"""Keys that say which model is tuned and how it is loaded."""

from __future__ import annotations

from typing import Annotated

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Flag, PathText, Text


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
