"""What a key means, without any config: for help, completion and the reference page."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydantic.fields import FieldInfo

from ft_core.config.config import TOPICS
from ft_core.config.keys import ADVICE, axolotl_keys, is_planned
from ft_core.config.problems import clipped, did_you_mean
from ft_core.config.schema.data import Dataset
from ft_core.config.schema.tokenizer import SpecialTokens
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Checked, Choice
from ft_core.errors import FtError

INNER: dict[str, type[Topic]] = {
    "datasets": Dataset,
    "test_datasets": Dataset,
    "special_tokens": SpecialTokens,
}
"""Keys that hold keys."""


@dataclass(frozen=True)
class KeyDoc:
    """The documentation of a key.

    Attributes
    ----------
    key
        Its dotted path, such as ``datasets.path``.
    text
        What it means.
    type
        What it accepts, in words.
    allowed
        The names it accepts, where these are few.
    default
        Its value where it is not given; None where there is none or it is derived (the text says how).
    required
        Whether it must be given.
    """

    key: str
    text: str
    type: str
    allowed: tuple[str, ...]
    default: Any
    required: bool


def explain(key: str) -> KeyDoc:
    """Return the documentation of `key`.

    Parameters
    ----------
    key
        A key, or a path such as ``datasets.type`` or ``datasets[0].type``.

    Raises
    ------
    FtError
        There is no such key, or Axolotl has it and it is not supported yet.
    """
    path = re.sub(r"\[\d*\]", "", key.strip())
    docs = {doc.key: doc for doc in explain_all()}
    if path in docs:
        return docs[path]
    if is_planned(path):
        raise FtError(f"'{path}' is not supported yet", ADVICE.get(path, ""))
    if path in axolotl_keys()["dataset"] and f"datasets.{path}" in docs:
        return docs[f"datasets.{path}"]
    raise FtError(f"there is no key '{clipped(path)}'{did_you_mean(path, docs)}")


def explain_all() -> Iterator[KeyDoc]:
    """Yield the documentation of every key, in the order in which people read a config."""
    for topic in TOPICS:
        for key, info in topic.model_fields.items():
            yield _document(key, info)
            inner = INNER.get(key)
            for name, inner_info in inner.model_fields.items() if inner else ():
                yield _document(f"{key}.{name}", inner_info)


def _document(key: str, info: FieldInfo) -> KeyDoc:
    checks = [item for item in info.metadata if isinstance(item, Checked)]
    allowed: tuple[str, ...] = ()
    words = "a list of maps" if key in ("datasets", "test_datasets") else "a map"
    for check in checks:
        words = check.words
        if isinstance(check, Choice):
            allowed = ("true", "false", *check.options) if check.flags else check.options
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    # Only a template of reST marks code with two backticks; people read one.
    text = " ".join((info.description or "").split()).replace("``", "`")
    return KeyDoc(key, text, words, allowed, default, info.is_required())
