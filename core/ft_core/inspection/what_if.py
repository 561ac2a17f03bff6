"""Other values for the keys that say what a row becomes, tried without touching the cell.

A change is the dotted path of a key and its new value, None for the default::

    {"datasets[0].train_on_eos": "all", "sequence_len": 1024}

What was given to the config is loaded anew with the changes in it, so that every check and every derived default is that
of a run. `yaml_lines` writes the same for the cell.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import yaml

from ft_core.config import ConfigError, Problem, explain, load_config
from ft_core.config.config import INNER
from ft_core.config.tables import Table
from ft_core.config.variables import escape

if TYPE_CHECKING:
    from ft_core.config import Config, Dataset

Changes = Mapping[str, Any]
"""New values by dotted path; None for the default."""

Kind = Literal["choice", "boolean", "number", "list"]

_LENGTHS: dict[str, Kind] = {
    "sequence_len": "number",
    "excess_length_strategy": "choice",
    "min_sample_len": "number",
    "sample_packing": "boolean",
}
"""Keys that matter to samples of every type, and what they take."""

_OF_TYPE: dict[str, dict[str, Kind]] = {
    "chat_template": {
        "roles_to_train": "list",
        "train_on_eos": "choice",
        "drop_system_message": "boolean",
        "split_thinking": "boolean",
    },
    "stepwise_supervised": {"train_on_last_step_only": "boolean"},
}
"""Keys of a dataset that say what its rows become, by its type."""

_WITH_TEMPLATE = ("chat_template", "messages")
_WITHOUT_INPUTS = ("completion", "pretrain", "llama2_chat", "pygmalion", "stepwise_supervised", "")
"""Types in which train_on_inputs says nothing."""

_MESSAGES_TEMPLATES = ("tokenizer_default", "chatml", "llama3")
"""What ``type: messages`` can write."""


@dataclass(frozen=True)
class Knob:
    """A key that can be tried out.

    Attributes
    ----------
    key
        Its dotted path, such as ``datasets[0].train_on_eos``.
    label
        Its name.
    description
        What it means.
    kind
        What it takes.
    choices
        The values of a choice; of a list what it may hold.
    value, original
        What it is now, and what the config says.
    dataset
        The number of the dataset that it belongs to, counted through those for evaluation too; None for all of them.
    """

    key: str
    label: str
    description: str
    kind: Kind
    choices: tuple[str, ...]
    value: Any
    original: Any
    dataset: int | None = None


def knobs(original: Config, current: Config) -> tuple[Knob, ...]:
    """Return the keys that can be tried out: those that say what the rows of one of the datasets become.

    Parameters
    ----------
    original
        The config as it was given.
    current
        The same with what was changed since, as `changed` returns it.
    """
    types = [dataset.type for dataset in original.all_datasets]
    kinds: dict[str, Kind] = {}
    if any(kind in _WITH_TEMPLATE for kind in types):
        kinds["chat_template"] = "choice"
    if any(kind not in _WITHOUT_INPUTS for kind in types):
        kinds["train_on_inputs"] = "boolean"
    found = [_knob(original, current, key, kind) for key, kind in (kinds | _LENGTHS).items()]
    for number, (path, dataset) in enumerate(_datasets(original)):
        own: dict[str, Kind] = dict(_OF_TYPE.get(dataset.type, {}) if isinstance(dataset.type, str) else {})
        if dataset.type in _WITH_TEMPLATE and dataset.chat_template is not None:
            own = {"chat_template": "choice", **own}
        found += [_knob(original, current, f"{path}.{key}", kind, number) for key, kind in own.items()]
    return tuple(found)


def changed(config: Config, changes: Changes) -> Config:
    """Return what `config` would be with other values.

    Raises
    ------
    ConfigError
        A value is not valid, or does not go with the others; or a key is none of the `knobs`.
    """
    return load_config(_with(_given(config), _complete(config, changes)), check_paths=False)


def yaml_lines(config: Config, changes: Changes) -> str:
    """Return the lines that give a cell the changed values, each key whole; empty where nothing is changed.

    They take the place of the lines of the same keys. Where a ``--set`` gives one of the values, a comment says that it
    has to go.

    Parameters
    ----------
    config
        The config as it was given.
    changes
        As for `changed`.
    """
    complete = _complete(config, changes)
    data = _with(_given(config), complete)
    origins = [config.origin(path) for path in complete]
    lines = [f"# without {origin.reason}\n" for origin in origins if origin.kind == "override"]
    for key in dict.fromkeys(_split(path)[0] for path in complete):
        if key not in data:
            lines.append(f"{key}:\n")
            continue
        value = _written(data[key])
        lines.append(yaml.safe_dump({key: value}, sort_keys=False, allow_unicode=True, width=10_000))
    return "".join(lines)


def _knob(original: Config, current: Config, key: str, kind: Kind, dataset: int | None = None) -> Knob:
    doc = explain(key)
    value, given = _value(current, key), _value(original, key)
    choices = doc.allowed if kind == "choice" else ()
    if doc.name == "chat_template":
        types = [each.type for at, each in enumerate(original.all_datasets) if dataset in (None, at)]
        choices = choices if "chat_template" in types else _MESSAGES_TEMPLATES
        # Without its text in the config, 'jinja' names nothing.
        choices = tuple(choice for choice in choices if choice != "jinja" or given == "jinja")
    if kind == "list":
        assert dataset is not None
        choices = tuple(dict.fromkeys((*original.all_datasets[dataset].roles, *given, *value)))
    return Knob(key, doc.name, doc.text, kind, choices, value, given, dataset)


def _datasets(config: Config) -> Iterator[tuple[str, Dataset]]:
    """Yield every dataset with its dotted path."""
    for key in ("datasets", "test_datasets"):
        entries: tuple[Dataset, ...] = getattr(config, key)
        for index, entry in enumerate(entries):
            yield f"{key}[{index}]", entry


def _complete(config: Config, changes: Changes) -> dict[str, Any]:
    """Return those of `changes` that change something, with what has to go for them to have an effect."""
    known = {knob.key for knob in knobs(config, config)}
    unknown = [key for key in changes if key not in known]
    if unknown:
        raise ConfigError([
            Problem(None, None, key, f"'{key}' cannot be tried out", "change it in the config")
            for key in unknown
        ])  # fmt: skip
    complete: dict[str, Any] = {}
    for key, value in changes.items():
        before = _value(config, key)
        if (tuple(cast("list[Any]", value)) if isinstance(value, list) else value) == before:
            continue
        complete[key] = value
        holder, _, name = key.rpartition(".")
        dot = f"{holder}." if holder else ""
        if name == "chat_template" and _value(config, f"{dot}chat_template_jinja") is not None:
            complete[f"{dot}chat_template_jinja"] = None
        # A config that was written out says both; the one follows the other where nobody made them differ.
        if name == "train_on_eos" and _value(config, f"{dot}train_on_eot") == before:
            complete[f"{dot}train_on_eot"] = None
    return complete


def _given(config: Config) -> dict[str, Any]:
    """Return the values that were given to a config, and none of those that were filled in."""
    values = config.model_dump(mode="json", exclude_none=True)
    data = {key: value for key, value in values.items() if _is_given(config, key)}
    for key in data.keys() & INNER.keys():
        if isinstance(data[key], list):
            data[key] = [
                _given_inside(config, f"{key}[{index}]", entry) for index, entry in enumerate(data[key])
            ]
        else:
            data[key] = _given_inside(config, key, data[key])
    for key in ("datasets", "test_datasets"):
        entries: tuple[Dataset, ...] = getattr(config, key)
        for entry, dataset in zip(data.get(key, ()), entries, strict=False):
            if dataset.table is not None:
                entry["path"] = dataset.table
    return data


def _given_inside(config: Config, path: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if _is_given(config, f"{path}.{key}")}


def _is_given(config: Config, path: str) -> bool:
    return config.origin(path).kind in ("line", "override")


def _with(data: dict[str, Any], changes: Changes) -> dict[str, Any]:
    """Return `data` with the changes made in it."""
    for path, value in changes.items():
        *holders, name = _split(path)
        holder: Any = data
        for part in holders:
            holder = holder[part]
        if value is None:
            holder.pop(name, None)
        else:
            holder[name] = value
    return data


def _written(value: Any) -> Any:
    """Return a value as a cell writes it: a table by its name, and other text so that it names no variable."""
    if isinstance(value, Table):
        return value.path
    if isinstance(value, dict):
        return {key: _written(item) for key, item in cast("dict[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_written(item) for item in cast("list[Any]", value)]
    return escape(value)


def _value(config: Config, path: str) -> Any:
    value: Any = config
    for part in _split(path):
        value = value[part] if isinstance(part, int) else getattr(value, part)
    return value


def _split(path: str) -> list[Any]:
    """Return the parts of a dotted path.

    >>> _split("datasets[0].train_on_eos")
    ['datasets', 0, 'train_on_eos']
    """
    return [int(part) if part.isdigit() else part for part in re.findall(r"\w+", path)]
