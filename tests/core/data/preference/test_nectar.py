from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.data.preference.task import Example
from ft_core.errors import DataError

Finish = Callable[..., list[Example]]

FOUR = [
    {"answer": "poor", "rank": 4.0},
    {"answer": "good", "rank": 2.0},
    {"answer": "best", "rank": 1.0},
    {"answer": "fair", "rank": 3.0},
]


def test_the_best_rank_is_chosen_and_the_next_rejected(finish: Finish) -> None:
    assert finish("zephyr.nectar", {"prompt": "Why {this}?", "answers": FOUR}) == [
        {
            "prompt": "<|system|>\n</s>\n<|user|>\nWhy {this}?</s>\n<|assistant|>\n",
            "chosen": "best",
            "rejected": "good",
        }
    ]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        (None, "'answers' must be a list of two answers or more, not null."),
        ("best", "'answers' must be a list of two answers or more, not text."),
        (FOUR[:1], "'answers' must be a list of two answers or more, not of 1."),
        ([FOUR[0], "best"], "answer 2 of 'answers' must be an object with a number as its rank."),
        ([FOUR[0], {"answer": "best", "rank": "first"}], "answer 2 of 'answers' must be an object with a number as its rank."),
        ([FOUR[0], {"rank": 1}], "'answer' of answer 2 of 'answers' must be text, not null."),
        ([FOUR[2], {"answer": "as good", "rank": 1}],
         "two of the 'answers' share the best rank, 1, so none of them is the better one."),
    ],
)  # fmt: skip
def test_answers_without_an_order_are_refused(answers: Any, message: str, finish: Finish) -> None:
    with pytest.raises(DataError) as caught:
        finish("zephyr.nectar", {"prompt": "Why?", "answers": answers})

    assert caught.value.message == f"pairs.jsonl, row 1: {message}"
    assert caught.value.fix
