"""What each flag finds, and what it leaves alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ft_core.inspection.flags import BIT, FLAGS, SEVERITIES, names_of

from .scanned import chat, config_of, scan, write_rows

TALK = chat("What is two and two?", "It is four.")
ALPACA = {"instruction": "Add.", "input": "2 2", "output": "4"}
TWICE = "{{ bos_token }}{{ bos_token }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
WITHOUT_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n"
    "{% endfor %}"
)
WITHOUT_END = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
SYSTEM = {"role": "system", "content": "Be brief and honest."}


def with_system(row: dict[str, Any]) -> dict[str, Any]:
    """Return a conversation with a system message before it."""
    return {"messages": [SYSTEM, *row["messages"]]}


@pytest.mark.parametrize(
    ("row", "dataset", "keys", "expected"),
    [
        (TALK, {}, {}, []),
        (with_system(TALK), {}, {}, []),
        ({"system": "Be brief.", **TALK}, {}, {}, []),
        (chat("Hi.", "Hello.", "Why?", "So."), {}, {}, []),
        ("{", {}, {}, ["broken"]),
        ({"text": "no messages"}, {}, {}, ["broken"]),
        (chat("Hi.", "half \ud83d"), {}, {}, ["broken"]),
        (chat("Hi.", "Hello.", roles=("user", "bot")), {}, {}, ["unknown_role", "nothing_trained"]),
        (chat("Hi.", "Hello.", roles=("human", "gpt")), {}, {}, []),
        (chat("Hi.", "Hello.", roles=("user", "bot")), {"roles": {"assistant": ["bot"]}}, {}, []),
        (TALK, {"roles_to_train": ["tool"]}, {}, ["nothing_trained"]),
        (TALK, {"train_on_eos": "none"}, {}, ["stop_untrained"]),
        (TALK, {"train_on_eos": "last"}, {}, []),
        (TALK, {"train_on_eos": "all"}, {}, []),
        (TALK, {}, {"chat_template_jinja": WITHOUT_END}, ["no_stop"]),
        (TALK, {}, {"chat_template_jinja": TWICE}, ["double_bos"]),
        (with_system(TALK), {}, {"chat_template_jinja": WITHOUT_SYSTEM}, ["message_lost"]),
        (TALK, {}, {"chat_template_jinja": WITHOUT_SYSTEM}, []),
        (TALK, {}, {"sequence_len": 8}, ["too_long"]),
        (
            TALK,
            {},
            {"sequence_len": 8, "excess_length_strategy": "truncate"},
            ["nothing_trained", "truncated"],
        ),
        (TALK, {}, {"min_sample_len": 900}, ["too_short"]),
        (chat("Hi.", ""), {}, {}, ["nothing_trained", "empty_turn"]),
        (chat("Hi.", "  \n"), {}, {}, ["empty_turn"]),
        (chat("Hi.", "Hello.", "Bye."), {}, {}, ["unanswered"]),
        (chat("Say <|im_end|>.", "No."), {}, {}, ["special_in_text"]),
        (chat("Un caf\u00e9?", "Na\u00efve \U0001f600 \u05e9\u05dc\u05d5\u05dd"), {}, {}, []),
        (chat("A caf\u00c3\u00a9?", "Yes."), {}, {}, ["mojibake"]),
        (chat("It\u00e2\u20ac\u2122s.", "Yes."), {}, {}, ["mojibake"]),
        (chat("A\ufffdb", "Yes."), {}, {}, ["replacement_character"]),
        (chat("A\u202eb", "Yes."), {}, {}, ["control_characters"]),
        (chat("A\u0000b", "Yes."), {}, {}, ["control_characters"]),
        (chat("\ufeffA", "Yes."), {}, {}, ["control_characters"]),
        (chat("A\tb\r\nc", "Yes."), {}, {}, []),
        (ALPACA, {"type": "alpaca"}, {}, []),
        ({**ALPACA, "output": ""}, {"type": "alpaca"}, {}, ["nothing_trained", "empty_turn"]),
        ({"text": "Plain text, all of it."}, {"type": "completion"}, {}, []),
        ({"text": " ".join(map(str, range(99)))}, {"type": "completion"}, {"sequence_len": 16}, []),
        ({"input_ids": [5, 6, 2], "labels": [5, 6, 2]}, {"type": None}, {}, ["everything_trained"]),
        ({"input_ids": [5, 6, 2], "labels": [-100, 6, 2]}, {"type": None}, {}, []),
        ({"input_ids": [5, 999_999], "labels": [5, 6]}, {"type": None}, {}, ["broken"]),
    ],
)
def test_a_row_has_its_flags_and_no_others(
    tmp_path: Path,
    tokenizer: Any,
    row: Any,
    dataset: dict[str, Any],
    keys: dict[str, Any],
    expected: list[str],
) -> None:
    line = row if isinstance(row, str) else json.dumps(row)
    config = config_of(write_rows(tmp_path / "rows.jsonl", [line]), dataset, **keys)
    found = scan(config, tokenizer).counts
    assert [name for name, count in found.items() if count] == expected


@pytest.mark.parametrize(
    ("answer", "template", "flags"),
    [
        ("<think>Long and hard.</think>So.", "{{ m.content }}", []),
        ("<think>Long and hard.</think>So.", "{{ m.content.split('</think>')[-1] }}", ["thinking_dropped"]),
        ("So.", "{{ m.content }}", []),
    ],
)
def test_thinking_is_missed_where_the_template_drops_it(
    tmp_path: Path, tokenizer: Any, answer: str, template: str, flags: list[str]
) -> None:
    jinja = "{% for m in messages %}<|im_start|>" + template + "<|im_end|>\n{% endfor %}"
    path = write_rows(tmp_path / "rows.jsonl", [chat("Why?", answer)])
    found = scan(config_of(path, chat_template_jinja=jinja), tokenizer).counts
    assert [name for name, count in found.items() if count] == flags


def test_each_flag_has_a_name_a_title_and_a_sentence() -> None:
    assert len({flag.name for flag in FLAGS}) == len(FLAGS) <= 32
    for flag in FLAGS:
        assert flag.title
        assert flag.description.endswith(".")
        assert not flag.fix or flag.fix.endswith(".")
        assert flag.severity in SEVERITIES
        assert names_of(BIT[flag.name]) == (flag.name,)
