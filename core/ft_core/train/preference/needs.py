"""What learning from preferences needs, known before anything is loaded. Torch-free."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.preference.task import Method
from ft_core.errors import MissingExtra

if TYPE_CHECKING:
    from ft_core.config import Config

PIP = "pip install 'ft-jupyter[rl]'"

COMPARED = ("dpo", "ipo", "kto")
"""Methods whose loss compares the model with the one that it started from."""

_ANSWERS = ("chosen", "rejected", "chosen_response", "rejected_response", "completion")


def require_trl(config: Config) -> None:
    """Raise a MissingExtra where TRL is not installed and the config needs it."""
    who = "'reward_model: true'" if config.reward_model else f"'rl: {config.rl}'"
    if (config.reward_model or config.rl) and importlib.util.find_spec("trl") is None:
        raise MissingExtra(f"{who} needs the package 'trl', which is not installed.", PIP)


def keeps_a_copy(config: Config, method: Method) -> bool:
    """Whether a frozen copy of the whole model is compared with: not where an adapter can be switched off."""
    return method in COMPARED and not config.adapter and not config.precompute_ref_log_probs


def pair_text(row: Mapping[str, Any]) -> str:
    """Return about the text that a model sees of a row: the prompt with each answer.

    >>> pair_text({"question": "Why?", "chosen": "Yes.", "rejected": "No."}).split()
    ['Why?', 'Yes.', 'Why?', 'No.']
    """
    answers = [name for name in row if name in _ANSWERS and row[name] is not None]
    prompt = "\n".join(text for name in row if name not in answers for text in _texts(row[name]))
    return "\n".join("\n".join([prompt, *_texts(row[name])]) for name in answers) or prompt


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a value, and those inside its lists and objects."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in cast("Mapping[str, object]", value).values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in cast("list[object]", value):
            yield from _texts(item)
