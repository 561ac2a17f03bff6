from __future__ import annotations

import re

import pytest

from ft_core.config.parameter_patterns import parse_pattern

NAME = "model.layers.30.mlp.up_proj.weight"


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("model.layers.30", NAME, True),
        ("layers.30", NAME, False),
        (".*layers.30", NAME, True),
        (".+up_proj", NAME, True),
        ("model.layers.(30|31).", NAME, True),
        ("model.layers.3[0-9]+.mlp", NAME, True),
        (r"model\.layers\.30\.", NAME, True),
        ("model_layers.30", NAME, False),
        ("model.layers.3$", NAME, False),
        ("modelXlayers", "modelXlayers", True),
        ("model.layers", "modelXlayers", False),
        ("^lm_head.weight$", "lm_head.weight", True),
        ("^lm_head.weight$", "lm_head.weights", False),
    ],
)
def test_what_a_pattern_matches(text: str, name: str, *, matches: bool) -> None:
    pattern = parse_pattern(text)
    assert (pattern.text, pattern.rows, pattern.matches(name)) == (text, None, matches)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("lm_head.weight$[:32000]", (0, 32000)),
        ("lm_head[5]", (5, 6)),
        ("lm_head[5:]", (5, None)),
        ("lm_head[5:7]", (5, 7)),
        ("lm_head[:]", (0, None)),
        ("lm_head[0-9]", None),
    ],
)
def test_the_rows_of_a_pattern(text: str, rows: tuple[int, int | None] | None) -> None:
    pattern = parse_pattern(text)
    assert (pattern.rows, pattern.matches("lm_head.weight")) == (rows, text != "lm_head[0-9]")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lm_head[7:7]", "the slice of 'lm_head[7:7]' has no rows"),
        (
            "layers.(30",
            "'layers.(30' is no regular expression: missing ), unterminated subpattern at position 8",
        ),
    ],
)
def test_what_is_no_pattern(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        parse_pattern(text)
