"""Chat templates: which one is used, and what it makes of a conversation.

The trainer and the chat both come here, so the model is asked in the very words it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

Message = Mapping[str, Any]

CHATML = (
    "{% for message in messages %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
"""OpenAI's chat markup language, without a default system message."""

_BUILTIN = {"chatml": CHATML}


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja template, and in words where it came from."""

    text: str
    origin: str


def resolve_template(
    config: Config | None, tokenizer: PreTrainedTokenizerBase, dataset: Dataset | None = None
) -> ChatTemplate:
    """Return the dataset's template, else the config's, else the tokenizer's.

    Raises
    ------
    DataError
        The template cannot be read, or the tokenizer has none.
    """
    for owner, where in ((dataset, "the dataset"), (config, "the config")):
        if owner is None:
            continue
        name, jinja = owner.chat_template, owner.chat_template_jinja
        if jinja:
            return ChatTemplate(_read_jinja(jinja), f"chat_template_jinja of {where}")
        if name in _BUILTIN:
            return ChatTemplate(_BUILTIN[name], f"chat_template '{name}' of {where}")
        # What is left, tokenizer_default, means what the next owner in line has.
    try:
        text = tokenizer.get_chat_template()
    except ValueError as error:
        raise DataError(
            f"The tokenizer '{tokenizer.name_or_path}' has no chat template.",
            "Choose one, such as chat_template: chatml, or give its text as chat_template_jinja.",
        ) from error
    return ChatTemplate(text, "the tokenizer")


def render(
    tokenizer: PreTrainedTokenizerBase,
    template: ChatTemplate,
    messages: Sequence[Message],
    *,
    tools: Sequence[Mapping[str, Any]] | None = None,
    add_generation_prompt: bool = False,
) -> str:
    """Return the text of a conversation, rendered in the Jinja sandbox of transformers.

    Raises
    ------
    DataError
        The template refuses the conversation, as some do for roles that do not alternate.
    """
    from jinja2 import TemplateError

    try:
        # return_dict is passed although it must not matter here: its default changed between versions
        # (https://github.com/huggingface/trl/issues/6105).
        text = tokenizer.apply_chat_template(
            [dict(message) for message in messages],
            tools=None if tools is None else [dict(tool) for tool in tools],
            chat_template=template.text,
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
            return_dict=False,
        )
    # A template that adds a number to text, or calls what it should not, fails with an ordinary Python error.
    except (TemplateError, TypeError, AttributeError, KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"The chat template of {template.origin} refuses this conversation: {error}",
            "Change the conversation, or use another chat_template.",
        ) from error
    assert isinstance(text, str)
    return text


def _read_jinja(jinja: str) -> str:
    """Return the template that is `jinja`, or that the file `jinja` holds."""
    if "{" in jinja:
        return jinja
    path = Path(jinja).expanduser()
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"chat_template_jinja: '{jinja}' is neither a template nor a file that can be read.",
            "Give the path of a text file, or the template itself.",
        ) from error
