"""Keys that say how text becomes ids: the tokenizer, its special tokens and the chat template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from ft_core.config.problems import shown
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Choice,
    Flag,
    FreeMap,
    PathText,
    Planned,
    Text,
    TextList,
    TextMap,
    names,
    rejected,
)

BUILTIN_TEMPLATES = names(
    "alpaca aya chatml cohere deepseek_v2 deepseek_v3 exaone exaone4 falcon_h1 gemma gemma3 gemma3n jamba llama3 "
    "llama3_2_vision llama4 metharme mistral_v1 mistral_v2v3 mistral_v3_tekken mistral_v7_tekken phi_3 phi_35 phi_4 "
    "qwen_25 qwen3"
)
"""Templates that come with this package."""

PLANNED_TEMPLATES = names(
    "command_a command_a_rag command_a_tool_use gemma4 gemma4_unified llava nemotron_h pixtral qwen2_vl qwen3_5"
)
"""Further templates that Axolotl has built in."""

FALLBACK = "tokenizer_default_fallback_"
"""Before the name of a built-in template: that one, where the tokenizer has none."""

TEMPLATE_CHOICE = Choice(
    ("tokenizer_default", "jinja", *BUILTIN_TEMPLATES),
    PLANNED_TEMPLATES,
    "use 'tokenizer_default' for the template that comes with the tokenizer, or give the template's text or file as "
    "chat_template_jinja",
    planned_pattern=FALLBACK + ".+",
    pattern=f"{FALLBACK}({'|'.join(BUILTIN_TEMPLATES)})",
)

TOKENIZER_CLASS = Planned("remove it: the tokenizer's own files say how it is loaded")


@dataclass(frozen=True)
class TokenMap(TextMap):
    """A map from the id of a token to text."""

    def check(self, value: object) -> dict[str, Any]:
        """Return the map."""
        checked = super().check(value)
        for key in checked:
            if not key.isdecimal():
                raise rejected(f"must map ids of tokens, and {shown(key)} is none", "", key)
        return checked

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a map from ids to texts"


class SpecialTokens(Topic):
    """Special tokens to use in place of the tokenizer's own; one that its vocabulary does not hold is added."""

    bos_token: Annotated[str | None, Text()] = None
    """Token that begins a text. Example: ``bos_token: <s>``."""

    eos_token: Annotated[str | None, Text()] = None
    """Token that ends a text. Example: ``eos_token: <|im_end|>``."""

    pad_token: Annotated[str | None, Text()] = None
    """Token that fills a batch; never trained on. Example: ``pad_token: <pad>``."""

    unk_token: Annotated[str | None, Text()] = None
    """Token for what the vocabulary does not hold. Example: ``unk_token: <unk>``."""

    additional_special_tokens: Annotated[tuple[str, ...] | None, TextList()] = None
    """Further tokens that are never split, and left out where text is shown without special tokens. Those that the
    vocabulary does not hold are added, and their embeddings trained.
    Example: ``additional_special_tokens: ['<tool>', '</tool>']``."""


class TokenizerKeys(Topic):
    """The tokenizer and the chat template."""

    tokenizer_config: Annotated[str | None, PathText()] = None
    """Folder or hub name of the tokenizer. Default: that of base_model.
    Example: ``tokenizer_config: HuggingFaceTB/SmolLM2-135M-Instruct``."""

    tokenizer_type: Annotated[str, Text()] = "AutoTokenizer"
    """The tokenizer's class. The class that the checkpoint names is used whatever stands here: a ``...Tokenizer`` name
    is accepted for the sake of existing configs. Example: ``tokenizer_type: AutoTokenizer``."""

    tokenizer_use_fast: Annotated[bool | None, Flag(), TOKENIZER_CLASS] = None
    """Whether the tokenizer written in Rust is used, which also tells which characters each token came from. Default:
    where the model has one. Example: ``tokenizer_use_fast: true``."""

    tokenizer_legacy: Annotated[bool | None, Flag(), TOKENIZER_CLASS] = None
    """Whether a Llama or T5 tokenizer treats spaces after special tokens as it did before
    https://github.com/huggingface/transformers/pull/24565. Default: what the tokenizer's files say.
    Example: ``tokenizer_legacy: false``."""

    tokenizer_use_mistral_common: Annotated[bool, Flag(), Planned("remove it: Transformers' own is used")] = (
        False
    )
    """Whether Mistral's package mistral-common tokenizes and renders conversations, in place of Transformers.
    Example: ``tokenizer_use_mistral_common: true``."""

    special_tokens: SpecialTokens = SpecialTokens()
    """Special tokens to use in place of the tokenizer's own; one that its vocabulary does not hold is added.
    Example: ``special_tokens: {pad_token: <pad>}``."""

    tokens: Annotated[tuple[str, ...] | None, TextList()] = None
    """Tokens that are added to the vocabulary. The embeddings grow with it, and the new rows are trained: with an adapter
    too, which saves them. Example: ``tokens: ['<think>', '</think>']``."""

    added_tokens_overrides: Annotated[dict[int, str] | None, TokenMap()] = None
    """New text for reserved tokens of the vocabulary, by their id; its size stays the same, and their rows are trained.
    Example: ``added_tokens_overrides: {128041: <think>}``."""

    chat_template: Annotated[str, TEMPLATE_CHOICE] = "tokenizer_default"
    """How a conversation becomes text: ``tokenizer_default`` (the template that comes with the tokenizer), ``jinja`` (the
    one in chat_template_jinja), the name of a template that comes with this package, or
    ``tokenizer_default_fallback_chatml`` and the like (that one, where the tokenizer has none).
    Example: ``chat_template: chatml``."""

    chat_template_jinja: Annotated[str | None, PathText()] = None
    """A chat template: its Jinja text, or the path of a file that holds it.
    Example: ``chat_template_jinja: template.jinja``."""

    chat_template_kwargs: Annotated[dict[str, Any] | None, FreeMap()] = None
    """Variables that the chat template reads besides the messages.
    Example: ``chat_template_kwargs: {enable_thinking: false}``."""

    default_system_message: Annotated[str | None, Text()] = None
    """System message of conversations that have none, in place of what the chat template writes then.
    Example: ``default_system_message: You are a helpful assistant``."""

    eot_tokens: Annotated[tuple[str, ...] | None, TextList()] = None
    """Tokens that end a turn in the chat template; each must be one token. Default: the tokenizer's EOS token.
    Example: ``eot_tokens: ['<|im_end|>']``."""
