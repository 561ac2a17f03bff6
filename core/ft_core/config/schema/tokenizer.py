"""Keys that say how text becomes ids: the tokenizer, its special tokens and the chat template."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, PathText, Text, TextList, names

ChatTemplate = Literal["tokenizer_default", "jinja", "chatml"]

PLANNED_TEMPLATES = names(
    "alpaca aya cohere command_a command_a_rag command_a_tool_use deepseek_v2 deepseek_v3 exaone exaone4 "
    "falcon_h1 gemma gemma3 gemma3n gemma4 gemma4_unified jamba llama3 llama3_2_vision llama4 llava "
    "metharme mistral_v1 mistral_v2v3 mistral_v3_tekken mistral_v7_tekken nemotron_h phi_3 phi_35 pixtral "
    "qwen2_vl qwen3 qwen3_5 qwen_25 tokenizer_default_fallback_chatml"
)

TEMPLATE_CHOICE = Choice(
    get_args(ChatTemplate),
    PLANNED_TEMPLATES,
    "use 'tokenizer_default' for the template that comes with the tokenizer, or give the template's text or file as "
    "chat_template_jinja",
)


class SpecialTokens(Topic):
    """Special tokens to use in place of the tokenizer's own; each must already be in its vocabulary."""

    bos_token: Annotated[str | None, Text()] = None
    """Token that begins a text."""

    eos_token: Annotated[str | None, Text()] = None
    """Token that ends a text."""

    pad_token: Annotated[str | None, Text()] = None
    """Token that fills a batch; never trained on."""

    unk_token: Annotated[str | None, Text()] = None
    """Token for what the vocabulary does not hold."""


class TokenizerKeys(Topic):
    """The tokenizer and the chat template."""

    tokenizer_config: Annotated[str | None, PathText()] = None
    """Folder or hub name of the tokenizer. Default: that of base_model."""

    tokenizer_type: Annotated[str, Text()] = "AutoTokenizer"
    """The tokenizer's class. The class that the checkpoint names is used whatever stands here: a ``...Tokenizer`` name
    is accepted for the sake of existing configs."""

    special_tokens: SpecialTokens = SpecialTokens()
    """Special tokens to use in place of the tokenizer's own; each must already be in its vocabulary."""

    chat_template: Annotated[ChatTemplate, TEMPLATE_CHOICE] = "tokenizer_default"
    """How a conversation becomes text: ``tokenizer_default`` (the template that comes with the tokenizer), ``chatml``, or
    ``jinja`` (the one in chat_template_jinja)."""

    chat_template_jinja: Annotated[str | None, PathText()] = None
    """A chat template: its Jinja text, or the path of a file that holds it."""

    eot_tokens: Annotated[tuple[str, ...] | None, TextList()] = None
    """Tokens that end a turn in the chat template; each must be one token. Default: the tokenizer's EOS token."""
