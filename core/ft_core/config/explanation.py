"""Where each value of a config came from, as a table that a person reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from ft_core.config.config import INNER, TOPICS, Config, Origin
from ft_core.config.problems import clipped


@dataclass(frozen=True)
class Explained:
    """One value of a config.

    Attributes
    ----------
    key
        Its dotted path, such as ``datasets[0].type``.
    value
        As YAML holds it.
    origin
        Where it came from.
    """

    key: str
    value: Any
    origin: Origin

    @property
    def given(self) -> bool:
        """Whether somebody wrote it, in the text or as an override."""
        return self.origin.kind in ("line", "override")

    @property
    def why(self) -> str:
        """Where the value came from, in words: ``line 3``, ``given``, ``default``, ``derived: as micro_batch_size``."""
        if self.origin.kind == "line":
            return f"line {self.origin.line}" if self.origin.line is not None else "given"
        return ": ".join(part for part in (self.origin.kind, self.origin.reason) if part)


@dataclass(frozen=True)
class Explanation:
    """Every value that is set, in the order in which people read a config."""

    values: tuple[Explained, ...]

    def __iter__(self) -> Iterator[Explained]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, key: str) -> Explained:
        """Return what is known about the value of `key`.

        Raises
        ------
        KeyError
            There is no such key, or it holds nothing.
        """
        for value in self.values:
            if value.key == key:
                return value
        raise KeyError(key)

    def __str__(self) -> str:
        rows = [(value.key, written(value.value), value.why) for value in self.values]
        widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
        return "\n".join(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {why}" for key, value, why in rows)


def explain_values(config: Config) -> Explanation:
    """Return every value of `config` that is set, with where it came from; a dataset's keys one by one."""
    values: dict[str, Any] = yaml.safe_load(config.to_yaml())
    # It is left out of the YAML, which its factors rebuild, and people look for it.
    values["batch_size"] = config.batch_size
    return Explanation(tuple(Explained(path, value, config.origin(path)) for path, value in _leaves(values)))


def written(value: Any) -> str:
    """Return a value on one line, as YAML has it.

    >>> written(False), written([1, 2]), written({"a": None}), written("yes")
    ('false', '[1, 2]', '{a: null}', "'yes'")
    """
    text = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return clipped(text.removesuffix("\n...\n").strip())


def _leaves(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    # The order of the YAML, with the batch size beside its factors.
    keys = [key for topic in TOPICS for key in topic.model_fields if key in values]
    for key in keys:
        value = values[key]
        holders = {key: value}
        if key in INNER and isinstance(value, list):
            holders = {f"{key}[{index}]": entry for index, entry in enumerate(value)}
        for path, held in holders.items():
            if key in INNER and isinstance(held, dict):
                yield from ((f"{path}.{inner}", inner_value) for inner, inner_value in held.items())
            else:
                yield path, held
