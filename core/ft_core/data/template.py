"""Chat templates: which one is used, and what it makes of a conversation.

The trainer and the chat both come here, so the model is asked in the very words it was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config.schema.tokenizer import FALLBACK
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

Message = Mapping[str, Any]

# What a conversation brings itself, or the renderer needs for its own work.
_RESERVED = (
    "messages", "conversation", "tools", "chat_template", "add_generation_prompt", "continue_final_message",
    "tokenize", "return_dict", "return_tensors", "return_assistant_tokens_mask", "padding", "truncation",
    "max_length", "tokenizer_kwargs",
)  # fmt: skip


@dataclass(frozen=True)
class ChatTemplate:
    """A Jinja template, and in words where it came from.

    Attributes
    ----------
    text
        The template.
    origin
        What the config, or the tokenizer, calls it.
    variables
        What the template may read besides the messages.
    default_system
        The system message of conversations that have none; without it the template decides.
    """

    text: str
    origin: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    default_system: str | None = None


@cache
def builtin_template(name: str) -> str:
    """Return the text of a template that comes with this package, such as ``chatml``."""
    file = resources.files("ft_core.data") / "templates" / f"{name}.jinja"
    return file.read_text(encoding="utf-8").removesuffix("\n")


def resolve_template(
    config: Config | None, tokenizer: PreTrainedTokenizerBase, dataset: Dataset | None = None
) -> ChatTemplate:
    """Return the dataset's template, else the config's, else the tokenizer's.

    Raises
    ------
    DataError
        The template cannot be read, the tokenizer has none, or chat_template_kwargs names what is not a variable.
    """
    text, origin = _choose(config, tokenizer, dataset)
    if config is None:
        return ChatTemplate(text, origin)
    variables = config.chat_template_kwargs or {}
    for name in variables:
        if name in _RESERVED:
            raise DataError(
                f"chat_template_kwargs: '{name}' is not a variable of the template's own.",
                f"Remove '{name}' from chat_template_kwargs.",
            )
    return ChatTemplate(text, origin, variables, config.default_system_message)


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

    turns = [dict(message) for message in messages]
    if template.default_system and (not turns or turns[0].get("role") != "system"):
        turns.insert(0, {"role": "system", "content": template.default_system})
    try:
        # return_dict is passed although it must not matter here: its default changed between versions
        # (https://github.com/huggingface/trl/issues/6105).
        text = tokenizer.apply_chat_template(
            turns,
            tools=None if tools is None else [dict(tool) for tool in tools],
            chat_template=template.text,
            add_generation_prompt=add_generation_prompt,
            tokenize=False,
            return_dict=False,
            **template.variables,
        )
    # A template that adds a number to text, or calls what it should not, fails with an ordinary Python error.
    except (TemplateError, TypeError, AttributeError, KeyError, IndexError, ValueError) as error:
        raise DataError(
            f"The chat template of {template.origin} refuses this conversation: {error}",
            "Change the conversation, or use another chat_template.",
        ) from error
    assert isinstance(text, str)
    return text


def _choose(
    config: Config | None, tokenizer: PreTrainedTokenizerBase, dataset: Dataset | None
) -> tuple[str, str]:
    """Return the text of the template, and where it came from."""
    for owner, where in ((dataset, "the dataset"), (config, "the config")):
        if owner is None:
            continue
        name, jinja = owner.chat_template, owner.chat_template_jinja
        if jinja:
            return _read_jinja(jinja), f"chat_template_jinja of {where}"
        # tokenizer_default means what the next owner in line has.
        if name is None or name in ("tokenizer_default", "jinja"):
            continue
        if not name.startswith(FALLBACK):
            return builtin_template(name), f"chat_template '{name}' of {where}"
        if own := _of_tokenizer(tokenizer):
            return own, "the tokenizer"
        name = name.removeprefix(FALLBACK)
        return builtin_template(name), f"chat_template '{name}' of {where}"
    if own := _of_tokenizer(tokenizer):
        return own, "the tokenizer"
    raise DataError(
        f"The tokenizer '{tokenizer.name_or_path}' has no chat template.",
        "Choose one, such as chat_template: chatml, or give its text as chat_template_jinja.",
    )


def _of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """Return the template that comes with the tokenizer, or None."""
    try:
        return tokenizer.get_chat_template()
    except ValueError:
        return None


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
