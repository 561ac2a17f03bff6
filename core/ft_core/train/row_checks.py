"""What the first rows say of the data, told by the files alone, before a tokenizer is loaded."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ft_core.config import Problem
from ft_core.data import read_rows
from ft_core.data.files import Skipped
from ft_core.data.template import resolve_template
from ft_core.errors import DataError
from ft_core.inspection.flags import FLAGS, names_of
from ft_core.inspection.row_flags import character_flags, read_flags, texts_in
from ft_core.train.light_tokenizer import LightTokenizer

if TYPE_CHECKING:
    from ft_core.config import Config, Dataset

FIRST = 200
"""Rows of each dataset that are looked at: so few are read within milliseconds."""

_NOT_TOLD = ("unanswered",)
"""What is no fault."""


def check_first_rows(config: Config, tokenizer: LightTokenizer | None) -> list[Problem]:
    """Return a warning for each thing that is wrong with some of the first rows of the datasets to train on.

    Parameters
    ----------
    config
        The run's config.
    tokenizer
        The files of its tokenizer, None where they are not here.

    Raises
    ------
    DataError
        A dataset's file does not exist or cannot be read.
    """
    problems: list[Problem] = []
    for index, dataset in enumerate(config.datasets):
        rows, counts, unknown = _look(config, dataset, _template(config, dataset, tokenizer))
        for flag in FLAGS:
            if not counts[flag.name] or flag.name in _NOT_TOLD:
                continue
            named = f" ({', '.join(map(repr, unknown))})" if flag.name == "unknown_role" else ""
            message = f"{counts[flag.name]} of the first {rows} rows: {flag.title.lower()}{named}; {_lower(flag.description)}"
            problems.append(
                config.problem(
                    f"datasets[{index}].path", message.removesuffix("."), flag.fix, severity="warning"
                )
            )
    return problems


def _look(config: Config, dataset: Dataset, template: str) -> tuple[int, Counter[str], list[str]]:
    """Return how many rows were looked at, how many have which flags, and the roles that nobody knows."""
    rows, counts, unknown = 0, Counter[str](), dict[str, None]()
    # Those that cannot be read are told with the lengths of the others.
    for _, row in read_rows(dataset, limit=FIRST, seed=config.seed, skipped=Skipped()):
        rows += 1
        is_chat = dataset.type == "chat_template"
        bits = character_flags("\n".join(texts_in(row.get(dataset.field_messages) if is_chat else row)))
        if is_chat and (said := read_flags(row, dataset, template)):
            bits |= said.bits
            unknown.update(dict.fromkeys(said.unknown))
        counts.update(names_of(bits))
    return rows, counts, list(unknown)


def _template(config: Config, dataset: Dataset, tokenizer: LightTokenizer | None) -> str:
    light: Any = tokenizer
    # A template that is not there is told with the ends of turns.
    with suppress(DataError):
        return resolve_template(config, light, dataset).text if light is not None else ""
    return ""


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
