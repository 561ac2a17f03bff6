"""What is wrong between the config and the model that it names. Torch-free, so a plan says it before anything is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ft_core.config import Problem
from ft_core.config.problems import listed
from ft_core.models.adapter import adapted_by, target_modules
from ft_core.models.initial_adapter import takes_from_weights
from ft_core.models.outline import Outline
from ft_core.models.positions import ends_at_positions, has_no_positions, is_stretched
from ft_core.models.start_adapter import TARGETS, StartAdapter, adopted
from ft_core.models.targets import (
    Adapted,
    adaptable_names,
    nearest_names,
    refused_parameters,
    unknown_names,
    without_adapter,
    without_layer,
)
from ft_core.models.unfrozen import refused_patterns

if TYPE_CHECKING:
    from ft_core.config import Config
    from ft_core.models.quantise import Quantised


def check_adapter(config: Config, outline: Outline) -> list[Problem]:
    """Return what of the adapter's names is not in the model, or takes no adapter.

    Where the outline is not exact these are guesses, and the model itself must be asked before any is believed.
    """
    if not config.adapter:
        return []
    saved = config.lora_modules_to_save or ()
    problems = [
        _unknown(config, outline, "lora_modules_to_save", name, _last_parts(outline))
        for name in unknown_names(outline, saved)
    ]
    targets = target_modules(config)
    if not isinstance(targets, str):
        unknown = unknown_names(outline, targets)
        problems += [
            _unknown(config, outline, "lora_target_modules", name, adaptable_names(outline))
            for name in unknown
        ]
        for name in without_adapter(outline, (target for target in targets if target not in unknown)):
            problems.append(
                config.problem(
                    _item(config, "lora_target_modules", name),
                    f"'{name}' of 'lora_target_modules' is not computed as a linear layer in this model, so it can have no adapter",
                    _choices(adaptable_names(outline)),
                )
            )
    problems += [
        config.problem(_item(config, "lora_target_parameters", name), message, fix)
        for name, message, fix in refused_parameters(outline, config.lora_target_parameters or ())
    ]
    if problems:
        return problems
    found = adapted_by(config, outline)
    return [
        *_check_match(config, outline, found),
        *_check_fused(config, outline, found),
        *_check_patterns(config, found),
    ]


def check_start(config: Config, start: StartAdapter | None, outline: Outline | None) -> list[Problem]:
    """Return what the config says otherwise than the adapter that training goes on from.

    Parameters
    ----------
    config
        The config as it was given.
    start
        What `ft_core.models.start_adapter.read_start` returned.
    outline
        The model, where it is known.
    """
    if start is None:
        return []
    problems: list[Problem] = []
    for key, own in start.values.items():
        said = getattr(config, key)
        if (
            key not in TARGETS
            and config.origin(key).kind in ("line", "override")
            and _sorted(said) != _sorted(own)
        ):
            problems.append(
                _otherwise(config, key, f"{_written(said)}, and the adapter", f"has {_written(own)}")
            )
    named = next((key for key in (*TARGETS, "lora_target_linear") if getattr(config, key)), None)
    if named is not None and outline is not None:
        own = adopted(config, start)
        if _paths(adapted_by(config, outline)) != _paths(adapted_by(own, outline)):
            names = [*_listed(own.lora_target_modules), *_listed(own.lora_target_parameters)]
            problems.append(_otherwise(config, named, "not what the adapter", f"is on: {', '.join(names)}"))
    if config.peft_init_lora_weights is not None:
        message = "'peft_init_lora_weights' has no effect: the adapter of 'lora_model_dir' begins with its own weights"
        problems.append(
            config.problem("peft_init_lora_weights", message, "remove the line", severity="warning")
        )
    if start.base and not _same_place(start.base, config.base_model):
        message = f"the adapter says that it was trained on '{start.base}', and 'base_model' is '{config.base_model}'"
        fix = "nothing to do if these are the same weights"
        problems.append(config.problem("lora_model_dir", message, fix, severity="warning"))
    return problems


def _otherwise(config: Config, key: str, said: str, own: str) -> Problem:
    message = f"'{key}' is {said} of 'lora_model_dir' {own}"
    return config.problem(key, message, "remove the line: what the adapter has is used")


def _paths(found: Adapted) -> set[str]:
    return {*found.modules, *found.parameters}


def _listed(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else value or ()


def _sorted(value: Any) -> object:
    """Return a value so that order, and what says nothing, make no difference."""
    return sorted(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value or None


def _written(value: object) -> str:
    """Return a value as YAML has it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, cast('tuple[object, ...]', value)))}]"
    return "empty" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _same_place(one: str, other: str) -> bool:
    return one == other or Path(one).expanduser().resolve() == Path(other).expanduser().resolve()


