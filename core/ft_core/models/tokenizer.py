"""The tokenizer that a config names, with the special tokens it chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_core.errors import ModelError
from ft_core.models.source import explain_load_error

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

# Tokens that model makers reserve for padding, most specific first.
_PAD_TOKENS = ("<pad>", "<|pad|>", "[PAD]", "<|finetune_right_pad_id|>", "<|padding|>", "<|endoftext|>")


def load_tokenizer(config: Config) -> PreTrainedTokenizerBase:
    """Load the tokenizer of `config.tokenizer_config`, or the base model's, and apply `special_tokens`.

    A tokenizer without a padding token gets one: a token its vocabulary reserves for it, else the unknown token, else
    the end of sequence. Nothing depends on which, because batches mask padding by length and never by id, so the end
    of sequence keeps its label (https://github.com/huggingface/transformers/issues/23530).

    Raises
    ------
    ModelError
        The tokenizer is not there, is gated, lacks a token that the config names, or cannot say that a text ends.
    MissingExtra
        A package it needs is not installed.
    """
    from transformers import AutoTokenizer

    name = config.tokenizer_config or config.base_model
    # The revision is one of the base model's repository, and says nothing about another one.
    revision = config.revision_of_model if name == config.base_model else None
    try:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(
            name, revision=revision or "main", trust_remote_code=config.trust_remote_code
        )
    except Exception as error:
        if explained := explain_load_error(error, name, "tokenizer"):
            raise explained from error
        raise
    _choose_special_tokens(config, tokenizer)
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"The tokenizer '{name}' has no end-of-sequence token, so a model could never learn to stop.",
            "Name one: special_tokens: {eos_token: ...}",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = _pad_token(tokenizer)
    tokenizer.padding_side = "right"
    return tokenizer


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id that fills rows up, of a tokenizer that `load_tokenizer` returned."""
    found = tokenizer.pad_token_id
    assert isinstance(found, int)
    return found


def _choose_special_tokens(config: Config, tokenizer: PreTrainedTokenizerBase) -> None:
    """Give `tokenizer` the config's special tokens, each of which its vocabulary must already hold."""
    chosen = {role: token for role, token in config.special_tokens if token}
    vocabulary = tokenizer.get_vocab() if chosen else {}
    for role, token in chosen.items():
        if token not in vocabulary:
            raise ModelError(
                f"special_tokens: {role}: the tokenizer's vocabulary has no token '{token}'.",
                "Name one that it has; a new token would need embeddings that the model does not have.",
            )
        setattr(tokenizer, role, token)


def _pad_token(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the token to pad with, for a tokenizer that names none."""
    vocabulary = tokenizer.get_vocab()
    for token in _PAD_TOKENS:
        if token in vocabulary and token != tokenizer.eos_token:
            return token
    return str(tokenizer.unk_token or tokenizer.eos_token)
