"""What the YAML of a cell may hold at a place: keys, and the values of a key."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

import yaml

from ft_core.config.describe import NOT_YET, written
from ft_core.config.explain import KeyDoc, docs_by_key, explain_all
from ft_jupyter.completion.names import cached_models, demo_models, files, variables
from ft_jupyter.completion.offers import Offer, Offers, fitting
from ft_jupyter.completion.place import Place

VARIABLE = re.compile(r"(?<!\$)\$\{?\w*$")
"""The beginning of a notebook variable."""

LOCAL_AND_CACHED: dict[str, Callable[[], list[Offer]]] = {
    "base_model": lambda: [*demo_models(), *cached_models("models")],
    "tokenizer_config": lambda: [*demo_models(), *cached_models("models")],
    "datasets.path": lambda: cached_models("datasets"),
    "test_datasets.path": lambda: cached_models("datasets"),
}
"""Keys that name what the hub has, and what of it is on this machine."""


def offers_at(place: Place, user_ns: Mapping[str, object], hidden: Mapping[str, object]) -> Offers:
    """Return what may be written at a place.

    Parameters
    ----------
    place
        Where the cursor stands.
    user_ns, hidden
        The notebook's names, and those of them that IPython put there.
    """
    if place.kind == "other":
        return fitting(place.fragment, ())
    if place.kind != "key" and (begun := VARIABLE.search(place.fragment)):
        braces = begun[0].startswith("${")
        return fitting(begun[0], variables(user_ns, hidden, braces=braces))
    docs = docs_by_key()
    path = ".".join(place.path)
    inner = [doc for doc in explain_all() if doc.holder == path]
    if inner and place.kind != "value":
        return fitting(place.fragment, _keys(place, inner, docs.get(path)))
    if place.kind == "key" or path not in docs:
        return fitting(place.fragment, ())
    space = " " if place.touches_colon and not place.quoted else ""
    values = value_offers(docs[path], place.fragment, quoted=place.quoted, in_list=place.kind == "entry")
    return fitting(
        place.fragment, [Offer(space + offer.text, offer.kind, offer.name or offer.text) for offer in values]
    )


def value_offers(
    doc: KeyDoc, fragment: str, *, quoted: bool = False, in_list: bool = False
) -> Iterator[Offer]:
    """Yield the values of a key: names, what is on this machine, the default, an example.

    Parameters
    ----------
    doc
        The key.
    fragment
        What is typed of the value; a path is completed from it.
    quoted
        Whether a quote is open already.
    in_list
        Whether the value is one of a list.
    """
    default = written(doc.default)

    def named(name: str, kind: str) -> Offer:
        return Offer(name if quoted else _as_yaml(name, doc), kind, name)

    for name in (*doc.allowed, *([doc.keyword] if doc.keyword and not in_list else [])):
        yield named(name, "default" if name == default else "value")
    if doc.key in LOCAL_AND_CACHED:
        yield from LOCAL_AND_CACHED[doc.key]()
    if doc.is_path:
        yield from files(fragment)
    if not doc.allowed and not in_list:
        example = doc.example.partition(":")[2].strip()
        if default:
            yield Offer(default, "default")
        if example not in ("", default):
            yield Offer(example, "example")
    for name in doc.planned:
        yield named(name, NOT_YET)


def _keys(place: Place, inner: list[KeyDoc], holder: KeyDoc | None) -> Iterator[Offer]:
    """Yield the keys of a map that it does not have yet: required ones first, those that do nothing yet last."""
    in_list = holder is not None and holder.type.startswith("a list of maps")
    opening = ("{" if place.flow else "- ") if in_list and place.opens else ""
    holders = {doc.holder for doc in explain_all()}

    def rank(doc: KeyDoc) -> int:
        return 2 if doc.instead is not None else 0 if doc.required else 1

    for doc in sorted(inner, key=rank):
        if doc.name in place.given:
            continue
        colon = "" if place.colon_follows else ":" if doc.key in holders and not place.flow else ": "
        kind = NOT_YET if doc.instead is not None else "required" if doc.required else doc.topic
        yield Offer(f"{opening}{doc.name}{colon}", kind, doc.name)


def _as_yaml(name: str, doc: KeyDoc) -> str:
    """Return a name as YAML reads it back: in quotes where it would be a truth value or a number."""
    if name in ("true", "false") and name in doc.allowed:
        return name
    tag = yaml.SafeLoader("").resolve(yaml.ScalarNode, name, (True, False))
    return name if tag == "tag:yaml.org,2002:str" else f'"{name}"'
