"""An empty type: rows that hold ids, the labels of these ids, and what is padding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.data.document import Format, Tokenized
from ft_core.data.formats.columns import kind_of, list_of
from ft_core.data.sample import IGNORE
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format for the columns ``input_ids``, ``labels`` and ``attention_mask``, which may be missing."""
    vocabulary = len(tokenizer)

    def render(row: Mapping[str, Any]) -> Tokenized:
        ids, labels = _whole_numbers(row, "input_ids"), _whole_numbers(row, "labels")
        mask = [1] * len(ids) if row.get("attention_mask") is None else _whole_numbers(row, "attention_mask")
        for name, values in (("labels", labels), ("attention_mask", mask)):
            if len(values) != len(ids):
                raise DataError(
                    f"'{name}' has {len(values):,} entries and 'input_ids' {len(ids):,}; there must be one for each token."
                )
        _check_range("input_ids", ids, vocabulary)
        _check_range("labels", [label for label in labels if label != IGNORE], vocabulary)
        start, stop = _inside(mask)
        return Tokenized(tuple(ids[start:stop]), tuple(labels[start:stop]))

    return Format(fields=("input_ids", "labels"), render=render)


def _whole_numbers(row: Mapping[str, Any], name: str) -> list[int]:
    values = list_of(row, name, "whole numbers")
    for number, value in enumerate(values, 1):
        if type(value) is not int:
            raise DataError(
                f"'{name}' must be a list of whole numbers, and entry {number} is {kind_of(value)}.",
            )
    return values


def _check_range(name: str, values: list[int], vocabulary: int) -> None:
    for value in values:
        if not 0 <= value < vocabulary:
            raise DataError(
                f"'{name}' holds {value}, and the tokenizer has the tokens 0 to {vocabulary - 1:,}.",
                "Tokenize the data with the tokenizer of base_model; a label that is not trained is -100.",
            )


def _inside(mask: list[int]) -> tuple[int, int]:
    """Return where the tokens begin and end that are no padding."""
    if any(value not in (0, 1) for value in mask):
        raise DataError("'attention_mask' must hold 1 for a token and 0 for padding, and nothing else.")
    if 1 not in mask:
        return 0, 0
    start, stop = mask.index(1), len(mask) - mask[::-1].index(1)
    if 0 in mask[start:stop]:
        raise DataError(
            "'attention_mask' hides tokens between others; only padding at the ends may be 0.",
            "Set their labels to -100 in place of hiding them.",
        )
    return start, stop