def check_beginning(config: Config, outline: Outline, quantised: Quantised | None) -> list[Problem]:
    """Return what cannot be done with an adapter that begins as a part of the weights.

    Parameters
    ----------
    config
        The run's config.
    outline
        The model.
    quantised
        How its linear layers are kept, where that is in few bits.
    """
    key, init = "peft_init_lora_weights", config.peft_init_lora_weights
    if not (config.adapter and takes_from_weights(config)):
        return []
    found = adapted_by(config, outline)
    ends = {outline.embedding, outline.output_head, *outline.tied}
    held = next((path for path in found.modules if path in ends), None)
    turned = [
        path
        for path, module in found.modules.items()
        if (shape := outline.weights.get(f"{path}.weight")) is not None and shape[0] != module.outputs
    ]
    if quantised is not None:
        why = f"which '{config.base_model}' keeps in {quantised.words}: what is left of them would be rounded again"
    elif found.parameters:
        why = "which PEFT does for layers, and the experts of this model are none"
    elif held is not None:
        why = f"which '{held.rsplit('.', 1)[-1]}' may share with another layer"
    elif config.peft_use_rslora:
        why = "and what is saved is twice as high, which 'peft_use_rslora' would scale otherwise"
    elif init == "olora" and turned:
        why = f"which '{turned[0].rsplit('.', 1)[-1]}' keeps turned over"
    else:
        return []
    message = f"'{key}: {init}' takes the adapter off the weights, {why}"
    return [config.problem(key, message, f"write '{key}: true'")]


def check_unfrozen(config: Config, outline: Outline) -> list[Problem]:
    """Return what is wrong with ``unfrozen_parameters``; a guess where the outline is not exact."""
    patterns = config.unfrozen_parameters or ()
    return [
        config.problem(f"unfrozen_parameters[{place}]", message, fix)
        for place, message, fix in refused_patterns(patterns, outline.weights, outline.twins)
    ]


def check_length(config: Config, model_config: Mapping[str, Any], positions: int | None) -> list[Problem]:
    """Return what is wrong with training on longer rows than the model has positions for.

    Parameters
    ----------
    config
        The run's config.
    model_config
        The model's ``config.json``.
    positions
        How many the model has; None where that is not known.
    """
    if positions is None or config.sequence_len <= positions or has_no_positions(model_config):
        return []
    if ends_at_positions(model_config):
        message = f"'sequence_len' is {config.sequence_len}, and this model has {positions} positions: a longer row ends the run"
        return [config.problem("sequence_len", message, f"write 'sequence_len: {positions}' or less")]
    if is_stretched(model_config):
        return []
    message = (
        f"'sequence_len' is {config.sequence_len}, and this model was trained on {positions} positions: "
        "it reads badly beyond them"
    )
    fix = f"write 'sequence_len: {positions}' or less, or use a model that was trained on longer texts"
    return [config.problem("sequence_len", message, fix, severity="warning")]


