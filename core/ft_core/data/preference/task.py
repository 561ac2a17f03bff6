"""What a preference type is asked for, and what it makes of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ft_core.data.preference.columns import read_label

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

Method = Literal["dpo", "ipo", "simpo", "orpo", "kto", "reward"]
"""What is trained; ``reward`` is a reward model, all others are values of the key ``rl``."""


def method_of(config: Config) -> Method | None:
    """Return what preferences train by `config`; None where nothing learns from them."""
    return "reward" if config.reward_model else config.rl


Row = Mapping[str, Any]
Example = dict[str, Any]
Transform = Callable[[Row], Example]


@dataclass(frozen=True)
class Task:
    """All that a type may need to know to read rows.

    Attributes
    ----------
    config, dataset, tokenizer
        Where keys, columns and the chat template come from.
    method
        What is trained.
    """

    config: Config
    dataset: Dataset
    tokenizer: PreTrainedTokenizerBase
    method: Method

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses of a finished row: a better and a worse one, or the one that kto judges."""
        return ("completion",) if self.method == "kto" else ("chosen", "rejected")

    def columns(self, response: str) -> tuple[str, ...]:
        """Return the columns that may hold a response, the likeliest first."""
        if response == "completion":
            return ("completion",)
        chosen = self.dataset.field_chosen if response == "chosen" else self.dataset.field_rejected
        return (chosen,) if chosen else (response, f"{response}_response")

    def example(self, row: Row, prompt: str, texts: Sequence[str], *, label: str = "label") -> Example:
        """Return a finished row; kto's verdict is read from the column `label`."""
        finished: Example = {"prompt": prompt, **dict(zip(self.responses, texts, strict=True))}
        if self.method == "kto":
            finished["label"] = read_label(row, label)
        return finished
