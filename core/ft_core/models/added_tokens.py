"""Tokens that a config adds to a vocabulary, or writes over reserved ones: which they are, and their ids. Torch-free.

Axolotl's order decides the ids: the chosen special tokens, ``tokens``, then ``additional_special_tokens``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from ft_core.config.problems import shown

if TYPE_CHECKING:
    from ft_core.config import Config

ROLES = ("bos_token", "eos_token", "pad_token", "unk_token")
"""Special tokens that a config may choose."""

_SPARE = ("reserved", "unused", "placeholder", "extra_id", "extra_token")
_NAMED = 6  # reserved tokens that a message names


@dataclass(frozen=True)
class TokenChanges:
    """How a config's tokenizer differs from the one on disk.

    Attributes
    ----------
    added
        New tokens and their ids.
    replaced
        New texts of reserved tokens, and their ids.
    own_rows
        Embeddings that the tokenizer needs as it is on disk: its highest id and one.
    rows
        Embeddings that it needs with its new tokens.
    """

    added: Mapping[str, int] = field(default_factory=dict[str, int])
    replaced: Mapping[str, int] = field(default_factory=dict[str, int])
    own_rows: int = 0
    rows: int = 0

    @property
    def ids(self) -> frozenset[int]:
        """The ids of tokens that no model has learned under their text."""
        return frozenset({*self.added.values(), *self.replaced.values()})


@dataclass(frozen=True)
class WantedToken:
    """A token that a config names.

    Attributes
    ----------
    key
        Where, as a dotted path.
    text
        The token.
    special
        Whether it is left out where text is shown without special tokens.
    """

    key: str
    text: str
    special: bool


def wanted_tokens(config: Config) -> list[WantedToken]:
    """Return every token that must be in the vocabulary, in the order in which new ones get their ids."""
    chosen = config.special_tokens
    named = ((role, getattr(chosen, role)) for role in ROLES)
    return [
        *(WantedToken(f"special_tokens.{role}", text, special=True) for role, text in named if text),
        *(WantedToken(f"tokens[{at}]", text, special=False) for at, text in enumerate(config.tokens or ())),
        *(
            WantedToken(f"special_tokens.additional_special_tokens[{at}]", text, special=True)
            for at, text in enumerate(chosen.additional_special_tokens or ())
        ),
    ]


def changes(config: Config, before: Mapping[str, int], after: Mapping[str, int]) -> TokenChanges:
    """Return what became of a vocabulary.

    Parameters
    ----------
    config
        What asked for it.
    before, after
        The ids of all tokens, as they are on disk and now.
    """
    replaced = {text: index for index, text in sorted((config.added_tokens_overrides or {}).items())}
    known = {*before, *replaced}
    return TokenChanges(
        added={
            wanted.text: after[wanted.text] for wanted in wanted_tokens(config) if wanted.text not in known
        },
        replaced=replaced,
        own_rows=max(before.values(), default=-1) + 1,
        rows=max(after.values(), default=-1) + 1,
    )


def known_tokens(config: Config, vocabulary: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return the place and the sentence for each token that is to be added and is there already.

    Parameters
    ----------
    config
        The run's config.
    vocabulary
        The ids of all tokens as they are on disk.
    """
    return [
        (
            wanted.key,
            f"{shown(wanted.text)} is in the vocabulary already, with the id {vocabulary[wanted.text]}: nothing is added",
        )
        for wanted in wanted_tokens(config)
        if wanted.text in vocabulary and not wanted.key.removeprefix("special_tokens.").startswith(ROLES)
    ]


def refused_overrides(
    config: Config, vocabulary: Mapping[str, int], reserved: Mapping[int, str], roles: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Return a message and a fix for each of ``added_tokens_overrides`` that cannot be carried out.

    Parameters
    ----------
    config
        The run's config.
    vocabulary
        The ids of all tokens as they are on disk.
    reserved
        The text of each token that was added to the vocabulary, by its id.
    roles
        The special tokens in use, such as ``{"eos_token": "</s>"}``.
    """
    found: list[tuple[str, str]] = []
    in_use = {text: role for role, text in sorted(roles.items(), reverse=True)}
    spare = {index: text for index, text in sorted(reserved.items()) if text not in in_use}
    marked = {index: text for index, text in spare.items() if any(mark in text for mark in _SPARE)}
    some = ", ".join(f"{index} ({text})" for index, text in list((marked or spare).items())[:_NAMED])
    fix = f"use one of its reserved tokens, such as {some}" if some else "use 'tokens' to add the text"
    given: dict[str, int] = {}
    for index, text in (config.added_tokens_overrides or {}).items():
        if index not in reserved:
            message = (
                f"'added_tokens_overrides' names the id {index}, which is no reserved token of this tokenizer"
            )
            found.append((message, fix))
        elif (role := in_use.get(reserved[index])) is not None:
            message = f"'added_tokens_overrides' names the id {index}, which is the tokenizer's {role}"
            found.append((message, fix))
        elif text in vocabulary:
            message = f"'added_tokens_overrides' gives the id {index} the text {shown(text)}, which is the id {vocabulary[text]} already"
            found.append((message, "use another text, or remove the line"))
        elif (other := given.setdefault(text, index)) != index:
            message = (
                f"'added_tokens_overrides' gives the ids {other} and {index} the same text, {shown(text)}"
            )
            found.append((message, "use another text for one of them"))
    return found


def with_new_texts(tokenizer_json: str, overrides: Mapping[int, str]) -> str:
    """Return a ``tokenizer.json`` in which reserved tokens have new texts.

    Parameters
    ----------
    tokenizer_json
        The file's text.
    overrides
        The new text of each id.
    """
    parts: dict[str, Any] = json.loads(tokenizer_json)
    for token in parts["added_tokens"]:
        token["content"] = overrides.get(token["id"], token["content"])
    vocabulary = parts["model"].get("vocab")
    if isinstance(vocabulary, dict):  # of BPE, WordPiece and WordLevel
        ids = cast("dict[str, int]", vocabulary)
        parts["model"]["vocab"] = {overrides.get(index, text): index for text, index in ids.items()}
    elif isinstance(vocabulary, list):  # of Unigram: texts with their scores, in the order of the ids
        pieces = cast("list[tuple[str, float]]", vocabulary)
        parts["model"]["vocab"] = [
            [overrides.get(index, text), score] for index, (text, score) in enumerate(pieces)
        ]
    return json.dumps(parts, ensure_ascii=False)


def renamed(value: Any, texts: Mapping[str, str]) -> Any:
    """Return plain values in which every text that is a key of `texts` has become its value.

    >>> renamed({"extra_special_tokens": ["<r1>", "<r2>"], "model_max_length": 8}, {"<r1>": "<think>"})
    {'extra_special_tokens': ['<think>', '<r2>'], 'model_max_length': 8}
    """
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value)
        return {key: renamed(entry, texts) for key, entry in entries.items()}
    if isinstance(value, list):
        return [renamed(entry, texts) for entry in cast("list[Any]", value)]
    return texts.get(value, value) if isinstance(value, str) else value
