"""What a key means, without any config: for help, completion and the reference page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic.fields import FieldInfo

from ft_core.config.config import INNER, TOPICS
from ft_core.config.keys import ADVICE, axolotl_keys, planned
from ft_core.config.problems import clipped, did_you_mean
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Checked, Choice
from ft_core.errors import FtError


@dataclass(frozen=True)
class KeyDoc:
    """The documentation of a key.

    Attributes
    ----------
    key
        Its dotted path, such as ``datasets.path``.
    text
        What it means.
    example
        A line of YAML that sets it; empty where the text gives none.
    topic
        The topic that it belongs to, such as ``adapter``.
    type
        What it accepts, in words.
    allowed
        The names it accepts, where these are few.
    default
        Its value where it is not given; None where there is none or it is derived (the text says how).
    required
        Whether it must be given.
    instead
        For a key that training does not do yet: what to do without it. None for one that works.
    """

    key: str
    text: str
    example: str
    topic: str
    type: str
    allowed: tuple[str, ...]
    default: Any
    required: bool
    instead: str | None = None


def explain(key: str) -> KeyDoc:
    """Return the documentation of `key`.

    Parameters
    ----------
    key
        A key, or a path such as ``datasets.type`` or ``datasets[0].type``.

    Raises
    ------
    FtError
        There is no such key, or Axolotl has it and nothing is known about it here.
    """
    path = re.sub(r"\[\d*\]", "", key.strip())
    docs = {doc.key: doc for doc in explain_all()}
    if path in docs:
        return docs[path]
    if path in axolotl_keys():
        raise FtError(f"'{path}' is not supported yet", ADVICE.get(path, ""))
    if homes := [f"{holder}.{path}" for holder in INNER if f"{holder}.{path}" in docs]:
        return docs[homes[0]]
    raise FtError(f"there is no key '{clipped(path)}'{did_you_mean(path, docs)}")


@cache
def explain_all() -> tuple[KeyDoc, ...]:
    """Return the documentation of every key, in the order in which people read a config."""
    return tuple(_explain_topics())


def _explain_topics() -> Iterator[KeyDoc]:
    for topic in TOPICS:
        name = topic.__name__.removesuffix("Keys").lower()
        for key, info in topic.model_fields.items():
            yield _document(key, info, name)
            inner: type[Topic] | None = INNER.get(key)
            for inner_key, inner_info in inner.model_fields.items() if inner else ():
                yield _document(f"{key}.{inner_key}", inner_info, name)


def _document(key: str, info: FieldInfo, topic: str) -> KeyDoc:
    checks = [item for item in info.metadata if isinstance(item, Checked)]
    allowed: tuple[str, ...] = ()
    words = "a list of maps" if key in ("datasets", "test_datasets") else "a map"
    for check in checks:
        words = check.words
        if isinstance(check, Choice):
            allowed = ("true", "false", *check.options) if check.flags else check.options
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    # Only a template of reST marks code with two backticks; people read one.
    text, _, example = " ".join((info.description or "").split()).partition(" Example: ")
    mark = planned(info)
    return KeyDoc(
        key=key,
        text=text.replace("``", "`"),
        example=example.replace("``", "").rstrip("."),
        topic=topic,
        type=words,
        allowed=allowed,
        default=default,
        required=info.is_required(),
        instead=mark.instead if mark else None,
    )
