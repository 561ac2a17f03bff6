"""Text to ids, and chats to text, without transformers: for estimates, in a plan that must be on screen within a second.

What training gets comes from `ft_core.data` with the real tokenizer, and from nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.template import render, resolve_template
from ft_core.errors import DataError
from ft_core.models.added_tokens import (
    TokenChanges,
    changes,
    refused_overrides,
    wanted_tokens,
    with_new_texts,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from ft_core.config import Config, Dataset

_LARGEST = 40_000_000  # bytes of a tokenizer.json; a larger one takes too long to read for a plan


class LightTokenizer:
    """The files of a tokenizer, with as much of a tokenizer's manners as rendering a chat needs."""

    def __init__(self, folder: Path, tokenizer: Tokenizer) -> None:
        self.name_or_path = str(folder)
        self._tokenizer = tokenizer
        self._settings = _settings(folder)
        self._template = _read(folder / "chat_template.jinja")

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        """Return the ids of `text`, under the name that transformers gives them."""
        return {"input_ids": list(self._tokenizer.encode(text, add_special_tokens=add_special_tokens).ids)}

    @property
    def eos_token(self) -> str | None:
        """The token that ends a text."""
        return _special_tokens(self._settings)["eos_token"] or None

    @property
    def added_tokens_decoder(self) -> dict[int, Any]:
        """The tokens that are never split, by their ids."""
        return self._tokenizer.get_added_tokens_decoder()

    def with_tokens(self, config: Config) -> tuple[LightTokenizer, TokenChanges]:
        """Return the same with the tokens that `config` adds and overrides, and what became of the vocabulary.

        What `refused_overrides` reports is left as it is.
        """
        from tokenizers import AddedToken, Tokenizer

        before = self.vocabulary
        wanted = wanted_tokens(config)
        overrides = config.added_tokens_overrides or {}
        if not wanted and not overrides:
            return self, changes(config, before, before)
        other = copy(self)
        text = self._tokenizer.to_str()
        other._tokenizer = Tokenizer.from_str(with_new_texts(text, overrides) if overrides else text)
        for token in wanted:
            added = AddedToken(token.text, special=token.special, normalized=False)
            add = other._tokenizer.add_special_tokens if token.special else other._tokenizer.add_tokens
            add([added])
        return other, changes(config, before, other.vocabulary)

    @property
    def vocabulary(self) -> dict[str, int]:
        """The id of every token."""
        return self._tokenizer.get_vocab(with_added_tokens=True)

    def refused_overrides(self, config: Config) -> list[tuple[str, str]]:
        """Return a message and a fix for each of ``added_tokens_overrides`` that cannot be carried out."""
        if not config.added_tokens_overrides:
            return []
        reserved = {index: str(token.content) for index, token in self.added_tokens_decoder.items()}
        roles = {role: text for role, text in _special_tokens(self._settings).items() if text}
        return refused_overrides(config, self.vocabulary, reserved, roles)

    def with_special_tokens(self, chosen: Mapping[str, str]) -> LightTokenizer:
        """Return the same with other special tokens, as ``special_tokens`` of a config names them."""
        other = copy(self)
        other._settings = {**self._settings, **chosen}
        return other

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return the ids of each text, with nothing put before or after it."""
        encoded = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [list(each.ids) for each in encoded]

    def get_chat_template(self) -> str:
        """Return the template that comes with the tokenizer.

        Raises
        ------
        ValueError
            It has none.
        """
        given = self._settings.get("chat_template")
        if template := self._template or (given if isinstance(given, str) else ""):
            return template
        raise ValueError("no chat template")

    def apply_chat_template(self, turns: Sequence[Mapping[str, Any]], **keys: Any) -> str:
        """Return what the template `keys` name writes of `turns`, in Jinja's sandbox, about as transformers does."""
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        environment = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        template = environment.from_string(keys["chat_template"])
        return template.render(messages=turns, **_special_tokens(self._settings), **keys)

    def render_chat(self, row: Mapping[str, Any], dataset: Dataset, config: Config) -> str:
        """Return a row as its chat template writes it, or an empty text where that takes the real tokenizer."""
        own: Any = self
        roles = {source: target for target, sources in dataset.roles.items() for source in sources}
        messages = [{**turn, "role": roles.get(turn["role"], turn["role"])} for turn in turns(row, dataset)]
        try:
            return render(own, resolve_template(config, own, dataset), messages)
        except DataError:
            return ""


def read_tokenizer(folder: Path | None) -> LightTokenizer | None:
    """Return the tokenizer in `folder`, or None where that has no ``tokenizer.json`` that can be read."""
    file = folder / "tokenizer.json" if folder else None
    if folder is None or file is None or not file.is_file() or file.stat().st_size > _LARGEST:
        return None
    from tokenizers import Tokenizer

    try:
        return LightTokenizer(folder, Tokenizer.from_file(str(file)))
    except Exception:  # noqa: BLE001 - the library raises plain Exception for a file that it cannot read
        return None


def turns(row: Mapping[str, Any], dataset: Dataset) -> list[dict[str, str]]:
    """Return the messages of a row, each with its role and content as text; what is no message is left out."""
    messages = row.get(dataset.field_messages)
    names = dataset.message_property_mappings
    return [
        {"role": str(turn.get(names["role"]) or "user"), "content": str(turn.get(names["content"]) or "")}
        for turn in cast("list[Any]", messages if isinstance(messages, list) else [])
        if isinstance(turn, Mapping)
    ]


def _special_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return the special tokens that templates name, such as ``bos_token``."""
    found: dict[str, str] = {}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        token = settings.get(name)
        content = cast("dict[str, Any]", token).get("content") if isinstance(token, dict) else token
        found[name] = content if isinstance(content, str) else ""
    return found


def _settings(folder: Path) -> dict[str, Any]:
    """Return ``tokenizer_config.json``, empty where there is none."""
    try:
        loaded: object = json.loads(_read(folder / "tokenizer_config.json") or "{}")
    except ValueError:
        return {}
    return cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
