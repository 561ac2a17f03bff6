"""What a config asks for, whether training does it yet or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from ft_core.config.config import Config
from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.schema.dataset import Dataset

BOTH = "remove one of the two"
"""What to do about two keys that exclude each other."""


@dataclass(frozen=True)
class Asked:
    """The typed values of a config, and those of its values that were refused.

    Attributes
    ----------
    config
        The typed values; a stand-in where a value is missing, wrong or refused.
    draft
        Holds what was refused, says which keys were given, and takes the problems.
    """

    config: Config
    draft: Draft

    def value(self, *path: str | int) -> Any:
        """Return what is asked for at `path`: its default where nothing is, None where there is no such key."""
        known = next((length for length in range(len(path), 0, -1) if path[:length] in self.draft.refused), 0)
        value: Any = self.draft.refused[path[:known]] if known else self.config
        for part in path[known:]:
            if isinstance(part, int):
                value = value[part]
            elif isinstance(value, Mapping):
                value = cast("Mapping[str, Any]", value).get(part)
            else:
                value = getattr(value, part, None)
        return value

    def unclear(self, *path: str | int) -> bool:
        """Whether what was written at `path` is wrong, so that nobody knows what it asks for."""
        return self.draft.is_bad(path) and path not in self.draft.refused

    def lacks(self, *path: str | int) -> bool:
        """Whether nothing is asked for at `path`."""
        return not self.value(*path) and not self.unclear(*path)

    def given(self, key: str) -> bool:
        """Whether the top-level `key` was given a value that has a meaning."""
        return self.draft.given(key) or (key,) in self.draft.refused


def refuse_pairs(asked: Asked, pairs: Iterable[tuple[str, str, str, str]]) -> None:
    """Report each key that stands beside another one that excludes it.

    Parameters
    ----------
    asked
        The config.
    pairs
        The key that is to blame, the other one, message and fix.
    """
    for key, other, message, fix in pairs:
        if asked.value(key) and asked.value(other):
            asked.draft.report((key,), message, fix, at="key")


def datasets_of(config: Config, draft: Draft) -> Iterator[tuple[Path, Dataset]]:
    """Yield every dataset with its path; a key of it that is wrong has a stand-in."""
    for key in ("datasets", "test_datasets"):
        entries: tuple[Dataset, ...] = getattr(config, key)
        for index, dataset in enumerate(entries):
            path = (key, index)
            if draft.given(key) and not draft.is_bad(path):
                yield path, dataset


def has_eval_data(config: Config) -> bool:
    """Whether there is anything to evaluate on."""
    return config.val_set_size > 0 or bool(config.test_datasets)


def may_evaluate(asked: Asked) -> bool:
    """Whether there is anything to evaluate on, or something that is meant to be it."""
    # Evaluation data whose key is wrong is evaluation data still.
    return (
        has_eval_data(asked.config)
        or asked.draft.is_bad(("val_set_size",))
        or any(bad[0] == "test_datasets" for bad in asked.draft.bad)
        or bool(asked.value("do_bench_eval"))
    )
