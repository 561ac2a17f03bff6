"""Rows of the embeddings that new tokens need, and those that train beside an adapter. Torch-free.

The embeddings grow to the tokenizer's highest id and never shrink: a vocabulary that its makers padded keeps its size, and
new tokens take rows of the padding. An adapter leaves embeddings alone, so the rows of new tokens are trained beside it,
by PEFT's trainable tokens: in the output head as well, which holds rows of its own unless it is tied.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ft_core.models.adapter import adapted_by
from ft_core.models.added_tokens import TokenChanges
from ft_core.models.outline import Module, Outline
from ft_core.models.unfrozen import chosen_weights

if TYPE_CHECKING:
    from ft_core.config import Config

MULTIPLE = 32
"""What ``resize_token_embeddings_to_32x`` rounds up to."""

KEY = "peft_trainable_token_indices"


def new_rows(config: Config, changes: TokenChanges, before: int) -> tuple[int, tuple[int, ...]]:
    """Return how many embeddings there are to be, and the ids of those that the model has not learned.

    Parameters
    ----------
    config
        The run's config.
    changes
        What became of the vocabulary.
    before
        How many embeddings the model has.

    Examples
    --------
    Two new tokens in a model of 100, and one in a vocabulary that is padded to 104:

    >>> from types import SimpleNamespace
    >>> config = SimpleNamespace(resize_token_embeddings_to_32x=False)
    >>> new_rows(config, TokenChanges(added={"<a>": 100, "<b>": 101}, own_rows=100, rows=102), 100)
    (102, (100, 101))
    >>> new_rows(config, TokenChanges(added={"<a>": 100}, own_rows=100, rows=101), 104)
    (104, (100,))
    """
    wanted = changes.rows
    if config.resize_token_embeddings_to_32x:
        wanted = -(-wanted // MULTIPLE) * MULTIPLE
    after = max(before, wanted)
    return after, tuple(sorted({*changes.ids, *range(before, after)}))


def rows_of(module: Module) -> int:
    """Return how many tokens an embedding or an output head has rows for."""
    return module.per_rank - module.outputs if module.kind == "embedding" else module.outputs


def width_of(module: Module) -> int:
    """Return how many numbers a row has."""
    return module.per_rank - rows_of(module)


def grown(outline: Outline, rows: int) -> Outline:
    """Return the outline of a model whose embeddings, and output head, were resized to `rows`."""
    modules, weights = dict(outline.modules), dict(outline.weights)
    added = 0
    for name in _holders(outline):
        more = rows - rows_of(modules[name])
        width = width_of(modules[name])
        # A bias has one number a row.
        numbers = more * (width + (1 if has_bias(modules[name]) else 0))
        twins = outline.tied if name == outline.embedding else ()
        for path in {name, *twins}:
            module = modules[path]
            modules[path] = dataclasses.replace(
                module,
                parameters=module.parameters + numbers,
                per_rank=module.per_rank + more,
                outputs=module.outputs + (0 if module.kind == "embedding" else more),
            )
        for path in _around(outline, {name, *twins}):
            module = modules[path]
            modules[path] = dataclasses.replace(module, parameters=module.parameters + numbers)
        for leaf in ("weight", "bias"):
            if (shape := weights.get(f"{name}.{leaf}")) is not None:
                weights[f"{name}.{leaf}"] = (rows, *shape[1:])
        added += numbers
    return dataclasses.replace(outline, total=outline.total + added, modules=modules, weights=weights)


def token_rows(config: Config, outline: Outline, new: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the ids whose rows train beside an adapter, by the name of the module that holds them.

    Modules that ``lora_modules_to_save`` names train whole, and so are left out. A head that is tied to the embeddings is
    part of them.

    Parameters
    ----------
    config
        The run's config.
    outline
        The model, with the rows that its tokenizer needs.
    new
        Ids that the model has not learned.
    """
    asked = config.peft_trainable_token_indices or ()
    by_name: Mapping[str, tuple[int, ...]]
    by_name = asked if isinstance(asked, Mapping) else {"": tuple(asked)}
    rows: dict[str, set[int]] = {name: set(new) for name in _holders(outline)}
    for name, ids in by_name.items():
        for path in _called(outline, name or outline.embedding):
            holder = outline.embedding if path in outline.tied else path
            rows.setdefault(holder, set()).update(ids)
    whole = tuple(config.lora_modules_to_save or ())
    return {
        path: tuple(sorted(ids))
        for path, ids in rows.items()
        if ids and not any(twin.endswith(whole) for twin in _twins(outline, path))
    }


