from __future__ import annotations

from pathlib import Path

from ft_core.config.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "config.md"


def test_the_page_is_what_the_keys_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference(), (
        "python -m ft_core.config.reference > docs/reference/config.md"
    )


def test_a_key_is_a_row() -> None:
    assert "| `sequence_len` | a whole number, at least 2 | `512` | " in reference()
