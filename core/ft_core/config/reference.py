"""The reference page of the config, written from the keys' own texts: ``python -m ft_core.config.reference``."""

from __future__ import annotations

from collections.abc import Iterator

from ft_core.config.describe import written
from ft_core.config.explain import KeyDoc, TopicDoc, explain_topics

HEAD = """\
# Config keys

Written from the keys' own texts by `python -m ft_core.config.reference`; a test keeps it equal. `%ft explain KEY` shows the
same in a notebook, `ft explain KEY` in a terminal, and Tab in a cell [completes](../how-to/complete.md) keys and values.

The keys are Axolotl's. Under each topic, those that work come first; those that are understood and that training does not
do yet follow, each with what to do instead. Such a key, and any other key that Axolotl has and that is not on this page, is
refused by name unless it asks for nothing (null, false, empty, or its default); any other unknown key is an error with the
nearest name. `test_datasets` takes the same keys as `datasets`.
"""

WORKS = "| key | takes | default | means |\n|---|---|---|---|\n"
PLANNED = "Not supported yet:\n\n| key | takes | means | instead |\n|---|---|---|---|\n"


def reference() -> str:
    """Return the page."""
    return "\n".join([HEAD, *(part for topic in explain_topics() if topic.keys for part in _topic(topic))])


def _topic(topic: TopicDoc) -> Iterator[str]:
    keys = [doc for doc in topic.keys if doc.holder != "test_datasets"]
    yield f"## {topic.name.capitalize()}\n\n{topic.text}\n"
    if works := [_working_row(doc) for doc in keys if doc.instead is None]:
        yield WORKS + "\n".join(works) + "\n"
    if planned := [_planned_row(doc) for doc in keys if doc.instead is not None]:
        yield PLANNED + "\n".join(planned) + "\n"


def _working_row(doc: KeyDoc) -> str:
    default = f"`{_cell(written(doc.default))}`" if written(doc.default) else ""
    example = f" Example: `{_cell(doc.example)}`." if doc.example else ""
    return f"| `{doc.key}` | {_takes(doc)} | {'required' if doc.required else default} | {_cell(doc.text)}{example} |"


def _planned_row(doc: KeyDoc) -> str:
    return f"| `{doc.key}` | {_takes(doc)} | {_cell(doc.text)} | {_cell(doc.instead or '')} |"


def _takes(doc: KeyDoc) -> str:
    return _cell(", ".join(f"`{name}`" for name in doc.allowed) or doc.type)


def _cell(words: str) -> str:
    """Return `words` as one cell of a Markdown table."""
    return " ".join(words.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
