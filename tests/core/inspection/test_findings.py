"""Sets that are broken on purpose: each is found, first of all, with its rows and the line that mends it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.inspection.finding import FIRST
from ft_core.inspection.results import Results
from ft_core.inspection.rows import RowList
from ft_core.inspection.scan import Scanned, columns_of

from .scanned import chat, config_of, scan, write_rows

GOOD = [chat(f"What is {n} and {n}?", f"Together they are {2 * n}.") for n in range(40)]
LONG = [chat(f"Count from {n}.", " ".join(str(number) for number in range(n, n + 60))) for n in range(10)]
EMPTY = [chat(f"Is {n} empty?", "") for n in range(5)]
BOT = [chat(f"Who are you, number {n}?", "A bot.", roles=("user", "bot")) for n in range(8)]

BOT_FIX = (
    "Name them in the dataset: roles: {user: [human, user], assistant: [gpt, assistant, bot], system: [system], "
    "tool: [tool]}"
)
IN_BOTH_PARTS = (
    "An earlier sample has the same ids and labels. With val_set_size, copies may be in both parts, and the evaluation "
    "is then of rows it knows."
)

Make = Callable[..., Results]


@pytest.fixture
def make(tmp_path: Path, tokenizer: Any) -> Make:
    """Return a function from rows, what the dataset says and the config's keys to what a pass finds."""

    def run(rows: list[Any], dataset: dict[str, Any] | None = None, **keys: Any) -> Results:
        return scan(config_of(write_rows(tmp_path / "rows.jsonl", rows), dataset, **keys), tokenizer)

    return run


def test_a_good_set_has_no_findings(make: Make) -> None:
    assert make(GOOD).findings == ()


