"""What packing comes to, before anything is tokenized or loaded: whether the model can, and how many rows. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ft_core.config import Problem
from ft_core.data.row_packing import pack_lengths
from ft_core.models.attention import IsolatedBy, isolation

if TYPE_CHECKING:
    from ft_core.config import Config

_MOST = 100_000
"""Lengths that are packed to estimate the rows of more."""

_KEYS = ("sample_packing", "eval_sample_packing", "batch_flattening")


@dataclass(frozen=True)
class PackingEstimate:
    """What packing makes of the samples of a plan.

    Attributes
    ----------
    rows
        Packed rows.
    capacity
        Tokens that one holds.
    fill
        The share of them that samples take, 0 to 1.
    """

    rows: int
    capacity: int
    fill: float


def estimate_packing(config: Config, lengths: Sequence[int], samples: int) -> PackingEstimate:
    """Return what packing makes of `samples` samples, whose lengths are about as those of some of them."""
    some = np.resize(np.array(lengths), min(samples, _MOST))
    packing = pack_lengths(config, some, config.micro_batch_size)
    return PackingEstimate(
        round(len(packing.bins) * samples / len(some)), packing.capacity, round(packing.fill, 4)
    )


def lays_end_to_end(config: Config) -> bool:
    """Say whether any row of a run holds more than one sample."""
    return any(getattr(config, key) for key in _KEYS)


def check_packing(config: Config, model_config: Mapping[str, Any], attention: str) -> list[Problem]:
    """Return what is wrong with laying samples end to end for the model, where the config asks for it."""
    reason = isolation(model_config, attention).reason
    if not reason:
        return []
    key = next((key for key in _KEYS if getattr(config, key)), None)
    if key is None:
        return []
    message = f"'{key}' cannot be used with this model: {reason}"
    return [
        config.problem(key, message, f"remove '{key}'; 'group_by_length: true' keeps padding low without it")
    ]


def require_isolation(config: Config, model_config: Mapping[str, Any], attention: str) -> IsolatedBy | None:
    """Return what keeps the documents of a packed row apart in the model, with an attention by its Transformers name.

    Raises
    ------
    ConfigError
        Nothing does, and the config asks for packed rows.
    """
    if problems := check_packing(config, model_config, attention):
        raise config.refused(problems)
    return isolation(model_config, attention).by
