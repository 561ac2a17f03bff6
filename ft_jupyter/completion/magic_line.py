"""What may be written on the lines of the magics: options and keys after ``%%finetune``, verbs and their words after ``%ft``."""

from __future__ import annotations

import argparse
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from ft_core.config.describe import NOT_YET
from ft_core.config.explain import KeyDoc, docs_by_key, explain_all
from ft_jupyter.completion.keys import value_offers
from ft_jupyter.completion.names import files, run_names
from ft_jupyter.completion.offers import Offer, Offers, fitting

YAML_FILES = (".yml", ".yaml")
SET = "--set"


def on_finetune_line(rest: str) -> Offers:
    """Return what may be written on the line of ``%%finetune``.

    Parameters
    ----------
    rest
        The line between the magic and the cursor.
    """
    from ft_jupyter.magics.options import finetune_parser

    words, fragment = _split(rest)
    # argparse keeps its arguments nowhere else.
    actions = finetune_parser()._actions  # pyright: ignore[reportPrivateUsage]
    options = {name: action for action in actions for name in action.option_strings}
    last = words[-1] if words else ""
    if last in options and last != SET and options[last].nargs is None:
        return _option_value(options[last], fragment)
    left = [name for name in options if name not in words or name == SET]
    return _keys_as_options(last, fragment, left, options)


def on_ft_line(rest: str, user_ns: Mapping[str, object], root: Path | None) -> Offers:
    """Return what may be written on the line of ``%ft``.

    Parameters
    ----------
    rest
        The line between the magic and the cursor.
    user_ns
        The notebook's names.
    root
        Folder of the runs; None for the engine's choice.
    """
    from ft_jupyter.magics.ft import VERBS

    words, fragment = _split(rest)
    if not words:
        return fitting(fragment, [Offer(name, "verb") for name in VERBS])
    usage = VERBS[words[0]].usage if words[0] in VERBS else ""
    if words[0] in ("plan", "preprocess") and (fragment.startswith("-") or words[-1].startswith("-")):
        return _keys_as_options(words[-1], fragment, [SET], [SET])
    if fragment.startswith("-"):
        options = re.findall(r"--?\w[\w-]*", usage)
        return fitting(fragment, [Offer(name, "option") for name in options if name not in words])
    # Every verb takes one word besides its options.
    offers: list[Offer] = []
    if not any(not word.startswith("-") for word in words[1:]):
        if "KEY" in usage:
            offers += [_explained(doc) for doc in sorted(explain_all(), key=_is_planned)]
        if "NAME" in usage:
            offers += run_names(root, user_ns)
        if "file.yml" in usage:
            offers += files(fragment, YAML_FILES)
    return fitting(fragment, offers)


def _split(rest: str) -> tuple[list[str], str]:
    """Return the whole words of a line, and what is typed of the next one."""
    words = rest.split()
    return (words, "") if not words or rest[-1].isspace() else (words[:-1], words[-1])


def _option_value(action: argparse.Action, fragment: str) -> Offers:
    if action.metavar == "FILE":
        return fitting(fragment, files(fragment, YAML_FILES))
    known = action.choices or ([action.default] if isinstance(action.default, str) else [])
    return fitting(fragment, [Offer(str(name), "value") for name in known])


def _keys_as_options(last: str, fragment: str, offered: Collection[str], options: Collection[str]) -> Offers:
    """Return what may be written where keys are options too: after one its value, otherwise an option.

    Parameters
    ----------
    last
        The whole word before.
    fragment
        What is typed of the next one.
    offered
        The line's own options that may still be given.
    options
        All of them; any other word with dashes is a key.
    """
    if last == SET and "=" not in fragment:
        return fitting(fragment, [Offer(f"{name}=", _kind(doc), name) for name, doc in _settable()])
    if "=" in fragment:
        return _assigned(fragment.lstrip("-"))
    if last.startswith("--") and last not in options and "=" not in last and not fragment.startswith("-"):
        return _assigned(f"{last.lstrip('-')}={fragment}")
    own = [Offer(name, "option") for name in offered]
    return fitting(fragment, [*own, *(_as_option(name, doc, fragment) for name, doc in _settable())])


def _assigned(text: str) -> Offers:
    """Return what may follow the ``=`` of ``key=value``."""
    key, _, fragment = text.partition("=")
    doc = docs_by_key().get(re.sub(r"\[\d*\]", "", key).replace("-", "_"))
    return fitting(fragment, value_offers(doc, fragment) if doc else ())


def _settable() -> Iterator[tuple[str, KeyDoc]]:
    """Yield the paths that an override may set; those that do nothing yet last."""
    docs = docs_by_key()
    holders = {doc.holder for doc in docs.values()}
    for doc in sorted(docs.values(), key=_is_planned):
        if doc.key in holders or doc.holder == "test_datasets":
            continue
        is_list = doc.holder and docs[doc.holder].type.startswith("a list of maps")
        yield (f"{doc.holder}[0].{doc.name}" if is_list else doc.key), doc


def _as_option(name: str, doc: KeyDoc, fragment: str) -> Offer:
    """Return a key as an option, with dashes unless underscores are typed."""
    return Offer("--" + (name if "_" in fragment else name.replace("_", "-")), _kind(doc))


def _explained(doc: KeyDoc) -> Offer:
    return Offer(doc.key, _kind(doc))


def _kind(doc: KeyDoc) -> str:
    return NOT_YET if doc.instead is not None else doc.topic


def _is_planned(doc: KeyDoc) -> bool:
    return doc.instead is not None
