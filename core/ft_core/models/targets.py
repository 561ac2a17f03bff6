"""Which modules an adapter goes on, and how many parameters it trains: PEFT's rules on an `Outline`. Torch-free.

The rules, read off PEFT 0.21 (``tuners/tuners_utils.py``, ``utils/other.py``), are held to it by a test over many families:

* ``all-linear`` is every linear layer but the output head;
* a regular expression matches a module's whole dotted name; a name matches whole dotted parts at the end of one;
* a parameter that is no layer is named by the dotted parts at the end of its name;
* the rank of a layer is that of the first pattern that matches the end of its name, by whole dotted parts;
* experts that the library holds fused are adapted as parameters where targets name them as they were before (`Fusion`);
* nothing in a module that is saved whole has an adapter;
* a module is saved whole if its name *ends* in one of the names, in the middle of a word too.
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ft_core.models.outline import Fusion, Module, Outline

ALL_LINEAR = "all-linear"


@dataclass(frozen=True)
class Adapted:
    """What an adapter goes on.

    Attributes
    ----------
    modules
        Modules by name.
    parameters
        Fused parameters by name, with the factor of their rank.
    halves
        Projections that are named without those they are fused with, which PEFT refuses: what is named, what is missing.
    """

    modules: Mapping[str, Module]
    parameters: Mapping[str, int]
    halves: tuple[tuple[str, str], ...] = ()


def adapted(
    outline: Outline,
    target_modules: str | Iterable[str],
    modules_to_save: Iterable[str] = (),
    *,
    target_parameters: Sequence[str] = (),
    layers: Sequence[int] = (),
    layers_pattern: Sequence[str] = (),
) -> Adapted:
    """Return what an adapter goes on.

    Parameters
    ----------
    outline
        The base model.
    target_modules
        ``all-linear``, a regular expression, or names.
    modules_to_save
        Names of modules that are trained whole beside the adapter.
    target_parameters
        Names of parameters that are no layers.
    layers, layers_pattern
        As for `in_layers`.

    Raises
    ------
    re.error
        `target_modules` is no regular expression.
    """
    found = _adapted_modules(outline, target_modules, modules_to_save, layers, layers_pattern)
    named = {path: 1 for path in outline.weights if _ends_in(path, tuple(target_parameters))}
    return dataclasses.replace(found, parameters={**named, **found.parameters})


def _adapted_modules(
    outline: Outline,
    target_modules: str | Iterable[str],
    modules_to_save: Iterable[str],
    layers: Sequence[int],
    layers_pattern: Sequence[str],
) -> Adapted:
    """Return what the target modules are, fused experts that they name among them."""
    saved = [re.compile(rf"(^|.*\.){name}($|\..*)") for name in modules_to_save]
    free = {
        path: module
        for path, module in outline.modules.items()
        if not any(pattern.match(path) for pattern in saved) and in_layers(path, layers, layers_pattern)
    }
    if outline.fusion is not None:
        named = _leaf_names(outline, free, target_modules, outline.fusion)
        if named:
            return _with_parameters(free, named, outline.fusion)
    if not isinstance(target_modules, str):
        targets = tuple(target_modules)
        return Adapted({path: module for path, module in free.items() if _ends_in(path, targets)}, {})
    if target_modules == ALL_LINEAR:
        linear = outline.linear_layers()
        return Adapted({path: module for path, module in linear.items() if path in free}, {})
    pattern = re.compile(target_modules)
    return Adapted({path: module for path, module in free.items() if pattern.fullmatch(path)}, {})


def in_layers(path: str, layers: Sequence[int], layers_pattern: Sequence[str] = ()) -> bool:
    """Say whether a module is in one of the numbered `layers` of its model, or none are chosen.

    The first number in its name counts, after the name of a list of layers: one of `layers_pattern`, any by default.

    >>> in_layers("model.layers.1.mlp.experts.0.up_proj", [1]), in_layers("lm_head", [1])
    (True, False)
    """
    if not layers:
        return True
    lists = "|".join(layers_pattern) or r"[^.]*"
    match = re.match(rf"(?:^|.*?\.)(?:{lists})\.(\d+)\.", path)
    return match is not None and int(match.group(1)) in layers


def trained_parameters(
    outline: Outline,
    *,
    rank: int,
    target_modules: str | Iterable[str],
    modules_to_save: Iterable[str] = (),
    target_parameters: Sequence[str] = (),
    rank_pattern: Mapping[str, int] | None = None,
    use_dora: bool = False,
    layers: Sequence[int] = (),
    layers_pattern: Sequence[str] = (),
) -> int:
    """Return how many parameters a LoRA adapter trains.

    A linear layer of shape ``(out, in)`` gains ``A: (rank, in)`` and ``B: (out, rank)``, and with DoRA a magnitude for
    every output. Sources: Hu et al. 2021, https://arxiv.org/abs/2106.09685; DoRA: https://arxiv.org/abs/2402.09353

    Parameters
    ----------
    outline
        The base model.
    rank
        Rank of the update.
    target_modules, modules_to_save, target_parameters, layers, layers_pattern
        As for `adapted`.
    rank_pattern
        Ranks of some layers, by what their names end in.
    use_dora
        Whether each adapted layer also gets a magnitude vector.
    """
    saved = tuple(modules_to_save)
    found = adapted(
        outline,
        target_modules,
        saved,
        target_parameters=target_parameters,
        layers=layers,
        layers_pattern=layers_pattern,
    )
    ranks = rank_pattern or {}
    added = sum(
        rank_of(path, ranks, rank) * module.per_rank + (module.outputs if use_dora else 0)
        for path, module in found.modules.items()
    )
    for name, factor in found.parameters.items():
        *experts, rows, columns = outline.weights[name]
        added += rank_of(name, ranks, factor * rank) * math.prod(experts) * (rows + columns)
    return added + sum(module.parameters for module in _saved_whole(outline, saved).values())


def rank_of(path: str, ranks: Mapping[str, int], otherwise: int) -> int:
    r"""Return the rank of a layer or a parameter.

    >>> rank_of("model.layers.0.mlp.down_proj", {"up_proj": 4, r"0\.mlp\..*": 2, "down_proj": 3}, 8)
    2
    """
    return next((rank for pattern, rank in ranks.items() if _pattern_fits(pattern, path)), otherwise)


def without_layer(found: Adapted, patterns: Iterable[str]) -> list[str]:
    """Return those of `patterns` of ranks or strengths that fit nothing that has an adapter."""
    paths = (*found.modules, *found.parameters)
    return [pattern for pattern in patterns if not any(_pattern_fits(pattern, path) for path in paths)]


def unknown_names(outline: Outline, names: Iterable[str]) -> list[str]:
    """Return those of `names` that no module ends in, in their order."""
    ends = {
        ".".join(parts[start:])
        for parts in (name.split(".") for name in outline.modules)
        for start in range(len(parts))
    }
    if outline.fusion:
        ends |= set(outline.fusion.names)
    return [name for name in names if name not in ends]


def refused_parameters(outline: Outline, names: Iterable[str]) -> list[tuple[str, str, str]]:
    """Return the name, a message and a fix for each of `names` that is no parameter that an adapter can go on."""
    key = "lora_target_parameters"
    found: list[tuple[str, str, str]] = []
    fitting = {path.split(".", 3)[-1]: path for path, shape in outline.weights.items() if len(shape) == 3}
    for name in names:
        ends = [path for path in outline.weights if _ends_in(path, (name,))]
        layers = [path for path in ends if outline.modules[path.rpartition(".")[0]].kind != "other"]
        if not ends:
            near = difflib.get_close_matches(name, fitting, n=1) or list(fitting)[:1]
            some = (
                f"one that it has is '{near[0]}'"
                if near
                else "its experts are layers: use 'lora_target_modules'"
            )
            found.append((name, f"'{key}' names '{name}', which this model does not have", some))
        elif layers:
            layer = layers[0].rpartition(".")[0].rsplit(".", 1)[-1]
            message = f"'{key}' names '{name}', which is the weight of a layer"
            found.append((name, message, f"add {layer} to 'lora_target_modules'"))
        elif wrong := next((path for path in ends if len(outline.weights[path]) not in (2, 3)), None):
            message = f"'{key}' names '{name}', and '{wrong}' is no matrix, so it can have no adapter"
            found.append((name, message, "remove it"))
    return found


def unknown_weights(outline: Outline, names: Iterable[str]) -> list[str]:
    """Return those of `names` that no weight ends in, in their order."""
    return [name for name in names if not any(_ends_in(path, (name,)) for path in outline.weights)]


def without_adapter(outline: Outline, names: Iterable[str]) -> list[str]:
    """Return those of `names` that only modules end in that take no adapter."""
    return [
        name
        for name in names
        if (ends := [module for path, module in outline.modules.items() if _ends_in(path, (name,))])
        and all(module.kind == "other" for module in ends)
    ]


def nearest_names(outline: Outline, name: str) -> list[str]:
    """Return the last parts of adaptable modules' names that `name` may be a slip of, best first, at most two."""
    return difflib.get_close_matches(name.rsplit(".", 1)[-1], adaptable_names(outline), n=2, cutoff=0.6)


