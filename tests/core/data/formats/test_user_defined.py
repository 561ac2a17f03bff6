"""Formats that a config spells out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Parts = Callable[..., list[tuple[str, str, bool]]]

FORM = {
    "field_system": "sys",
    "field_instruction": "q",
    "field_input": "ctx",
    "field_output": "a",
    "system_prompt": "Default.",
    "system_format": "<<{system}>>",
    "format": "[{instruction}|{input}] {{}}",
    "no_input_format": "[{instruction}]",
}


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"q": "Why?", "ctx": "x{", "a": "So.", "sys": "Brief."}, "<<Brief.>>[Why?|x{] {}"),
        ({"q": "Why?", "ctx": "", "a": "So.", "sys": "Brief."}, "<<Brief.>>[Why?]"),
        ({"q": "Why?", "a": "So."}, "<<Default.>>[Why?]"),
        ({"q": "Why?", "a": "So.", "sys": None}, "<<Default.>>[Why?]"),
        ({"q": "Why?", "a": "So.", "sys": ""}, "[Why?]"),
    ],
)
def test_all_of_it(row: dict[str, Any], prompt: str, parts: Parts) -> None:
    assert parts({"type": FORM}, row) == [
        (prompt, "prompt", False), ("So.", "response", True), ("<|im_end|>", "response", True),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"instruction": "Why?", "input": "x", "output": "So."}, "Why? x "),
        ({"instruction": "Why?", "output": "So."}, "Why? "),
        ({"instruction": "Why?", "output": "So.", "system": "Brief."}, "Brief.Why? "),
    ],
)
def test_its_defaults(row: dict[str, Any], prompt: str, parts: Parts) -> None:
    assert parts({"type": {}}, row)[0] == (prompt, "prompt", False)


def test_a_column_that_is_not_there_is_named(fault: Callable[..., tuple[str, str]]) -> None:
    row = {"q": "Why?"}
    assert fault({"type": FORM}, row, row)[0] == (
        "some/rows, rows 1 to 2: there is no field 'a', which the format under 'type' needs; the fields are 'q'."
    )
