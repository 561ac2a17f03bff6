"""A sample whose spans are arrays is the sample of the same spans as values."""

from __future__ import annotations

import numpy as np

from ft_core.data import Span
from ft_core.data.document import Author, Authors
from ft_core.data.labelled import Labelled


def int32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


AUTHORS = Authors(
    (
        Author("template", None, False, "masked: text of the chat template"),
        Author("user", 0, False, "masked: role user is not in roles_to_train"),
        Author("assistant", 1, True, "trained: role assistant is in roles_to_train"),
    )
)


def test_its_spans_are_those_of_its_authors_in_order() -> None:
    labelled = Labelled(
        int32(4, 5, 6, 7),
        int32(-100, -100, 6, 7),
        int32(1, 2, 4),
        int32(1, 0, 2),
        AUTHORS,
        int32(2, 1, 3),
        "Hi|Yo!",
        3,
        "rows.jsonl",
        2,
    )

    sample = labelled.sample()

    assert sample.spans == (
        Span(0, 1, "user", 0, False, "masked: role user is not in roles_to_train", "Hi"),
        Span(1, 2, "template", None, False, "masked: text of the chat template", "|"),
        Span(2, 4, "assistant", 1, True, "trained: role assistant is in roles_to_train", "Yo!"),
    )
    assert (sample.input_ids.tolist(), sample.labels.tolist()) == ([4, 5, 6, 7], [-100, -100, 6, 7])
    assert (sample.row, sample.source, sample.cut) == (3, "rows.jsonl", 2)


def test_the_rules_are_those_of_what_somebody_said_in_it() -> None:
    labelled = Labelled(
        int32(4, 5), int32(-100, -100), int32(1, 2), int32(1, 0), AUTHORS, int32(2, 1), "Hi|", 0, "rows.jsonl"
    )

    assert labelled.rules() == {"masked: role user is not in roles_to_train"}
