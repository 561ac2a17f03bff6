"""What a key means, without any config: for help, completion and the reference page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from ft_core.config.config import INNER, TOPICS
from ft_core.config.keys import ADVICE, axolotl_keys, planned
from ft_core.config.problems import clipped, did_you_mean
from ft_core.config.renamed import OLDER_KEYS, today
from ft_core.config.retired import GONE, WITHOUT_EFFECT
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Checked, Choice, Flag, PathText, TextList
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
        The topic that it belongs to, such as ``adapter``; empty for a key that only Axolotl has.
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
    planned
        Names that Axolotl accepts here and that are not supported yet.
    is_path
        Whether its text may name a local file or folder.
    keyword
        A name that it accepts in place of a list.
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
    planned: tuple[str, ...] = ()
    is_path: bool = False
    keyword: str = ""

    @property
    def holder(self) -> str:
        """The key that holds it, such as ``datasets``; empty for one at the top."""
        return self.key.rpartition(".")[0]

    @property
    def name(self) -> str:
        """Its last part, as a line of YAML has it."""
        return self.key.rpartition(".")[2]


@dataclass(frozen=True)
class TopicDoc:
    """Keys that belong together.

    Attributes
    ----------
    name
        Such as ``adapter``.
    text
        What they are about.
    keys
        Their documentation, those inside a map or a list of maps after the key that holds them.
    """

    name: str
    text: str
    keys: tuple[KeyDoc, ...]


def explain(key: str) -> KeyDoc:
    """Return the documentation of `key`.

    Parameters
    ----------
    key
        A key, or a path such as ``datasets.type`` or ``datasets[0].type``.

    Raises
    ------
    FtError
        There is no such key, here or in Axolotl.
    """
    path = re.sub(r"\[\d*\]", "", key.strip())
    docs = docs_by_key()
    if path in docs:
        return docs[path]
    if path in OLDER_KEYS:
        return _older_doc(path, docs)
    holder, _, name = path.rpartition(".")
    if name in axolotl_keys(holder or "top"):
        return _axolotl_doc(path, axolotl_keys(holder or "top")[name])
    homes = [f"{holder}.{path}" for holder in INNER]
    if found := [home for home in homes if home in docs]:
        return docs[found[0]]
    if found := [holder for holder in INNER if path in axolotl_keys(holder)]:
        return _axolotl_doc(f"{found[0]}.{path}", axolotl_keys(found[0])[path])
    known = dict.fromkeys([*docs, *(doc.name for doc in docs.values()), *axolotl_keys(), *sorted(OLDER_KEYS)])
    guess = did_you_mean(path, known)
    # Somebody who asks for a word wants the keys that it is part of.
    having = [f"'{doc.key}'" for doc in docs.values() if len(path) > 2 and path.lower() in doc.name]
    fix = f"The keys with that word: {', '.join(having[:8])}." if having and not guess else ""
    raise FtError(f"there is no key '{clipped(path)}'{guess}", fix)


def explain_all() -> tuple[KeyDoc, ...]:
    """Return the documentation of every key, in the order in which people read a config."""
    return tuple(doc for topic in explain_topics() for doc in topic.keys)


@cache
def explain_topics() -> tuple[TopicDoc, ...]:
    """Return every topic with its keys, in the order in which people read a config."""
    return tuple(_explain_topic(topic) for topic in TOPICS)


@cache
def docs_by_key() -> dict[str, KeyDoc]:
    """Return the documentation of every key by its path."""
    return {doc.key: doc for doc in explain_all()}


def siblings(doc: KeyDoc) -> tuple[KeyDoc, ...]:
    """Return the other keys of the same topic that stand at the same level."""
    return tuple(
        other
        for other in explain_all()
        if (other.topic, other.holder) == (doc.topic, doc.holder) and other.key != doc.key
    )


def holds_list(info: FieldInfo) -> bool:
    """Whether a key that holds maps of keys of ours holds a list of them."""
    return any(get_origin(part) is tuple for part in (info.annotation, *get_args(info.annotation)))


def _explain_topic(topic: type[Topic]) -> TopicDoc:
    name = topic.__name__.removesuffix("Keys").lower()
    return TopicDoc(name, " ".join((topic.__doc__ or "").split()), tuple(_explain_keys(topic, name)))


def _explain_keys(topic: type[Topic], name: str) -> Iterator[KeyDoc]:
    for key, info in topic.model_fields.items():
        yield _document(key, info, name)
        inner: type[Topic] | None = INNER.get(key)
        for inner_key, inner_info in inner.model_fields.items() if inner else ():
            yield _document(f"{key}.{inner_key}", inner_info, name)


def _axolotl_doc(path: str, default: Any) -> KeyDoc:
    """Return what is known about a key that only Axolotl has."""
    asks_for_nothing = "It passes where it asks for nothing: empty, false or its default."
    return _bare_doc(
        path,
        f"A key of Axolotl that is not supported yet. {asks_for_nothing}",
        default,
        ADVICE.get(path, "remove it"),
    )


def _older_doc(key: str, docs: Mapping[str, KeyDoc]) -> KeyDoc:
    """Return what is known about an older form of a key."""
    if today(key) in docs:
        doc = docs[today(key)]
        return replace(doc, text=f"{doc.text} `{key}` is another form of it.")
    if key in GONE:
        return _bare_doc(key, "Axolotl has removed this key, and it is not supported.", None, GONE[key])
    if key in WITHOUT_EFFECT:
        return _bare_doc(key, f"Accepted, without effect: {WITHOUT_EFFECT[key]}.")
    return _bare_doc(key, "An older form: it is translated, and a warning says what to write now.")


def _bare_doc(key: str, text: str, default: Any = None, instead: str | None = None) -> KeyDoc:
    return KeyDoc(
        key=key,
        text=text,
        example="",
        topic="",
        type="what Axolotl takes",
        allowed=(),
        default=default,
        required=False,
        instead=instead,
    )


def _document(key: str, info: FieldInfo, topic: str) -> KeyDoc:
    check = next((item for item in info.metadata if isinstance(item, Checked)), None)
    allowed: tuple[str, ...] = ("true", "false") if isinstance(check, Flag) else ()
    unsupported: tuple[str, ...] = ()
    keyword = check.keyword if isinstance(check, TextList) else None
    # Only maps of keys of ours, and lists of them, have no kind of their own.
    words = check.words if check else "a list of maps" if holds_list(info) else "a map"
    if isinstance(check, Choice):
        allowed = ("true", "false", *check.options) if check.flags else check.options
        unsupported = check.planned
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
        planned=unsupported,
        is_path=isinstance(check, PathText),
        keyword=keyword or "",
    )
