"""Rows that hold ids and labels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.data import Sample

MakeSamples = Callable[..., list[Sample]]
GOOD = {"input_ids": [28, 29, 30], "labels": [-100, 29, 30], "attention_mask": [1, 1, 1]}


@settings(max_examples=50, deadline=None)
@given(tokens=st.lists(st.tuples(st.integers(0, 49151), st.booleans()), min_size=1, max_size=20))
def test_ids_and_labels_stay_as_they_are(tokens: list[tuple[int, bool]], samples: MakeSamples) -> None:
    ids = [token for token, _ in tokens]
    labels = [token if learnt else -100 for token, learnt in tokens]
    [sample] = samples("", {"input_ids": ids, "labels": labels, "attention_mask": [1] * len(ids)})

    assert sample.input_ids.tolist() == ids
    assert sample.labels.tolist() == labels
    assert [0, *(span.end for span in sample.spans)] == [*(span.start for span in sample.spans), len(ids)]


def test_spans_say_what_the_labels_are(samples: MakeSamples, tokenizer: Any) -> None:
    ids = tokenizer("Hi there you")["input_ids"]
    [sample] = samples("", {"input_ids": ids, "labels": [-100, ids[1], ids[0]]})

    assert [(span.text, span.role, span.trained, span.rule) for span in sample.spans] == [
        ("Hi", "tokens", False, "masked: the row's label is -100"),
        (" there", "tokens", True, "trained: the row's label"),
        (" you", "tokens", True, "trained: the row's label, which is another token than this one"),
    ]


def test_arrays_are_lists(samples: MakeSamples) -> None:
    [sample] = samples("", {key: np.array(value) for key, value in GOOD.items()})

    assert sample.labels.tolist() == [-100, 29, 30]


@pytest.mark.parametrize(
    ("mask", "kept"),
    [
        ([1, 1, 1], [28, 29, 30]),
        ([1, 1, 0], [28, 29]),
        ([0, 1, 1], [29, 30]),
        ([0, 0, 0], []),
        (None, [28, 29, 30]),
    ],
)
def test_padding_is_taken_off(mask: list[int] | None, kept: list[int], samples: MakeSamples) -> None:
    [sample] = samples("", {**GOOD, "attention_mask": mask})

    assert sample.input_ids.tolist() == kept


@pytest.mark.parametrize(("strategy", "kept", "cut"), [("drop", 3, 0), ("truncate", 2, 1)])
def test_a_long_row(strategy: str, kept: int, cut: int, samples: MakeSamples) -> None:
    [sample] = samples("", GOOD, sequence_len=2, excess_length_strategy=strategy)

    assert (len(sample), sample.cut, sample.spans[-1].end) == (kept, cut, kept)


RANGE = "and the tokenizer has the tokens 0 to 49,151."


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"input_ids": None}, "'input_ids' must be a list of whole numbers, not null."),
        ({"input_ids": []}, "'input_ids' must be a list of whole numbers, not an empty list."),
        ({"input_ids": "1 2"}, "'input_ids' must be a list of whole numbers, not text."),
        ({"input_ids": [1, 2.0, 3]}, "'input_ids' must be a list of whole numbers, and entry 2 is a number."),
        ({"labels": [1, True, 3]}, "'labels' must be a list of whole numbers, and entry 2 is true or false."),
        ({"labels": [1, 2]}, "'labels' has 2 entries and 'input_ids' 3; there must be one for each token."),
        ({"attention_mask": [1]}, "'attention_mask' has 1 entries and 'input_ids' 3; there must be one for each token."),
        ({"input_ids": [1, 49152, 3]}, f"'input_ids' holds 49152, {RANGE}"),
        ({"input_ids": [1, -1, 3]}, f"'input_ids' holds -1, {RANGE}"),
        ({"labels": [-100, -1, 3]}, f"'labels' holds -1, {RANGE}"),
        ({"attention_mask": [1, 2, 1]}, "'attention_mask' must hold 1 for a token and 0 for padding, and nothing else."),
        ({"attention_mask": [1, 0, 1]},
         "'attention_mask' hides tokens between others; only padding at the ends may be 0."),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_named(
    wrong: dict[str, Any], message: str, fault: Callable[..., tuple[str, str]]
) -> None:
    assert fault("", GOOD, {**GOOD, **wrong})[0] == f"some/rows, row 2: {message}"


def test_a_column_that_is_not_there_is_named(fault: Callable[..., tuple[str, str]]) -> None:
    row = {"input_ids": [1]}
    assert fault("", row, row)[0] == (
        "some/rows, rows 1 to 2: there is no field 'labels', which an empty type needs; the fields are 'input_ids'."
    )
