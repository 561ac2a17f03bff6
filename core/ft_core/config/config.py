"""The config: every key with its value, where that came from, and back to YAML."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import PrivateAttr

from ft_core.config.problems import ConfigError, Problem
from ft_core.config.schema.adapter import AdapterKeys
from ft_core.config.schema.checkpoint import CheckpointKeys
from ft_core.config.schema.data import DataKeys
from ft_core.config.schema.dataset import Dataset, PretrainingDataset
from ft_core.config.schema.distributed import DistributedKeys, FsdpConfig
from ft_core.config.schema.evaluation import EvaluationKeys
from ft_core.config.schema.launch import LaunchKeys
from ft_core.config.schema.logging import LoggingKeys
from ft_core.config.schema.model import ModelKeys
from ft_core.config.schema.optimizer import OptimizerKeys
from ft_core.config.schema.preference import PreferenceKeys
from ft_core.config.schema.quantization import QuantizationKeys
from ft_core.config.schema.schedule import ScheduleKeys
from ft_core.config.schema.sequence import SequenceKeys
from ft_core.config.schema.tokenizer import SpecialTokens, TokenizerKeys
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Planned

if TYPE_CHECKING:
    from ft_core.config.explanation import Explanation

TOPICS = (
    ModelKeys,
    TokenizerKeys,
    DataKeys,
    SequenceKeys,
    AdapterKeys,
    QuantizationKeys,
    OptimizerKeys,
    ScheduleKeys,
    CheckpointKeys,
    EvaluationKeys,
    LoggingKeys,
    DistributedKeys,
    PreferenceKeys,
    LaunchKeys,
)
"""The topics in the order in which people read a config."""

INNER: dict[str, type[Topic]] = {
    "datasets": Dataset,
    "test_datasets": Dataset,
    "pretraining_dataset": PretrainingDataset,
    "special_tokens": SpecialTokens,
    "fsdp_config": FsdpConfig,
}
"""Keys that hold keys, in a map or in a list of maps."""


@dataclass(frozen=True)
class Origin:
    """Where a value came from.

    Attributes
    ----------
    kind
        ``line`` (the text, or the mapping), ``override``, ``default`` or ``derived`` (from other values).
    line
        For ``line``: its number, or None where the config was a mapping.
    reason
        For ``derived`` and ``override``: why, in words.
    column
        For ``line``: where in it, or None where the config was a mapping.
    """

    kind: Literal["line", "override", "default", "derived"]
    line: int | None = None
    reason: str = ""
    column: int | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Provenance:
    """What a config remembers besides its values."""

    source: str = ""
    warnings: tuple[Problem, ...] = ()
    origins: Mapping[str, Origin] = field(default_factory=dict[str, Origin])
    """By dotted path; a path that is missing has its default."""

    first_line: int = 1
    """The number that the first line of `source` goes by."""


class Config(
    LaunchKeys,
    PreferenceKeys,
    DistributedKeys,
    LoggingKeys,
    EvaluationKeys,
    CheckpointKeys,
    ScheduleKeys,
    OptimizerKeys,
    QuantizationKeys,
    AdapterKeys,
    SequenceKeys,
    DataKeys,
    TokenizerKeys,
    ModelKeys,
):
    """A valid config, frozen, every default filled in; made by `load_config`.

    Two configs are equal when their values are, wherever these came from. Datasets whose path is a notebook variable
    must hold the same object.
    """

    _provenance: Provenance = PrivateAttr(default_factory=Provenance)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Config)
            and self.model_dump() == other.model_dump()
            and [entry.table for entry in self.all_datasets] == [entry.table for entry in other.all_datasets]
        )

    def __hash__(self) -> int:
        return hash(self.to_yaml())

    @property
    def all_datasets(self) -> tuple[Dataset, ...]:
        """What is trained on, then what is evaluated on."""
        return (*self.datasets, *self.test_datasets)

    @property
    def source(self) -> str:
        """The text as it was given; empty where the config was a mapping."""
        return self._provenance.source

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """What is doubtful, in the order of the text."""
        return self._provenance.warnings

    def with_provenance(self, provenance: Provenance) -> Config:
        """Return the same values with another memory of where they came from."""
        config = self.model_copy()
        config._provenance = provenance
        return config

    def origin(self, key: str) -> Origin:
        """Return where the value of `key` came from.

        Parameters
        ----------
        key
            A key, or a dotted path such as ``datasets[0].path``.

        Raises
        ------
        KeyError
            There is no such key.
        """
        value: object = self
        for part in key.replace("[", ".").replace("]", "").split("."):
            if isinstance(value, tuple) and part.isdigit() and int(part) < len(value):
                value = value[int(part)]
            elif part in getattr(type(value), "model_fields", {}):
                value = getattr(value, part)
            else:
                raise KeyError(key)
        return self._provenance.origins.get(key, Origin("default"))

    def explain(self) -> Explanation:
        """Return every value that is set, each with where it came from: a line, an override, a default, or derived and why.

        Printed, it is a table.
        """
        from ft_core.config.explanation import explain_values

        return explain_values(self)

    def problem(
        self, key: str, message: str, fix: str = "", *, severity: Literal["error", "warning"] = "error"
    ) -> Problem:
        """Return what is wrong with the value of `key`, at the place where it was given.

        Parameters
        ----------
        key
            As for `origin`.
        message, fix, severity
            As for `Problem`.
        """
        origin = self.origin(key)
        if origin.kind == "override":
            message = f"{origin.reason}: {message}"
        return Problem(origin.line, origin.column, key, message, fix, severity)

    def refused(self, problems: Iterable[Problem]) -> ConfigError:
        """Return the error that says `problems`, found after the config was loaded, in the text that it was loaded from."""
        return ConfigError(problems, self.source, self._provenance.first_line)

    def to_yaml(self, *, absolute_paths: bool = False) -> str:
        """Return the YAML that loads to an equal config: every value that is set, defaults included.

        Keys that training does not do yet are left out: they hold nothing but their defaults. So are ``batch_size``, which
        micro_batch_size and gradient_accumulation_steps give, and ``pretraining_dataset``, which is in datasets.

        The path of a dataset that is a notebook variable stays so; it loads where the same variable is.

        Parameters
        ----------
        absolute_paths
            Whether local paths are written whole, so that the YAML works from any folder.
        """
        from ft_core.config.paths import with_absolute_paths
        from ft_core.config.variables import escape

        config = with_absolute_paths(self) if absolute_paths else self
        values: dict[str, Any] = config.model_dump(mode="json", exclude_none=True, exclude=_left_out())
        ordered = {
            key: escape(values[key]) for topic in TOPICS for key in topic.model_fields if key in values
        }
        for key in ("datasets", "test_datasets"):
            entries: tuple[Dataset, ...] = getattr(config, key)
            for written, entry in zip(ordered.get(key, ()), entries, strict=False):
                if entry.table is not None:
                    written["path"] = entry.path
        return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=10_000)


@cache
def _left_out() -> dict[str, Any]:
    """Return pydantic's ``exclude`` for the keys that are `Planned`, and for what other keys say.

    With ``batch_size`` beside its two factors, no one of the three could be overridden alone.
    """
    planned = {key: _planned_keys(inner) for key, inner in INNER.items()}
    inside = {
        key: {"__all__": keys} if key.endswith(("dataset", "datasets")) else keys
        for key, keys in planned.items()
    }
    return {**inside, **dict.fromkeys({*_planned_keys(Config), "batch_size", "pretraining_dataset"}, True)}


def _planned_keys(topic: type[Topic]) -> set[str]:
    return {
        key
        for key, info in topic.model_fields.items()
        if any(isinstance(mark, Planned) for mark in info.metadata)
    }