def adaptable_names(outline: Outline) -> list[str]:
    """Return the last part of every linear layer's name but the output head's, each once, in the model's order."""
    return list(dict.fromkeys(name.rsplit(".", 1)[-1] for name in outline.linear_layers()))


def _leaf_names(
    outline: Outline, free: Mapping[str, Module], target_modules: str | Iterable[str], fusion: Fusion
) -> set[str]:
    """Return the names that PEFT turns targets into where experts are fused; empty where nothing matches."""
    if not isinstance(target_modules, str):
        return set(target_modules)
    if target_modules == ALL_LINEAR:
        return {path.rsplit(".", 1)[-1] for path in outline.linear_layers()} | set(fusion.names)
    pattern = re.compile(target_modules)
    named = {path.rsplit(".", 1)[-1] for path in free if pattern.fullmatch(path)}
    for old, new in fusion.names.items():
        holders = (name.removesuffix(f".{new}") for name in fusion.shapes if name.endswith(f".{new}"))
        if any(pattern.fullmatch(f"{holder}.{old}") for holder in holders):
            named.add(old)
    return named


def _with_parameters(free: Mapping[str, Module], named: set[str], fusion: Fusion) -> Adapted:
    """Part names into those of modules and those of fused parameters."""
    old_names = {
        name: next((old for old in fusion.names if name == old or name.endswith(f".{old}")), None)
        for name in named
    }
    modules = tuple(name for name, old in old_names.items() if old is None)
    chosen = {old for old in old_names.values() if old is not None}
    ends = {fusion.names[old]: 1 for old in chosen}
    halves: list[tuple[str, str]] = []
    for new, parts in fusion.together.items():
        there = [part for part in parts if part in chosen]
        if 0 < len(there) < len(parts):
            halves.append((", ".join(there), ", ".join(part for part in parts if part not in chosen)))
        elif there:
            ends[new] = len(parts)
    parameters = {
        name: factor for name in fusion.shapes for end, factor in ends.items() if name.endswith(f".{end}")
    }
    return Adapted(
        {path: module for path, module in free.items() if _ends_in(path, modules)}, parameters, tuple(halves)
    )


def _saved_whole(outline: Outline, names: Sequence[str]) -> dict[str, Module]:
    """Return the modules that are trained whole, none within another, a weight that two share once."""
    found: dict[str, Module] = {}
    for path, module in outline.modules.items():
        if path.endswith(tuple(names)) and not any(path.startswith(f"{outer}.") for outer in found):
            found[path] = module
    shared = [path for path in found if path in outline.tied]
    return {path: module for path, module in found.items() if path not in shared[1:]}


def _pattern_fits(pattern: str, path: str) -> bool:
    """Say whether a name ends, after a dot or whole, in what `pattern` matches."""
    return re.match(rf"(.*\.)?({pattern})$", path) is not None


def _ends_in(path: str, names: tuple[str, ...]) -> bool:
    """Say whether one of `names` is the end of `path`, by whole dotted parts."""
    return path in names or path.endswith(tuple(f".{name}" for name in names))
