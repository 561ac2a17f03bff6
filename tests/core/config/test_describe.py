"""The documentation of keys as text."""

from __future__ import annotations

import pytest

from ft_core.config import KeyDoc, explain, explain_all
from ft_core.config.describe import describe, describe_topics, rows, topics, written


def test_a_key_is_described_row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ft_core.config.describe.siblings", lambda doc: ())
    doc = KeyDoc(
        key="a.b",
        text="What b does.",
        example="b: two",
        topic="model",
        type="'one' or 'two'",
        allowed=("one", "two"),
        default="one",
        required=False,
        planned=("three",),
    )
    assert describe(doc).splitlines() == [
        "a.b",
        "What b does.",
        "one of     one, two",
        "not yet    three",
        "default    one",
        "example    b: two",
        "topic      model",
        "supported  yes",
    ]


def test_a_key_that_is_not_supported_yet_says_what_to_do_instead() -> None:
    lines = describe(explain("grokfast_alpha")).splitlines()
    assert lines[0] == "grokfast_alpha"
    assert lines[2:] == ["takes      what Axolotl takes", "supported  not yet: remove it"]


def test_a_key_that_works_names_those_beside_it_that_work() -> None:
    checkpoint = [doc for doc in explain_all() if doc.topic == "checkpoint"]
    works = [doc.key for doc in checkpoint if doc.instead is None and doc.key != "save_steps"]
    assert 0 < len(works) < len(checkpoint) - 1
    assert rows(explain("save_steps"))[-1] == ("see also", ", ".join(works))


def test_every_key_is_in_the_list_once() -> None:
    listed: list[str] = []
    for _, _, works, planned in topics():
        for word in (*works, *planned):
            key, _, inner = word.rstrip(")").partition(" (")
            listed += [key, *(f"{key}.{name}" for name in inner.split(", ") if name)]
    documented = {doc.key: doc for doc in explain_all() if doc.holder != "test_datasets"}
    held_by_planned = {
        key for key, doc in documented.items() if doc.holder and documented[doc.holder].instead is not None
    }
    assert sorted(listed) == sorted(set(documented) - held_by_planned)


def test_the_list_names_the_topic_its_text_and_its_keys() -> None:
    lines = describe_topics().splitlines()
    assert lines[:2] == ["model", "  The model that is tuned."]
    assert lines[2].startswith("  base_model, ")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (True, "true"),
        (False, "false"),
        (0.0, "0.0"),
        (42, "42"),
        ("auto", "auto"),
        (("gpt", "assistant"), "[gpt, assistant]"),
        ({"role": "from", "on": True}, "{role: from, on: true}"),
        (None, ""),
        ((), ""),
        ({}, ""),
    ],
)
def test_a_default_is_written_as_in_yaml(value: object, text: str) -> None:
    assert written(value) == text
