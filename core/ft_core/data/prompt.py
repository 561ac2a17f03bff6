"""What a chat sends to the model: the ids that ask for the next message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ft_core.data.encode import encode
from ft_core.data.template import ChatTemplate, Message, render, resolve_template

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config


def render_prompt(
    config: Config | None, messages: Sequence[Message], tokenizer: PreTrainedTokenizerBase
) -> list[int]:
    """Return the ids that ask for the next message of a chat, by the template that training uses.

    Raises
    ------
    DataError
        There is no chat template, or it refuses these messages.
    """
    text = render(tokenizer, prompt_template(config, tokenizer), messages, add_generation_prompt=True)
    return [int(token) for token in encode(tokenizer, [text])[0].ids]


def prompt_template(config: Config | None, tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    """Return the template of a chat: that of the first conversations that are trained on.

    Raises
    ------
    DataError
        There is none.
    """
    dataset = (
        next((entry for entry in config.datasets if entry.type == "chat_template"), None) if config else None
    )
    return resolve_template(config, tokenizer, dataset)
