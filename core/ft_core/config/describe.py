"""The documentation of keys as text: a card for one, a list of all by topic."""

from __future__ import annotations

from typing import Any

from ft_core.config.explain import KeyDoc, explain_topics, siblings

NOT_YET = "not supported yet"
"""How a key, or a name that a key takes, is marked that is understood and that training does not do yet."""


def describe(doc: KeyDoc) -> str:
    """Return what is known about a key, for a terminal."""
    return f"{doc.key}\n{doc.text}\n{_columns(rows(doc))}"


def describe_topics() -> str:
    """Return every key under its topic, for a terminal; those that are not supported yet come last."""
    return "\n".join(
        f"{name}\n  {text}\n  {_listed(works, planned)}" for name, text, works, planned in topics()
    )


def rows(doc: KeyDoc) -> list[tuple[str, str]]:
    """Return what is known about a key besides its text, each with a name."""
    default = written(doc.default)
    # What does nothing yet is no company for a key that works.
    alike = [other.key for other in siblings(doc) if other.instead is None or doc.instead is not None]
    found = [
        ("takes", "" if doc.allowed else doc.type),
        ("one of", ", ".join(doc.allowed)),
        ("not yet", ", ".join(doc.planned)),
        ("default", default),
        ("required", "yes" if doc.required else ""),
        ("example", doc.example),
        ("topic", doc.topic),
        ("supported", "yes" if doc.instead is None else f"not yet: {doc.instead}"),
        ("see also", ", ".join(alike)),
    ]
    return [(name, value) for name, value in found if value]


def topics() -> list[tuple[str, str, list[str], list[str]]]:
    """Return each topic that has keys: its name, its text, what works, and what is not supported yet.

    A key that holds keys stands with them in one word: ``special_tokens (bos_token, eos_token)``.
    """
    found: list[tuple[str, str, list[str], list[str]]] = []
    for topic in explain_topics():
        works: list[str] = []
        planned: list[str] = []
        for doc in topic.keys:
            if doc.holder:
                continue
            # An evaluation's datasets have the keys of the others.
            inner = [other for other in topic.keys if other.holder == doc.key != "test_datasets"]
            supported = [other.name for other in inner if other.instead is None]
            shown = f"{doc.key} ({', '.join(supported)})" if supported else doc.key
            (works if doc.instead is None else planned).append(shown)
            planned += [other.key for other in inner if other.instead is not None and doc.instead is None]
        if topic.keys:
            found.append((topic.name, topic.text, works, planned))
    return found


def written(value: Any) -> str:
    """Return a default as YAML has it; empty where there is none, or it is in the texts of other keys.

    >>> written(False), written(5e-5), written(("gpt", "assistant")), written({"role": "from"}), written(None)
    ('false', '5e-05', '[gpt, assistant]', '{role: from}', '')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float, str)):
        return str(value)
    if isinstance(value, (list, tuple)) and value:
        return f"[{', '.join(written(item) for item in value)}]"
    if isinstance(value, dict) and value:
        return f"{{{', '.join(f'{key}: {written(item)}' for key, item in value.items())}}}"
    return ""


def _listed(works: list[str], planned: list[str]) -> str:
    lines = [", ".join(works)] if works else []
    return "\n  ".join([*lines, f"{NOT_YET}: {', '.join(planned)}"] if planned else lines)


def _columns(pairs: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in pairs)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in pairs)