@pytest.mark.parametrize(
    ("rows", "keys", "name", "severity", "places", "reason", "fix"),
    [
        (
            [*GOOD, *BOT],
            {},
            "unknown_role",
            "wrong",
            range(40, 48),
            "Neither roles nor the chat template knows 'bot' (8). In 8 of these rows nothing is trained.",
            BOT_FIX,
        ),
        (
            [*GOOD, *EMPTY],
            {},
            "empty_turn",
            "wrong",
            range(40, 45),
            "A message, or the answer, holds no text. In 5 of these rows nothing is trained.",
            "Remove the row, or fill it in.",
        ),
        (
            [*GOOD, *LONG],
            {"sequence_len": 64, "excess_length_strategy": "truncate"},
            "truncated",
            "suspicious",
            range(40, 50),
            "1,465 tokens were cut off at sequence_len (64); the longest sample has 215 tokens.",
            "sequence_len: 256 holds 100% of the samples whole.",
        ),
        (
            [*GOOD, *LONG],
            {"sequence_len": 64},
            "too_long",
            "suspicious",
            range(40, 50),
            "They are longer than sequence_len (64), so training leaves them out; the longest sample has 215 tokens.",
            "sequence_len: 256 holds 100% of the samples whole.",
        ),
        (
            GOOD,
            {"dataset": {"train_on_eos": "none"}},
            "stop_untrained",
            "wrong",
            range(40),
            "'<|im_end|>' ends the answers and has no label, so the model does not learn to stop.",
            "Set train_on_eos: turn.",
        ),
        (
            [*GOOD, *GOOD[:12]],
            {"val_set_size": 0.1},
            "duplicate",
            "suspicious",
            range(40, 52),
            IN_BOTH_PARTS,
            "Set dataset_exact_deduplication: true.",
        ),
        (
            GOOD,
            {"dataset": {"roles_to_train": ["tool"]}},
            "nothing_trained",
            "wrong",
            range(40),
            "No token has a label: the set's roles are 'user', 'assistant', and roles_to_train is [tool].",
            "Name those who answer in roles_to_train, or what they are called under roles.",
        ),
        (
            [chat(f"What is {n}?", "I cannot say." if n % 4 else f"It is {n}.") for n in range(40)],
            {},
            "equal_answers",
            "suspicious",
            [n for n in range(40) if n % 4],
            "75% of the samples are trained on the very same text, whatever they ask.",
            "Check which column holds the answer, or take fewer of these rows.",
        ),
        (
            [*GOOD, chat("Count.", " ".join(map(str, range(900))))],
            {"sequence_len": 8192},
            "dominating_row",
            "suspicious",
            [40],
            "One row has 65% of all tokens.",
            "Shorten or remove it.",
        ),
        (
            [chat(f"Is {n} even?", "no" if n == 7 else "yes") for n in range(40)],
            {},
            "equal_answers",
            "suspicious",
            [n for n in range(40) if n != 7],
            "98% of the samples are trained on the very same text, whatever they ask.",
            "Check which column holds the answer, or take fewer of these rows.",
        ),
        (
            [chat(f"Is {n} even?", "no" if n % 2 else "yes") for n in range(40)],
            {},
            "short_answers",
            "notable",
            range(40),
            "Most samples train at most 3 tokens, the token that ends the answer among them.",
            "Check which column holds the answer; for labels and choices it is as it should be.",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and value.isidentifier() else "",
)
def test_what_is_wrong_with_a_set_is_its_first_finding(
    make: Make,
    rows: list[Any],
    keys: dict[str, Any],
    name: str,
    severity: str,
    places: Any,
    reason: str,
    fix: str,
) -> None:
    found = make(rows, **keys).findings[0]
    assert (found.name, found.severity) == (name, severity)
    assert found.places == tuple(places)[:FIRST]
    assert (found.count, found.share) == (len(places), len(places) / len(rows))
    assert found.reason == reason
    assert found.fix == fix


def test_broken_rows_are_counted_by_their_reason_and_the_first_is_named(make: Make) -> None:
    broken = ['{"messages": ', '{"messages": ', "[1]", '{"messages": "x"}']
    [found, *_] = make([*GOOD, *broken]).findings
    assert (found.name, found.count, found.places) == ("broken", 4, (40, 41, 42, 43))
    assert found.reason.startswith(
        "not valid JSON (expected value at column …) (2), a row must be an object, not […] (1), "
    )
    assert "rows.jsonl line 41: not valid JSON (expected value at column 14)" in found.reason
    assert found.fix.endswith("Or leave them out: broken_rows: skip.")


def test_a_template_that_refuses_conversations_is_named_with_its_words(make: Make) -> None:
    template = "{% for m in messages %}{{ raise_exception('Roles must alternate') if loop.index > 2 else m.content }}{% endfor %}"
    rows = [*GOOD[:5], chat("One.", "Two.", "Three.", "Four.")]
    [found, *_] = make(rows, chat_template_jinja=template).findings
    assert (found.name, found.places) == ("broken", (5,))
    assert "refuses this conversation: Roles must alternate (1)" in found.reason


def test_everything_trained_is_a_finding_only_where_inputs_are_not_to_be_trained(make: Make) -> None:
    rows = [{"input_ids": [n, n + 1], "labels": [n, n + 1]} for n in range(5, 9)]
    assert [each.name for each in make(rows, {"type": None}).findings] == ["everything_trained"]
    assert make(rows, {"type": None}, train_on_inputs=True).findings == ()


def test_rows_of_both_sets_leak(tmp_path: Path, tokenizer: Any) -> None:
    train = write_rows(tmp_path / "train.jsonl", GOOD)
    test = write_rows(tmp_path / "test.jsonl", [chat("New?", "Yes, new."), *GOOD[3:5], chat("More?", "Yes.")])
    config = config_of(train, test_datasets=[{"path": str(test), "type": "chat_template"}], val_set_size=0)
    [found] = scan(config, tokenizer).findings
    assert (found.name, found.severity, found.places, found.share) == ("leak", "wrong", (41, 42), 0.5)
    assert found.flag is None


def test_a_dataset_that_hardly_counts_is_named(tmp_path: Path, tokenizer: Any) -> None:
    large = write_rows(tmp_path / "large.jsonl", [chat(f"Say {n}.", f"{n} " * 60) for n in range(200)])
    small = write_rows(tmp_path / "small.jsonl", [chat("Hi.", "Hello.")])
    datasets = [{"path": str(path), "type": "chat_template"} for path in (large, small)]
    [found] = scan(config_of(large, datasets=datasets), tokenizer).findings
    assert (found.name, found.severity, found.places) == ("unequal_datasets", "notable", (200,))
    assert "small.jsonl' has 0." in found.reason


def test_prompts_that_differ_are_counted_by_their_cause(tmp_path: Path) -> None:
    config = config_of(write_rows(tmp_path / "rows.jsonl", GOOD))
    differing = {7: ("The template adds thinking.", "Set x."), 3: ("The template adds thinking.", "Set x.")}
    entries = [(place, 0, 9, 4, 0, 0, 0, place, place) for place in range(10)]
    results = Results(
        config, RowList(config).datasets, columns_of(entries), Scanned(columns_of([])), differing
    )
    [found] = results.findings
    assert (found.name, found.count, found.places, found.share) == ("prompt_differs", 2, (3, 7), 0.2)
    assert (found.reason, found.fix) == ("The template adds thinking (2)", "Set x.")
    assert results.counts["prompt_differs"] == 2


def test_the_worst_come_first_and_of_these_what_more_rows_have(make: Make) -> None:
    rows = ["{", *BOT, *EMPTY, *GOOD[:9], *GOOD[:9]]
    assert [(each.name, each.count) for each in make(rows).findings] == [
        ("broken", 1),
        ("unknown_role", 8),
        ("empty_turn", 5),
        ("duplicate", 9),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        "<script>alert(1)</script>",
        "\u001b[2J\u001b[31mred",
        "\u202eright to left",
        "\u0000",
        "word " * 200_000,
        "\ud83d",
        "{% raw %}{{ messages }}",
        "<|im_end|>" * 100,
    ],
    ids=["markup", "terminal", "bidi", "nul", "a megabyte", "surrogate", "template", "special"],
)
def test_hostile_text_ends_no_pass(make: Make, hostile: str) -> None:
    rows = [*GOOD[:3], json.dumps(chat(hostile, hostile)), *GOOD[3:6]]
    results = make(rows, sequence_len=512)
    assert results.rows == 7
    assert results.counts["broken"] == (1 if hostile == "\ud83d" else 0)
    assert results.summary is not None
    assert all(isinstance(found.reason, str) for found in results.findings)


def test_a_role_with_signs_of_yaml_is_quoted_in_the_line(make: Make) -> None:
    row = {"messages": [{"role": "user", "content": "Hi."}, {"role": "a: [b]", "content": "Hello."}]}
    [found, *_] = make([*GOOD, row]).findings
    assert 'assistant: [gpt, assistant, "a: [b]"]' in found.fix
