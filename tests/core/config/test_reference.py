from __future__ import annotations

import re
from pathlib import Path

from ft_core.config import explain_all
from ft_core.config.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "config.md"


def test_the_page_is_what_the_keys_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m ft_core.config.reference > docs/reference/config.md"
    )


def test_a_key_is_a_row_under_its_topic() -> None:
    parts = re.split(r"^## ", reference(), flags=re.MULTILINE)
    topics = {part.splitlines()[0]: part for part in parts[1:]}
    assert list(topics)[:3] == ["Model", "Tokenizer", "Data"]
    assert "| `sequence_len` | a whole number, at least 2 | `512` | " in topics["Sequence"]


def test_keys_that_are_not_supported_yet_are_in_a_table_of_their_own() -> None:
    parts = re.split(r"^## ", reference(), flags=re.MULTILINE)[1:]
    rows = {True: set[str](), False: set[str]()}
    for part in parts:
        works, _, planned = part.partition("Not supported yet:")
        for is_planned, table in ((False, works), (True, planned)):
            rows[is_planned] |= set(re.findall(r"^\| `([\w.]+)` \|", table, flags=re.MULTILINE))
    documented = [doc for doc in explain_all() if doc.holder != "test_datasets"]
    assert rows[True] == {doc.key for doc in documented if doc.instead is not None}
    assert rows[False] == {doc.key for doc in documented if doc.instead is None}


def test_every_row_has_as_many_cells_as_its_table() -> None:
    for line in reference().splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) == 5, line
