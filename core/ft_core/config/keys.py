"""Which keys there are: ours, those that Axolotl has and we do not support yet, and slips.

Our schema types and documents a key whether training does it already or not; one that it does not do yet is marked
`Planned`. ``axolotl_keys.json`` lists all other keys of Axolotl 0.21's schema, its plugins' arguments and a few that it
dropped, each with Axolotl's default. A planned or listed key that asks for nothing (empty, false, or its default) passes,
so that Axolotl's configs load unchanged; one that asks for something is an error that says so, never a silence.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import cache
from importlib import resources
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from ft_core.config.config import INNER, Config
from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.problems import did_you_mean, nearest, shown
from ft_core.config.schema.dataset import Dataset
from ft_core.config.schema.values import Checked, Planned

AXOLOTL_LEVELS = {"datasets": "dataset", "test_datasets": "dataset"}
"""Keys whose inner keys ``axolotl_keys.json`` lists under another name."""

MAX_GUESSED = 100
"""Problems after which no key is guessed any more: what is so wrong is no config, and a guess takes a millisecond."""

ADVICE = {
    "conversation": "use 'type: chat_template'",
}
"""What to do without the keys that are used most."""


@cache
def axolotl_keys(holder: str = "top") -> dict[str, Any]:
    """Return Axolotl's keys with their defaults: those at the top, or those that the key `holder` holds."""
    levels = json.loads(resources.files("ft_core.config").joinpath("axolotl_keys.json").read_text("utf-8"))
    return levels.get(AXOLOTL_LEVELS.get(holder, holder), {})


def planned(info: FieldInfo) -> Planned | None:
    """Return the mark of a key that training does not do yet, None for one that it does."""
    return next((item for item in info.metadata if isinstance(item, Planned)), None)


def is_planned(key: str, holder: str = "top") -> bool:
    """Whether Axolotl has `key` and we do not support it yet."""
    fields = fields_of(holder)
    return planned(fields[key]) is not None if key in fields else key in axolotl_keys(holder)


def fields_of(holder: str) -> dict[str, FieldInfo]:
    """Return the keys that the schema has at the top, or in the key `holder`."""
    return (INNER[holder] if holder != "top" else Config).model_fields


def keep_supported(
    draft: Draft, data: dict[str, Any], holder: str = "top", path: Path = ()
) -> dict[str, Any]:
    """Return the supported keys of `data` that hold something, at every level, reporting the others.

    Parameters
    ----------
    draft
        Takes the problems.
    data
        A map of the config.
    holder
        The key that holds it, or ``top``.
    path
        Where it stands.
    """
    fields = fields_of(holder)
    kept: dict[str, Any] = {}
    for key, value in data.items():
        at = (*path, key)
        if key in fields:
            if value is None or (value == "" and not fields[key].is_required()):
                continue
            if mark := planned(fields[key]):
                default = fields[key].get_default(call_default_factory=True)
                if value != default and _refuse(
                    draft, at, value, axolotl_keys(holder).get(key), mark.instead
                ):
                    _remember(draft, at, value, fields[key])
                continue
            kept[key] = _keep_inner(draft, key, value, at)
        elif key in axolotl_keys(holder):
            if _refuse(draft, at, value, axolotl_keys(holder)[key], ADVICE.get(key, "remove it")):
                draft.refused[at] = value
        else:
            _report_unknown(draft, key, holder, at)
    return kept


def _refuse(draft: Draft, path: Path, value: Any, default: Any, advice: str) -> bool:
    """Report a key that is not supported yet, unless `value` asks for nothing; return whether it was reported."""
    if _asks_for_nothing(value, default):
        return False
    draft.report(path, f"'{path[-1]}' is not supported yet", advice, at="key")
    return True


def _remember(draft: Draft, path: Path, value: Any, info: FieldInfo) -> None:
    """Keep the value of a planned key for the checks between keys, unless its own type has something against it."""
    kind = next((item for item in info.metadata if isinstance(item, Checked)), None)
    with suppress(PydanticCustomError):
        draft.refused[path] = kind.check(value) if kind else value


def _keep_inner(draft: Draft, key: str, value: Any, path: Path) -> Any:
    if key not in INNER or len(path) > 1:
        return value
    if isinstance(value, dict):
        return keep_supported(draft, value, key, path)
    if isinstance(value, list):
        return [
            keep_supported(draft, entry, key, (*path, index)) if isinstance(entry, dict) else entry
            for index, entry in enumerate(value)
        ]
    return value


def _report_unknown(draft: Draft, key: str, holder: str, path: Path) -> None:
    if len(draft.problems) >= MAX_GUESSED:
        draft.report(path, f"unknown key {shown(key)}", "remove it", at="key")
        return
    options = [*fields_of(holder), "model_revision"]
    # A key of another level, such as a dataset's key at the top, is a matter of indentation.
    homes = [other for other in ("top", *INNER) if other != holder and key in fields_of(other)]
    if homes:
        fix = f"'{key}' belongs to {_in_words(homes[0])}: check the indentation"
        draft.report(path, f"unknown key {shown(key)}", fix, at="key")
        return
    if found := nearest(key, options):
        fix = (
            "remove it: that key is not supported yet"
            if is_planned(found[0], holder)
            else f"write '{found[0]}', or remove it"
        )
    elif found := nearest(key, axolotl_keys(holder)):
        draft.report(
            path,
            f"unknown key {shown(key)}; did you mean '{found[0]}'?",
            "remove it: that key is not supported yet",
            at="key",
        )
        return
    else:
        fix = "remove it"
    draft.report(path, f"unknown key {shown(key)}{did_you_mean(key, options)}", fix, at="key")


def _in_words(holder: str) -> str:
    if holder == "top":
        return "the top level"
    return f"a dataset, under '{holder}'" if issubclass(INNER[holder], Dataset) else f"'{holder}'"


def _asks_for_nothing(value: Any, default: Any) -> bool:
    if value is None or value is False or value in ("", [], {}):
        return True
    if isinstance(default, (int, float)) and not isinstance(default, bool) and isinstance(value, str):
        # 1e-6 is text in YAML 1.1.
        try:
            return float(value) == default
        except ValueError:
            return False
    return default is not None and value == default
