"""Rows that came as ids and labels: samples without a text to tokenise."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from ft_core.data.document import Author, Authors, Tokenized
from ft_core.data.labelled import Labelled
from ft_core.data.sample import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

ROLE = "tokens"
"""The role of tokens of which nobody says who speaks."""

_MASKED = "masked: the row's label is -100"
_TRAINED = "trained: the row's label"
_OTHER = "trained: the row's label, which is another token than this one"


def given_sample(
    row: Tokenized, config: Config, tokenizer: PreTrainedTokenizerBase, number: int, source: str
) -> Labelled:
    """Return the sample of a row, with its end cut off where excess_length_strategy says so.

    Parameters
    ----------
    row
        Its ids and labels.
    config
        What says how long a sample may be.
    tokenizer
        Tells the text of the tokens.
    number
        The number of the row in its source.
    source
        The path of the dataset.
    """
    total = len(row.input_ids)
    keep = min(total, config.sequence_len) if config.excess_length_strategy == "truncate" else total
    ids, labels = row.input_ids[:keep], row.labels[:keep]
    ends: list[int] = []
    texts: list[str] = []
    authors: list[Author] = []
    start = 0
    for rule, run in groupby(map(_rule, ids, labels)):
        end = start + len(list(run))
        text = tokenizer.decode(
            list(ids[start:end]), skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        ends.append(end)
        texts.append(str(text))
        authors.append(Author(ROLE, None, rule != _MASKED, rule))
        start = end
    return Labelled(
        np.array(ids, np.int32),
        np.array(labels, np.int32),
        np.array(ends, np.int32),
        np.arange(len(ends), dtype=np.int32),
        Authors(tuple(authors)),
        np.array([len(text) for text in texts], np.int32),
        "".join(texts),
        number,
        source,
        total - keep,
    )


def _rule(token: int, label: int) -> str:
    return _MASKED if label == IGNORE else _TRAINED if label == token else _OTHER
