"""``type: input_output``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.data import Sample

ROW = {
    "segments": [
        {"label": False, "text": "Q: 日本?\nA:"},
        {"label": True, "text": " 東京 🗼"},
        {"label": True, "text": ""},
        {"label": 1, "text": "!"},
    ]
}


def test_each_says_for_itself_and_nothing_is_added(
    samples: Callable[..., list[Sample]], tokenizer: Any
) -> None:
    [sample] = samples("input_output", ROW)

    assert [(span.text, span.role, span.trained, span.rule) for span in sample.spans] == [
        ("Q: 日本?\nA:", "input", False, "masked: segment 1 says label: false"),
        (" 東京 🗼", "output", True, "trained: segment 2 says label: true"),
        ("!", "output", True, "trained: segment 4 says label: true"),
    ]
    assert tokenizer.decode(sample.input_ids) == "Q: 日本?\nA: 東京 🗼!"


def test_train_on_inputs_trains_all(samples: Callable[..., list[Sample]]) -> None:
    [sample] = samples("input_output", ROW, train_on_inputs=True)

    assert sample.labels.tolist() == sample.input_ids.tolist()
    assert sample.spans[0].rule == "trained: segment 1 (train_on_inputs is true)"


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        (None, "'segments' must be a list of segments with text and label, not null."),
        ([], "'segments' must be a list of segments with text and label, not an empty list."),
        ("Hi", "'segments' must be a list of segments with text and label, not text."),
        (["Hi"], "Segment 1 must be an object, not text."),
        ([{"label": True}], "'text' of segment 1 is not there."),
        ([{"label": True, "text": 3}], "'text' of segment 1 must be text, not a number."),
        ([ROW["segments"][0], {"text": "a"}], "'label' of segment 2 is not there."),
        ([{"text": "a", "label": "yes"}], "'label' of segment 1 must be true or false, not text."),
        ([{"text": "a", "label": 2}], "'label' of segment 1 must be true or false, not a number."),
    ],
)
def test_what_makes_no_sense_is_named(
    segments: object, message: str, fault: Callable[..., tuple[str, str]]
) -> None:
    assert fault("input_output", ROW, {"segments": segments})[0] == f"some/rows, row 2: {message}"