def refused_rows(
    config: Config, outline: Outline, rows: Mapping[str, tuple[int, ...]]
) -> list[tuple[str, str, str]]:
    """Return the key, a message and a fix for each of `rows` that cannot be trained.

    Parameters
    ----------
    config
        The run's config.
    outline
        The model, with the rows that its tokenizer needs.
    rows
        What `token_rows` returned.
    """
    found: list[tuple[str, str, str]] = []
    asked = config.peft_trainable_token_indices
    if isinstance(asked, Mapping):
        names = ", ".join(path.rsplit(".", 1)[-1] for path in _holders(outline))
        found += [
            (
                f"{KEY}.{name}",
                f"'{KEY}' names '{name}', which this model does not have",
                f"its embeddings are: {names}",
            )
            for name in asked
            if name and not _called(outline, name)
        ]
    whole = tuple(config.lora_modules_to_save or ())
    matrices = adapted_by(config, outline).modules
    for path, ids in rows.items():
        module, last = outline.modules[path], path.rsplit(".", 1)[-1]
        saved = sorted({*whole, *(name.rsplit(".", 1)[-1] for name in _twins(outline, path))})
        train_whole = f"write 'lora_modules_to_save: [{', '.join(saved)}]' to train '{last}' whole"
        if module.kind == "other" or ids[-1] >= rows_of(module):
            message = f"'{KEY}' names the id {ids[-1]}, and '{last}' has {rows_of(module):,} rows"
            found.append((KEY, message, "name ids of the tokenizer's tokens"))
        elif any(twin in matrices for twin in _twins(outline, path)):
            message = f"'{last}' cannot have both an adapter and rows of new tokens that are trained"
            found.append(("lora_target_modules", message, train_whole))
        elif any(has_bias(outline.modules[twin]) for twin in _twins(outline, path)):
            message = f"rows of '{last}' cannot be trained alone, because this output head has a bias"
            found.append(("adapter", message, train_whole))
    return found


def frozen_rows(
    patterns: Sequence[str], outline: Outline, new: tuple[int, ...]
) -> dict[str, tuple[int, ...]]:
    """Return those of the ids `new` whose rows ``unfrozen_parameters`` leaves frozen, by the name of the weight."""
    chosen = chosen_weights(patterns, outline.weights, outline.twins)
    found: dict[str, tuple[int, ...]] = {}
    for path in _holders(outline):
        name = f"{path}.weight"
        ranges = chosen.get(name, ())
        if ranges is not None and name in outline.weights:
            frozen = tuple(index for index in new if not any(start <= index < end for start, end in ranges))
            if frozen:
                found[name] = frozen
    return found


def has_bias(module: Module) -> bool:
    """Say whether a linear layer has numbers beside its weight."""
    return module.kind == "linear" and module.parameters > width_of(module) * rows_of(module)


def _holders(outline: Outline) -> tuple[str, ...]:
    """Return the names of the modules that hold a row for each token, two that share one weight once."""
    names = (outline.embedding, "" if outline.output_head in outline.tied else outline.output_head)
    return tuple(name for name in names if name in outline.modules)


def _twins(outline: Outline, path: str) -> tuple[str, ...]:
    """Return `path` and the modules that share its weight."""
    return (
        tuple(name for name in outline.tied if name in outline.modules) if path in outline.tied else (path,)
    )


def _called(outline: Outline, name: str) -> list[str]:
    """Return the modules whose names end in `name`, by whole dotted parts."""
    return [path for path in outline.modules if path == name or path.endswith(f".{name}")]


def _around(outline: Outline, paths: set[str]) -> set[str]:
    """Return the modules that hold one of `paths`."""
    return {
        outer
        for path in paths
        for length in range(1, path.count(".") + 1)
        if (outer := ".".join(path.split(".")[:length])) in outline.modules
    }


def trained_rows(outline: Outline, rows: Mapping[str, tuple[int, ...]]) -> int:
    """Return how many parameters the rows that `token_rows` returned have."""
    return sum(len(ids) * width_of(outline.modules[path]) for path, ids in rows.items())
