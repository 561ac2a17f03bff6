"""The still picture of an inspector: token by token with rules, harmless, and told without colour."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from ft_core.data import Sample, Span
from ft_core.errors import DataError
from ft_core.inspection.finding import Finding
from ft_core.inspection.look import Looked, LookedSample
from ft_core.inspection.summary import Summary
from ft_core.inspection.tokens import Vocabulary
from ft_jupyter.widgets.inspector.static import Still, still_html, still_text

WORDS = {0: "<s>", 1: "Hi", 2: " you", 3: "\n", 4: "<img src=x onerror=alert(1)>", 5: "\\xf0", 6: "</s>"}


class Words:
    """What seven ids stand for."""

    def vocabulary(self, ids: Any) -> Vocabulary:
        known = tuple(sorted({int(token) for token in ids}))
        texts = tuple(WORDS[token] for token in known)
        special = tuple(token in (0, 6) for token in known)
        return Vocabulary(known, texts, tuple("" for _ in known), special, tuple(False for _ in known))


def sample(ids: list[int], trained: set[int], **fields: Any) -> Sample:
    """Return a sample with one masked span and then one trained span."""
    labels = [token if place in trained else -100 for place, token in enumerate(ids)]
    first = min(trained, default=len(ids))
    edges = [
        (0, first, "user", 0, False, "masked: role user"),
        (first, len(ids), "assistant", 1, True, "trained: <b>"),
    ]
    spans = [
        Span(start, end, role, turn, fate, rule, "".join(WORDS[token] for token in ids[start:end]))
        for start, end, role, turn, fate, rule in edges
        if start < end
    ]
    return Sample(np.array(ids), np.array(labels), tuple(spans), fields.pop("row", 0), "data.jsonl", **fields)


def looked(made: Sample, dropped: str | None = None, flags: tuple[str, ...] = ()) -> Looked:
    return Looked(made.row, 0, made.row, {}, (LookedSample(made, dropped, flags),))


def still(*rows: Looked, **fields: Any) -> Still:
    return Still(title="data.jsonl", about="2 rows · chat_template", looked=rows, tokens=Words(), **fields)  # type: ignore[arg-type]


def test_each_token_is_a_box_with_its_place_and_id() -> None:
    html = still_html(still(looked(sample([0, 1, 2, 3, 6], {3, 4}))))
    assert re.findall(r'title="(token [^"]*)">(.*?)</', html) == [
        ("token 0, id 0", "&lt;s&gt;"),
        ("token 1, id 1", "Hi"),
        ("token 2, id 2", "·you"),
        ("token 3, id 3", "⏎"),
        ("token 4, id 6", "&lt;/s&gt;"),
    ]
    trained = re.search(r'<u style="[^"]*" title="trained: &lt;b&gt;">(.*?)</u>', html)
    assert trained
    assert re.findall(r"token (\d)", trained[1]) == ["3", "4"]
    assert html.count("<b style=") == 3  # the legend's, and two special tokens


def test_each_turn_has_its_role_and_its_rule_in_words() -> None:
    html = still_html(still(looked(sample([1, 2, 6], {1, 2}))))
    assert ">user </small>" in html
    assert ">role user</div>" in html
    assert ">assistant </small>" in html
    assert ">&lt;b&gt;</div>" in html


def test_hostile_text_is_text() -> None:
    hostile = "<script>alert(1)</script>\u202e\x1b[31m\ud83d"
    row = looked(sample([4, 4], {1}), dropped=hostile)
    html = still_html(Still(title=hostile, about=hostile, looked=(row,), tokens=Words(), progress=hostile))  # type: ignore[arg-type]
    assert "<img" not in html
    assert "<script" not in html
    assert not re.search("[\u202e\x1b\ud800-\udfff]", html)
    assert html.count("&lt;img·src=x·onerror=alert(1)&gt;") == 2
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 4
    still_text(Still(title=hostile, about=hostile, looked=(row,))).encode()


def test_a_row_that_is_no_sample_says_why() -> None:
    row = Looked(4, 0, None, None, (), DataError("row 5: it is <broken>.", "Mend it."))
    html = still_html(still(row))
    assert "<strong>Row 5</strong> row 5: it is &lt;broken&gt;." in html
    assert "Mend it." in html
    assert still_text(still(row)).splitlines()[1] == "Row 5: row 5: it is <broken>."


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
    view = still(looked(made, dropped))
    assert words in still_html(view)
    assert still_text(view).splitlines()[1] == words


def test_a_very_long_sample_is_drawn_by_its_start() -> None:
    html = still_html(still(looked(sample([1] * 700, {0}))))
    assert html.count('title="token') == 512
    assert "… and 188 more tokens" in html


def test_the_text_has_a_line_for_each_span() -> None:
    lines = still_text(still(looked(sample([0, 1, 3, 6], {2, 3})))).splitlines()
    assert lines == [
        "data.jsonl: 2 rows · chat_template",
        "Row 1: 4 tokens, 2 trained",
        "  masked   user       <s>Hi  (role user)",
        "  trained  assistant  ⏎</s>  (<b>)",
    ]


def test_the_set_comes_first_worst_first() -> None:
    summary = Summary(9, 90, 45, 8, 30, (0, 30), (9,), (), (), 0.5, 4)
    findings = tuple(
        Finding(name, name.title(), severity, 3, 0.25, "Because.", "Do <this>.", (1,), flag)
        for name, severity, flag in (("bad", "wrong", "bad"), ("set", "notable", None))
    )
    view = still(summary=summary, findings=findings, progress="So far 9 of 90 rows were looked at.")
    html = still_html(view)
    assert "4, 50.0% full" in html
    assert "50.0%</strong>" in html
    assert "! wrong" in html
    assert "Bad, 3 rows (25.0%): Because." in html
    assert "Do &lt;this&gt;." in html
    assert "Set: Because." in html
    assert html.index("Bad,") < html.index("Set:") < html.index("So far 9 of 90 rows")
    assert still_text(view).splitlines()[1:] == [
        "So far 9 of 90 rows were looked at.",
        "! wrong: Bad, 3 rows (25.0%): Because.",
        "· notable: Set: Because.",
    ]
    assert "Nothing is wrong" in still_html(still(summary=summary))


def test_before_the_tokenizer_is_loaded_the_rows_are_lines() -> None:
    view = Still(title="data.jsonl", about="2 rows", previews=("What is <b>?", "And then?"))
    assert "<li>What is &lt;b&gt;?</li><li>And then?</li>" in still_html(view)
    assert still_text(view).splitlines()[1:] == ["What is <b>?", "And then?"]
