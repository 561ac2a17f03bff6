r"""Whether a model is asked in the words it was trained on.

For each answer of a conversation: the ids that a chat sends to ask for it, beside the ids that training has before it. They
must be equal, id for id; where they are not, the first difference is found, and what causes it::

    training   <|im_start|> user \n Hi <|im_end|> \n <|im_start|> assistant \n <think> \n\n </think> \n\n | Hello
    chat       <|im_start|> user \n Hi <|im_end|> \n <|im_start|> assistant \n                              |
                                                                                ^ the empty thinking

A difference is explained by trying: the prompt is written once more without what is suspected (the tools, another template,
``enable_thinking``), and what makes it equal is the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset
    from ft_core.data import Sample

CauseName = Literal[
    "bos",
    "template",
    "tools",
    "truncated",
    "default_system",
    "thinking",
    "whitespace",
    "merged",
    "header",
    "refused",
    "first",
    "earlier_turns",
]


@dataclass(frozen=True)
class Side:
    """Some ids, and the text of each."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Turn:
    """The prompt of one answer beside the training ids before it.

    Attributes
    ----------
    turn
        Which message the answer is, counted from 0.
    equal
        Whether the two are the same ids.
    at
        The first token that differs; None where none does.
    start
        The number of the first token of the two sides.
    training, prompt
        The tokens around the difference.
    name
        The kind of cause, for counting; empty where they are equal.
    cause, fix
        What makes them differ, and what to do.
    """

    turn: int
    equal: bool
    at: int | None = None
    start: int = 0
    training: Side = Side((), ())
    prompt: Side = Side((), ())
    name: CauseName | Literal[""] = ""
    cause: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Parity:
    """The answers of a row, or why there is nothing to compare.

    Attributes
    ----------
    turns
        One for each answer that has tokens in the sample.
    message, fix
        Why there are none, and what to do; empty where there are.
    """

    turns: tuple[Turn, ...] = ()
    message: str = ""
    fix: str = ""

    @property
    def differs(self) -> bool:
        """Whether a chat will ask for one of the answers in other ids than training has."""
        return any(not turn.equal for turn in self.turns)


Check = Callable[[Mapping[str, Any], "Sample"], Parity]
"""From a row and its sample."""


def parity(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    row: Mapping[str, Any],
    sample: Sample,
) -> Parity:
    """Return the prompt of a chat beside the training ids, for each answer of a row.

    Parameters
    ----------
    config, tokenizer, dataset
        As for `ft_core.data.tokenize_rows`.
    row
        The row.
    sample
        What it became.
    """
    return parity_check(config, tokenizer, dataset)(row, sample)


def parity_check(config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset) -> Check:
    """Return `parity` for the rows of one dataset, with all settled that does not depend on a row."""
    raise NotImplementedError
