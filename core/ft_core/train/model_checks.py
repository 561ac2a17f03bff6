"""What is wrong between the config and the model that it names. Torch-free, so a plan says it before anything is loaded."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ft_core.config import Problem
from ft_core.config.problems import listed
from ft_core.models.adapter import adapted_by, target_modules
from ft_core.models.outline import Outline
from ft_core.models.positions import ends_at_positions, has_no_positions, is_stretched
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
                    f"'{name}' of 'lora_target_modules' is no linear layer in this model, so it can have no adapter",
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
