"""A full fine-tune of some weights: what ``unfrozen_parameters`` names trains, the rest of the model stays as it is.

Of a weight of which only some rows train, the gradients of the other rows are set to 0, and nothing of it is decayed: weight
decay would move the frozen rows too. Choosing is torch-free, so that a plan counts what the run will train.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ft_core.config.parameter_patterns import parse_pattern
from ft_core.errors import ModelError

if TYPE_CHECKING:
    import torch

    from ft_core.config import Config
    from ft_core.models.outline import Outline

Rows = tuple[tuple[int, int], ...]
"""Ranges of rows, in order and apart: the first, and the one after the last."""


def chosen_weights(
    patterns: Sequence[str], weights: Mapping[str, tuple[int, ...]], twins: Mapping[str, str]
) -> dict[str, Rows | None]:
    """Return the weights that train, with their rows; None for all of them.

    Parameters
    ----------
    patterns
        As the config has them.
    weights
        Shapes by name, a weight that has two names once.
    twins
        Further names of weights, and the name that each goes by in `weights`.

    Examples
    --------
    >>> weights = {"embed.weight": (100, 8), "norm.weight": (8,)}
    >>> chosen_weights(["lm_head[:10]", "embed[8:12]"], weights, {"lm_head.weight": "embed.weight"})
    {'embed.weight': ((0, 12),)}
    """
    names = {**{name: name for name in weights}, **twins}
    ranges: dict[str, list[tuple[int, int]]] = {}
    for pattern in map(parse_pattern, patterns):
        for name, weight in names.items():
            if pattern.matches(name):
                length = weights[weight][0] if weights[weight] else 1
                start, end = pattern.rows or (0, None)
                ranges.setdefault(weight, []).append((start, length if end is None else end))
    merged = {name: _merged(ranges[name]) for name in weights if name in ranges}
    return {
        name: None if rows == ((0, (weights[name] or (1,))[0]),) else rows for name, rows in merged.items()
    }


def refused_patterns(
    patterns: Sequence[str], weights: Mapping[str, tuple[int, ...]], twins: Mapping[str, str]
) -> list[tuple[int, str, str]]:
    """Return the place, a message and a fix for each of `patterns` that this model has no weights or no rows for.

    Parameters
    ----------
    patterns, weights, twins
        As for `chosen_weights`.
    """
    found: list[tuple[int, str, str]] = []
    names = {**{name: name for name in weights}, **twins}
    for place, pattern in enumerate(map(parse_pattern, patterns)):
        matched = [name for name in names if pattern.matches(name)]
        if not matched:
            near = difflib.get_close_matches(pattern.text.strip("^$"), names, n=2, cutoff=0.5)
            some = near or [name for name in names if name.endswith("weight")][:2]
            message = f"'unfrozen_parameters' has '{pattern.text}', and no weight of this model has a name that begins so"
            found.append((place, message, f"its weights have names like {' or '.join(map(repr, some))}"))
        elif pattern.rows is not None:
            start, end = pattern.rows
            for name in matched:
                length = (weights[names[name]] or (0,))[0]
                if max(start + 1, end or 0) > length:
                    message = f"'unfrozen_parameters' has '{pattern.text}', and '{name}' has {length:,} rows"
                    found.append((place, message, f"name rows from 0 to {length}"))
                    break
    return found


def trained_numbers(outline: Outline, patterns: Sequence[str]) -> tuple[int, int]:
    """Return how many parameters train, and how many there are in the weights that they are part of.

    Parameters
    ----------
    outline
        The model.
    patterns
        As the config has them.
    """
    trained = whole = 0
    for name, rows in chosen_weights(patterns, outline.weights, outline.twins).items():
        shape = outline.weights[name]
        numbers = math.prod(shape)
        whole += numbers
        trained += numbers if rows is None else sum(end - start for start, end in rows) * numbers // shape[0]
    return trained, whole


def freeze_others(model: Any, config: Config) -> None:
    """Freeze all weights of `model` but those of ``unfrozen_parameters``, which become fp32.

    Parameters
    ----------
    model
        The model, with an embedding for every token.
    config
        The run's config.

    Raises
    ------
    ModelError
        A pattern matches nothing.
    """
    patterns = config.unfrozen_parameters or ()
    weights, twins = named_weights(model)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    for _, message, fix in refused_patterns(patterns, shapes, twins):
        raise ModelError(f"{message}.", f"{fix[0].upper()}{fix[1:]}.")
    chosen = chosen_weights(patterns, shapes, twins)
    for name, weight in weights.items():
        weight.requires_grad_(name in chosen)
        if name in chosen:
            weight.data = weight.data.float()
            if (rows := chosen[name]) is not None:
                weight.register_hook(_only(rows))


def partly_trained(model: Any, config: Config) -> dict[str, Rows]:
    """Return the rows that train of each weight of which not all do, by name."""
    if not config.unfrozen_parameters:
        return {}
    weights, twins = named_weights(model)
    shapes = {name: tuple(weight.shape) for name, weight in weights.items()}
    chosen = chosen_weights(config.unfrozen_parameters, shapes, twins)
    return {name: rows for name, rows in chosen.items() if rows is not None}


def frozen_numbers(model: Any, config: Config) -> int:
    """Return how many numbers do not train of the weights that do."""
    weights, _ = named_weights(model)
    return sum(
        (weights[name].shape[0] - sum(end - start for start, end in rows)) * weights[name][0].numel()
        for name, rows in partly_trained(model, config).items()
    )


def named_weights(model: Any) -> tuple[dict[str, torch.nn.Parameter], dict[str, str]]:
    """Return the weights of `model` by their first names, and the further names of those that have several."""
    first: dict[int, str] = {}
    weights: dict[str, torch.nn.Parameter] = {}
    twins: dict[str, str] = {}
    for name, weight in model.named_parameters(remove_duplicate=False):
        if first.setdefault(id(weight), name) == name:
            weights[name] = weight
        else:
            twins[name] = first[id(weight)]
    return weights, twins


def _only(rows: Rows) -> Any:
    """Return a hook that keeps the gradient of `rows` and makes the rest of it 0."""

    def keep(gradient: torch.Tensor) -> torch.Tensor:
        kept = gradient.new_zeros(gradient.shape)
        for start, end in rows:
            kept[start:end] = gradient[start:end]
        return kept

    return keep


def _merged(ranges: list[tuple[int, int]]) -> Rows:
    """Return the same rows in ranges that lie apart."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)
