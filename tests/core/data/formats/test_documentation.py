"""The page of dataset formats names every type, and its functions are those of the module."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from ft_core.config.schema.dataset_type import TYPES
from ft_core.data.formats import functions

PAGE = (Path(__file__).parents[4] / "docs" / "reference" / "dataset-formats.md").read_text("utf-8")
STYLED = ("gpteacher", "oasst", "jeopardy", "explainchoice", "concisechoice", "summarizetldr")


@pytest.mark.parametrize(
    "name", [name for name in TYPES if name.split(":")[0] not in STYLED or ":" not in name]
)
def test_every_type_is_there(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_its_functions_give_what_those_of_the_module_give() -> None:
    code = PAGE.partition("returns one of three things:\n\n```python\n")[2].partition("```")[0]
    example = textwrap.dedent((functions.__doc__ or "").partition("``rows.py``::\n\n")[2])
    on_page, in_module = {}, {}
    exec(code, on_page)
    exec(example, in_module)
    row = {"question": "Why?", "answer": "So."}

    for name in ("ask", "segments", "chat"):
        assert on_page[name](row) == in_module[name](row)