def _unknown(config: Config, outline: Outline, key: str, name: str, names: Iterable[str]) -> Problem:
    near = nearest_names(outline, name) if key == "lora_target_modules" else []
    guess = f"; did you mean {listed([repr(option) for option in near])}?" if near else ""
    return config.problem(
        _item(config, key, name),
        f"'{key}' names '{name}', which this model does not have{guess}",
        _choices(names)
        if key == "lora_target_modules"
        else f"the last parts of its module names are: {', '.join(names)}",
    )


def _check_match(config: Config, outline: Outline, found: Adapted) -> list[Problem]:
    """Report targets that leave no adapter at all: a pattern that matches nothing, or only what is saved whole."""
    for named, missing in found.halves:
        message = (
            f"'lora_target_modules' names {named} without {missing}, and this model holds them as one weight"
        )
        return [config.problem("lora_target_modules", message, f"add {missing}")]
    other = next((path for path, module in found.modules.items() if module.kind == "other"), None)
    if other is not None and isinstance(target_modules(config), str):
        message = f"'lora_target_modules' matches '{other}', which is no linear layer"
        fix = f"let it end in names of layers, such as {_any_of(adaptable_names(outline)[:2])}"
        return [config.problem("lora_target_modules", message, fix)]
    if any(module.kind != "other" for module in found.modules.values()) or found.parameters:
        return []
    return [
        config.problem(
            "lora_target_modules",
            "'lora_target_modules' matches no linear layer of this model, so nothing would train",
            _choices(adaptable_names(outline)),
        )
    ]


def _check_patterns(config: Config, found: Adapted) -> list[Problem]:
    """Report ranks and strengths of layers that have no adapter."""
    last = list(dict.fromkeys(path.rsplit(".", 1)[-1] for path in (*found.modules, *found.parameters)))
    problems: list[Problem] = []
    for key in ("lora_rank_pattern", "lora_alpha_pattern"):
        for pattern in without_layer(found, getattr(config, key) or ()):
            near = difflib.get_close_matches(pattern, last, n=1)
            guess = f"; did you mean '{near[0]}'?" if near else ""
            message = f"'{key}' has '{pattern}', and no layer with an adapter has a name that ends so{guess}"
            problems.append(config.problem(key, message, f"layers with an adapter are: {', '.join(last)}"))
    return problems


def _check_fused(config: Config, outline: Outline, found: Adapted) -> list[Problem]:
    """Report what adapters on parameters that are no layers cannot do, and experts that have none."""
    if outline.experts and not found.parameters:
        experts = sum(
            module.parameters
            for name, module in outline.modules.items()
            if name.rsplit(".", 1)[-1] == "experts"
        )
        message = (
            f"the experts ({experts / outline.total:.0%} of the parameters) get no adapter: "
            "in this model they are no linear layers"
        )
        return [
            config.problem(
                "lora_target_modules", message, "nothing to do if that is meant", severity="warning"
            )
        ]
    refused = {
        "lora_dropout": bool(config.lora_dropout),
        "peft_use_dora": config.peft_use_dora,
    }
    default = {"lora_dropout": "0", "peft_use_dora": "false"}
    return [
        config.problem(
            key,
            f"'{key}' cannot be used on the experts of this model, which are fused into one weight",
            f"write '{key}: {default[key]}', or name only the attention in 'lora_target_modules'",
        )
        for key, used in refused.items()
        if used and found.parameters
    ]


def _item(config: Config, key: str, name: str) -> str:
    """Return the dotted path of `name` in the list of `key`."""
    return f"{key}[{getattr(config, key).index(name)}]"


def _any_of(names: Iterable[str]) -> str:
    """Return names as an expression that matches them."""
    return f"({'|'.join(names)})$"


def _choices(names: Iterable[str]) -> str:
    return f"its linear layers are: {', '.join(names)}; or write 'lora_target_linear: true' for all of them"


def _last_parts(outline: Outline) -> list[str]:
    return [
        part
        for part in dict.fromkeys(name.rsplit(".", 1)[-1] for name in outline.modules)
        if not part.isdigit()
    ]
