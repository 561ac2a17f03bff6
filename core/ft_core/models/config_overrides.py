"""Entries of a model's ``config.json`` that a config writes over: ``overrides_of_model_config`` and ``overrides_of_model_kwargs``.

What is written over goes into the file's own entries before the model's class reads them, so that what it makes of them
(the size of a head, the kind of each layer) follows. Maps are written over entry by entry. Only `model_settings` imports
transformers.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ft_core.errors import ModelError

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from ft_core.config import Config

LOADING = ("ignore_mismatched_sizes", "low_cpu_mem_usage", "use_safetensors", "variant", "weights_only")
"""Arguments of ``from_pretrained`` that say how weights are read; others are entries of ``config.json``."""

_ROPE = ("rope_scaling", "rope_parameters")
_NOT_SCALING = ("rope_theta", "partial_rotary_factor")


def overrides_of(config: Config) -> dict[str, Any]:
    """Return the entries that `config` writes over."""
    arguments = config.overrides_of_model_kwargs or {}
    entries = {key: value for key, value in arguments.items() if key not in LOADING}
    return {**entries, **(config.overrides_of_model_config or {})}


def loading_arguments(config: Config) -> dict[str, Any]:
    """Return what ``from_pretrained`` is told besides."""
    arguments = config.overrides_of_model_kwargs or {}
    return {key: value for key, value in arguments.items() if key in LOADING}


def overridden(stored: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return a ``config.json`` with `overrides` written over it; empty where it is not known.

    ``rope_scaling`` replaces how positions are scaled, and leaves the base of the rotation as it is.

    Examples
    --------
    >>> overridden({"rope_parameters": {"rope_theta": 500.0, "rope_type": "default"}}, {"rope_scaling": {"type": "linear", "factor": 2}})
    {'rope_parameters': {'rope_theta': 500.0, 'rope_type': 'linear', 'factor': 2}}

    Raises
    ------
    ModelError
        The model scales positions for each kind of attention, and one way is given for all.
    """
    if not stored or not overrides:
        return dict(stored)
    merged = copy.deepcopy(dict(stored))
    for key, value in copy.deepcopy(dict(overrides)).items():
        if key == "rope_scaling" and isinstance(value, Mapping):
            _scale(merged, cast("Mapping[str, Any]", value))
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def model_settings(
    name: str, overrides: Mapping[str, Any], *, revision: str | None = None, trust_remote_code: bool = False
) -> PreTrainedConfig | None:
    """Return the settings of a model as its class reads them with `overrides`; None where there are none.

    Parameters
    ----------
    name, revision, trust_remote_code
        The model.
    overrides
        What `overrides_of` returned.

    Raises
    ------
    ModelError
        The model has no such entry.
    """
    if not overrides:
        return None
    from transformers import AutoConfig

    options: dict[str, Any] = {"revision": revision or "main", "trust_remote_code": trust_remote_code}
    loaded: Any = AutoConfig.from_pretrained(name, **options)
    stored: dict[str, Any] = loaded.get_config_dict(name, revision=options["revision"])[0]
    known = {*stored, *loaded.to_dict(), *_ROPE}
    for key in overrides:
        if key not in known and not hasattr(loaded, key):
            near = difflib.get_close_matches(key, known, n=1)
            guess = f": did you mean '{near[0]}'?" if near else "."
            raise ModelError(
                f"The config.json of '{name}' knows no '{key}', which is to be written over{guess}",
                "Remove it from overrides_of_model_config or overrides_of_model_kwargs.",
            )
    settings: Any = type(loaded).from_dict(overridden(stored, overrides))
    settings.name_or_path = loaded.name_or_path
    return settings


def _scale(merged: dict[str, Any], scaling: Mapping[str, Any]) -> None:
    """Put another way of scaling positions into a ``config.json``, in the old form or the new one."""
    way = {"rope_type" if key == "type" else key: value for key, value in scaling.items()}
    before: Any = merged.get("rope_parameters")
    if isinstance(before, Mapping):
        old = cast("Mapping[str, Any]", before)
        if any(isinstance(value, Mapping) for value in old.values()):
            raise ModelError(
                "'rope_scaling' is one way of scaling positions, and this model has one for each kind of attention.",
                f"Write 'rope_parameters' with {' or '.join(old)} in overrides_of_model_config.",
            )
        merged["rope_parameters"] = {key: old[key] for key in _NOT_SCALING if key in old} | way
    else:
        merged["rope_scaling"] = way


def _merged(before: Any, value: Any) -> Any:
    if not (isinstance(before, Mapping) and isinstance(value, Mapping)):
        return value
    old, new = cast("Mapping[str, Any]", before), cast("Mapping[str, Any]", value)
    return {**old, **{key: _merged(old.get(key), entry) for key, entry in new.items()}}
