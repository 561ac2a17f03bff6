"""The reference page of the config, written from the keys' own texts: ``python -m ft_core.config.reference``."""

from __future__ import annotations

from ft_core.config.explain import KeyDoc, explain_all

HEAD = """\
# Config keys

Written from the keys' own texts by `python -m ft_core.config.reference`; a test keeps it equal. `%ft explain KEY` shows the
same in a notebook.

The keys are Axolotl's. A key that Axolotl has and that is not in this table is refused by name unless it asks for nothing
(null, false, empty, or Axolotl's own default); any other unknown key is an error with the nearest name. `test_datasets`
takes the same keys as `datasets`.

| key | takes | default | means |
|---|---|---|---|
"""


def reference() -> str:
    """Return the page."""
    rows = [_row(doc) for doc in explain_all() if not doc.key.startswith("test_datasets.")]
    return HEAD + "\n".join(rows) + "\n"


def _row(doc: KeyDoc) -> str:
    takes = ", ".join(f"`{name}`" for name in doc.allowed) or doc.type
    # A map's defaults are in the rows of its own keys.
    plain = isinstance(doc.default, (bool, int, float, str))
    default = "required" if doc.required else f"`{_yaml(doc.default)}`" if plain else ""
    return f"| `{doc.key}` | {_cell(takes)} | {_cell(default)} | {_cell(doc.text)} |"


def _yaml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _cell(words: str) -> str:
    """Return `words` as one cell of a Markdown table."""
    return " ".join(words.split()).replace("|", "\\|")


if __name__ == "__main__":
    print(reference(), end="")  # noqa: T201
