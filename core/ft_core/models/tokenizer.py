"""The tokenizer that a config names, with the special and the new tokens that it asks for."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError
from ft_core.models.added_tokens import (
    ROLES,
    TokenChanges,
    changes,
    refused_overrides,
    renamed,
    wanted_tokens,
    with_new_texts,
)
from ft_core.models.source import explain_load_error

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

# Tokens that model makers reserve for padding, most specific first.
_PAD_TOKENS = ("<pad>", "<|pad|>", "[PAD]", "<|finetune_right_pad_id|>", "<|padding|>", "<|endoftext|>")


def load_tokenizer(config: Config) -> PreTrainedTokenizerBase:
    """Return the tokenizer that `load_vocabulary` returns, for whoever has no model to fit to it."""
    return load_vocabulary(config)[0]


def load_vocabulary(config: Config) -> tuple[PreTrainedTokenizerBase, TokenChanges]:
    """Load the tokenizer of `config.tokenizer_config`, or the base model's, with the tokens that the config asks for.

    These are `special_tokens`, `tokens` and `added_tokens_overrides`. A tokenizer without a padding token gets one: a token
    its vocabulary reserves for it, else the unknown token, else the end of sequence. Nothing depends on which, because
    batches mask padding by length and never by id, so the end of sequence keeps its label
    (https://github.com/huggingface/transformers/issues/23530).

    Returns
    -------
    tuple
        The tokenizer, and how it differs from the one on disk: the model may lack embeddings for its new tokens.

    Raises
    ------
    ModelError
        The tokenizer is not there, is gated, has no such reserved token as the config overrides, or cannot say that a text
        ends.
    MissingExtra
        A package it needs is not installed.
    """
    name = config.tokenizer_config or config.base_model
    # The revision is one of the base model's repository, and says nothing about another one.
    revision = config.revision_of_model if name == config.base_model else None
    tokenizer = _load(config, name, revision)
    before: dict[str, int] = tokenizer.get_vocab()
    if config.added_tokens_overrides:
        tokenizer = _override(config, tokenizer, before)
    _add_tokens(config, tokenizer)
    if tokenizer.eos_token_id is None:
        raise ModelError(
            f"The tokenizer '{name}' has no end-of-sequence token, so a model could never learn to stop.",
            "Name one: special_tokens: {eos_token: ...}",
        )
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = _pad_token(tokenizer)
    tokenizer.padding_side = "right"
    return tokenizer, changes(config, before, tokenizer.get_vocab())


def pad_token_id(tokenizer: PreTrainedTokenizerBase) -> int:
    """Return the id that fills rows up, of a tokenizer that `load_tokenizer` returned."""
    found = tokenizer.pad_token_id
    assert isinstance(found, int)
    return found


def _load(config: Config, name: str, revision: str | None) -> PreTrainedTokenizerBase:
    """Load a tokenizer from a folder or the hub."""
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(
            name, revision=revision or "main", trust_remote_code=config.trust_remote_code
        )
    except Exception as error:
        if explained := explain_load_error(error, name, "tokenizer"):
            raise explained from error
        raise


def _override(
    config: Config, tokenizer: PreTrainedTokenizerBase, vocabulary: dict[str, int]
) -> PreTrainedTokenizerBase:
    """Return `tokenizer` with the texts of ``added_tokens_overrides``, by way of its files: none can be renamed in memory."""
    reserved = {index: str(token) for index, token in tokenizer.added_tokens_decoder.items()}
    roles = {role: str(token) for role, token in tokenizer.special_tokens_map.items()}
    for message, fix in refused_overrides(config, vocabulary, reserved, roles):
        raise ModelError(f"{message}.", f"{fix[0].upper()}{fix[1:]}.")
    overrides = config.added_tokens_overrides or {}
    texts = {reserved[index]: text for index, text in overrides.items()}
    with tempfile.TemporaryDirectory(prefix="ft-tokenizer-") as name:
        folder = Path(name)
        tokenizer.save_pretrained(folder)
        for file in folder.glob("*.json"):
            text = file.read_text(encoding="utf-8")
            if file.name == "tokenizer.json":
                text = with_new_texts(text, overrides)
            elif file.name in ("tokenizer_config.json", "special_tokens_map.json"):
                text = json.dumps(renamed(json.loads(text), texts), ensure_ascii=False)
            file.write_text(text, encoding="utf-8")
        changed = _load(config, name, None)
    changed.name_or_path = tokenizer.name_or_path
    for index, text in overrides.items():
        if changed.convert_tokens_to_ids(text) != index:
            raise ModelError(
                f"This tokenizer does not let the text of its token {index} be replaced.",
                "Use 'tokens' to add the text instead.",
            )
    return changed


def _add_tokens(config: Config, tokenizer: PreTrainedTokenizerBase) -> None:
    """Put every token that the config names into the vocabulary, whole, where it is not yet."""
    from transformers import AddedToken

    chosen: dict[str, Any] = {
        role: AddedToken(token, special=True, normalized=False)
        for role in ROLES
        if (token := getattr(config.special_tokens, role))
    }
    if chosen:
        tokenizer.add_special_tokens(chosen)
    for wanted in wanted_tokens(config)[len(chosen) :]:
        token = AddedToken(wanted.text, special=wanted.special, normalized=False)
        if wanted.special:
            tokenizer.add_special_tokens(
                {"extra_special_tokens": [token]}, replace_extra_special_tokens=False
            )
        else:
            tokenizer.add_tokens([token])


def _pad_token(tokenizer: PreTrainedTokenizerBase) -> str:
    """Return the token to pad with, for a tokenizer that names none."""
    vocabulary = tokenizer.get_vocab()
    for token in _PAD_TOKENS:
        if token in vocabulary and token != tokenizer.eos_token:
            return token
    return str(tokenizer.unk_token or tokenizer.eos_token)
