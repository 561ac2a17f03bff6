from __future__ import annotations

import doctest
import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data import preference
from ft_core.data.preference import preference_rows
from ft_core.data.preference.task import Example
from ft_core.errors import DataError

Finish = Callable[..., list[Example]]

PAIR = {"prompt": "Why?\n", "chosen": "Yes.", "rejected": "No."}
JUDGED = {"prompt": "Why?\n", "completion": "Yes."}


@pytest.mark.parametrize("kind", [None, ""])
@pytest.mark.parametrize("method", ["dpo", "ipo", "simpo", "orpo", "reward"])
def test_without_a_type_rows_are_finished(kind: str | None, method: str, finish: Finish) -> None:
    assert finish(kind, {**PAIR, "source": "forum"}, method=method) == [PAIR]


@pytest.mark.parametrize(
    ("label", "read"), [(True, True), (False, False), (1, True), (0, False), (1.0, True)]
)
def test_a_label_is_true_or_false(label: Any, read: bool, finish: Finish) -> None:
    [row] = finish(None, {**JUDGED, "label": label}, method="kto")

    assert row == {**JUDGED, "label": read}
    assert row["label"] is read


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (JUDGED, "'label' must be true or false, not null or missing."),
        ({**JUDGED, "label": "good"}, "'label' must be true or false, not 'good'."),
        ({**JUDGED, "label": 2}, "'label' must be true or false, not 2."),
    ],
)
def test_a_label_that_is_neither_is_refused(row: dict[str, Any], message: str, finish: Finish) -> None:
    with pytest.raises(DataError) as caught:
        finish(None, row, method="kto")

    assert caught.value.message == f"pairs.jsonl, row 1: {message}"
    assert (
        caught.value.fix
        == "rl: kto needs a verdict for every answer: true for a good one, false for a bad one."
    )


@pytest.mark.parametrize("method", ["dpo", "orpo", "kto", "reward"])
def test_passthrough_changes_nothing(method: str, finish: Finish) -> None:
    row = {"chosen": [{"role": "user", "content": "Why?"}], "rejected": [], "extra": None}

    assert finish("passthrough", row, method=method) == [row]


@pytest.mark.parametrize(
    ("kind", "method", "message", "listed"),
    [
        ("chatml.inter", "dpo", "there is no dataset type 'chatml.inter' for rl: dpo; did you mean 'chatml.intel'?",
         "chat_template.argilla_chat"),
        ("zephyr.nectar", "kto", "there is no dataset type 'zephyr.nectar' for rl: kto.", "chatml.ultra"),
        ("chat_template", "reward", "there is no dataset type 'chat_template' for reward_model: true.",
         "bradley_terry.chat_template"),
        ("bradley_terry.chat_template", "dpo", "there is no dataset type 'bradley_terry.chat_template' for rl: dpo.",
         "zephyr.nectar"),
    ],
)  # fmt: skip
def test_an_unknown_type_is_refused_with_those_that_there_are(
    kind: str, method: str, message: str, listed: str, finish: Finish
) -> None:
    with pytest.raises(DataError) as caught:
        finish(kind, PAIR, method=method)

    assert caught.value.message == f"pairs.jsonl: {message}"
    assert f"{listed}," in caught.value.fix or f"{listed};" in caught.value.fix


def test_the_first_dataset_and_its_row_numbers_are_the_default(
    make_config: Callable[..., Config], tokenizer: Any
) -> None:
    rows = [{"messages": "Why?", "chosen": "Yes.", "rejected": "No."}, {"messages": "Why?", "chosen": "Yes."}]

    with pytest.raises(DataError) as caught:
        preference_rows(make_config(), rows, tokenizer, method="dpo", first_row=40)

    assert caught.value.message.startswith("some/rows, row 42: there is no 'rejected'")


@pytest.mark.parametrize("name", [module.name for module in pkgutil.iter_modules(preference.__path__)])
def test_the_examples_in_the_text_are_true(name: str) -> None:
    module = importlib.import_module(f"ft_core.data.preference.{name}")

    assert doctest.testmod(module).failed == 0
