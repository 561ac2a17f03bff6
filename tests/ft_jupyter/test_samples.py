"""The first look at the data: each token a box, trained and masked apart without colour, hostile text harmless."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft_core.config import load_config
from ft_core.data import Sample, Span
from ft_jupyter.widgets.samples import Samples, first_samples, token_text, visible

WORDS = {0: "<s>", 1: "Hi", 2: " you", 3: "\n", 4: "<img src=x onerror=alert(1)>", 5: "\ufffd", 6: "</s>"}


class Words:
    """A tokenizer of seven words."""

    all_special_ids = (0, 6)

    def decode(self, ids: list[int], **_: object) -> str:
        return "".join(WORDS[token] for token in ids)

    def convert_ids_to_tokens(self, token: int) -> str:
        return "ðŁĺ" if token == 5 else WORDS[token]


def sample(ids: list[int], trained: set[int], **fields: Any) -> Sample:
    """Return a sample with one masked span and then one trained span."""
    labels = [token if place in trained else -100 for place, token in enumerate(ids)]
    first = min(trained, default=len(ids))
    edges = [
        (0, first, "user", False, "masked: role user"),
        (first, len(ids), "assistant", True, "trained: <b>"),
    ]
    spans = [
        Span(start, end, role, 0, fate, rule, "".join(WORDS[token] for token in ids[start:end]))
        for start, end, role, fate, rule in edges
        if start < end
    ]
    return Sample(np.array(ids), np.array(labels), tuple(spans), fields.pop("row", 0), "data.jsonl", **fields)


def drawn(*samples: Sample, dropped: list[str | None] | None = None, title: str = "data.jsonl") -> Samples:
    return Samples(samples, Words(), title=title, dropped=dropped or [None] * len(samples))


def boxes(html: str) -> list[tuple[str, str, str]]:
    """Return tag, title and content of each token's box; the legend has no titles."""
    return re.findall(r'<(u|s) style="[^"]*" title="([^"]*)">(.*?)</\1>', html)


def test_each_token_is_a_box_that_says_all_about_it() -> None:
    html = drawn(sample([0, 1, 2, 3, 6], {3, 4}))._repr_html_()
    assert boxes(html) == [
        ("s", "token 0, id 0, user, masked: role user", "<b>&lt;s&gt;</b>"),
        ("s", "token 1, id 1, user, masked: role user", "Hi"),
        ("s", "token 2, id 2, user, masked: role user", "·you"),
        ("u", "token 3, id 3, assistant, trained: &lt;b&gt;", "⏎"),
        ("u", "token 4, id 6, assistant, trained: &lt;b&gt;", "<b>&lt;/s&gt;</b>"),
    ]


def test_a_line_end_breaks_the_line() -> None:
    html = drawn(sample([3, 1], {1}))._repr_html_()
    assert "⏎</s><br>" in html or "⏎</s><wbr><br>" in html


def test_hostile_text_is_text() -> None:
    hostile = "<script>alert(1)</script>"
    html = drawn(sample([4, 4], {1}), title=hostile, dropped=[hostile])._repr_html_()
    assert "<img" not in html
    assert "<script" not in html
    assert html.count("&lt;img·src=x·onerror=alert(1)&gt;") == 2
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_half_a_character_is_shown_as_the_tokenizer_names_it() -> None:
    assert token_text(5, Words()) == "ðŁĺ"


def test_a_sentencepiece_word_keeps_its_space() -> None:
    class Pieces(Words):
        def convert_ids_to_tokens(self, token: int) -> str:
            return "▁Hi"

    assert token_text(1, Pieces()) == " Hi"


@pytest.mark.parametrize(
    ("made", "dropped", "words"),
    [
        (sample([0, 1, 6], {1, 2}), None, "Row 1: 3 tokens, 2 trained"),
        (
            sample([0, 1], set(), row=4),
            "nothing trained",
            "Row 5: 2 tokens, 0 trained. Left out of training: nothing trained.",
        ),
        (sample([0, 1], {1}, cut=1200), None, "Row 1: 2 tokens, 1 trained, 1,200 cut off"),
    ],
)
def test_counts(made: Sample, dropped: str | None, words: str) -> None:
    view = drawn(made, dropped=[dropped])
    assert words in view._repr_html_()
    assert repr(view).splitlines()[1] == words


def test_a_very_long_sample_is_drawn_by_its_start() -> None:
    html = drawn(sample([1] * 1500, {0}))._repr_html_()
    assert len(boxes(html)) == 1024
    assert "… and 476 more tokens" in html
    late = drawn(sample([1] * 1500, set(range(1100, 1500))))._repr_html_()
    assert ">user</small>" in late
    assert ">assistant</small>" not in late


def test_the_text_has_a_line_for_each_span() -> None:
    lines = repr(drawn(sample([0, 1, 3, 6], {2, 3}))).splitlines()
    assert lines[0] == "First samples of data.jsonl"
    assert lines[2:] == ["  masked   user       <s>Hi  (role user)", "  trained  assistant  ⏎</s>  (<b>)"]


def test_whitespace_is_visible() -> None:
    assert visible(" a\tb\r\n") == "·a→b␍⏎"


def test_the_boxes_are_the_tokens_that_training_gets(yaml: str) -> None:
    view = first_samples(load_config(yaml), rows=2)
    assert len(view) == 2
    found = boxes(view._repr_html_())
    ids = [int(re.search(r"id (\d+)", title)[1]) for _, title, _ in found]  # type: ignore[index]
    assert ids == [int(token) for made in view.samples for token in made.input_ids]
    assert [tag == "u" for tag, _, _ in found] == [
        bool(label != -100) for made in view.samples for label in made.labels
    ]


def test_only_the_rows_that_are_shown_are_read(yaml: str, dictionary: Path, tmp_path: Path) -> None:
    rows = dictionary.read_text().splitlines()[:2]
    broken = tmp_path / "broken.jsonl"
    broken.write_text("\n".join([*rows, "not json"]))
    config = load_config(yaml.replace(str(dictionary), str(broken)))
    assert len(first_samples(config, rows=2)) == 2


def test_rows_that_are_left_out_are_told_and_the_others_keep_their_numbers(
    yaml: str, dictionary: Path, tmp_path: Path
) -> None:
    rows = dictionary.read_text().splitlines()[:4]
    file = tmp_path / "broken.jsonl"
    file.write_text("\n".join([rows[0], "not json", rows[1], '{"messages": 3}', rows[2], rows[3]]))
    config = load_config(yaml.replace(str(dictionary), str(file)) + "\nbroken_rows: skip\n")
    view = first_samples(config, rows=4)
    assert [made.row for made in view.samples] == [0, 2, 4]
    last = repr(view).splitlines()[-1]
    assert last.startswith("2 broken rows are left out (broken_rows is skip): ")
    assert "line 2: not valid JSON" in last
    assert "row 4: 'messages' must be a list of messages, not a number." in last
    assert "2 broken rows are left out" in view._repr_html_()


def test_the_rows_of_a_share_keep_their_numbers(yaml: str) -> None:
    config = load_config(yaml.replace("type: chat_template", "type: chat_template\n    weight: 0.5"))
    numbers = [made.row for made in first_samples(config, rows=4).samples]
    expected = np.random.default_rng(config.seed).permutation(817)[:4]
    assert numbers == expected.tolist()
