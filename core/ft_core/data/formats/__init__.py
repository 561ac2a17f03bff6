"""The dataset types: each module turns a row of one kind into a `Document`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_core.data.document import Format
from ft_core.data.formats import alpaca, chat_template, completion
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

_FORMATS = {
    "alpaca": alpaca.prepare,
    "chat_template": chat_template.prepare,
    "completion": completion.prepare,
}


def resolve_format(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:
    """Return how rows of `dataset` are read, with everything settled that does not depend on the row.

    Raises
    ------
    DataError
        There is no such type, or its options do not fit the tokenizer.
    """
    prepare = _FORMATS.get(dataset.type)
    if prepare is None:
        raise DataError(f"There is no dataset type '{dataset.type}'.", f"Use one of: {', '.join(_FORMATS)}.")
    return prepare(config, dataset, tokenizer)
