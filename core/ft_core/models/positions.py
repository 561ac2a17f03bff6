"""How far a model can read: the limits that its ``config.json`` tells of. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ft_core.models.parameters import text_config

FIXED = ("biogpt", "codegen", "ctrl", "gpt2", "gpt_bigcode", "gpt_neo", "gptj", "mpt", "openai-gpt", "opt")
"""Families that hold a table with one entry for each position, learned or computed, and fail beyond its end."""

_UNSCALED = (None, "default")


def ends_at_positions(model_config: Mapping[str, Any]) -> bool:
    """Say whether a row longer than the model's positions ends the run, and is not merely read badly."""
    return text_config(model_config).get("model_type") in FIXED


def is_stretched(model_config: Mapping[str, Any]) -> bool:
    """Say whether the model's rotary embedding is scaled, so that it reads further than it was first trained to.

    >>> is_stretched({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}})
    True
    >>> is_stretched({"rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}})
    False
    """
    text = text_config(model_config)
    return any(_is_scaled(text.get(key)) for key in ("rope_scaling", "rope_parameters"))


def has_no_positions(model_config: Mapping[str, Any]) -> bool:
    """Say whether the model counts distances in place of positions (ALiBi), which have no end."""
    text = text_config(model_config)
    return text.get("model_type") == "bloom" or (
        text.get("model_type") == "falcon" and bool(text.get("alibi"))
    )


def _is_scaled(rope: object) -> bool:
    """Look for a kind of scaling, in a map of one for each kind of layer too."""
    if not isinstance(rope, Mapping):
        return False
    settings = cast("Mapping[str, object]", rope)
    kind = settings.get("rope_type", settings.get("type"))
    return kind not in _UNSCALED or any(_is_scaled(inner) for inner in settings.values())
