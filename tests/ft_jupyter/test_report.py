"""The still pictures of a run and of a plan: exact pieces, and nothing that a page could run."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from typing import Any

import pytest

from ft_core.config import load_config
from ft_core.train.figures import figures
from ft_jupyter.plan_card import PlanCard, plan_card
from ft_jupyter.widgets.run_report import RunReport

HOSTILE = "</pre><script>alert('x')</script><img src=x onerror=alert(1)>"
SAFE_TAGS = {
    "div",
    "strong",
    "table",
    "tbody",
    "tr",
    "th",
    "td",
    "span",
    "br",
    "details",
    "summary",
    "pre",
    "code",
    "svg",
    "title",
    "path",
    "text",
    "polyline",
    "circle",
}


class Tags(HTMLParser):
    """Collects every tag and attribute, and fails on what is not well nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag != "br":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def cells(html: str) -> dict[str, str]:
    """Return the table's rows: name to value."""
    return dict(re.findall(r"<th[^>]*>(.*?)</th><td[^>]*>(.*?)</td>", html))


def test_a_finished_run(write_run: Any) -> None:
    written = write_run("joker")
    written.emit(
        {"type": "model", "parameters": 1_000_000, "trainable_parameters": 8192, "device": "cpu"},
        {
            "type": "data",
            "train_samples": 725,
            "train_tokens": 46332,
            "trained_tokens": 20002,
            "dropped": {"too long": 92},
        },
    )
    for number in range(1, 4):
        written.step(number, tokens_per_second=100.0 * number)
    written.emit({"type": "eval", "step": 3, "loss": 1.75})
    written.end(step=3, total_steps=3)
    html = RunReport(written.run).html
    assert cells(html) == {
        "State": "✓ completed",
        "Steps": "3 of 3",
        "Loss": "4 → 2",
        "Evaluation loss": "1.75",
        "Speed": "200 tokens/s",
        "Data": "725 samples, 20,002 of 46,332 tokens trained on; dropped: 92 (too long)",
        "Trained parameters": "8,192 of 1,000,000",
        "Time": "42 s",
    }
    assert html.count("<svg") == 1
    assert f"<code>{written.directory}</code></div>" in html
    assert Tags(html).tags <= SAFE_TAGS


def test_a_run_whose_best_weights_were_kept_says_which(write_run: Any) -> None:
    written = write_run("joker")
    for number in range(1, 4):
        written.step(number, **{"rewards/margins": 0.5 * number, "rewards/accuracies": 0.25 * number})
    written.emit({"type": "best", "step": 2, "path": "checkpoints/checkpoint-2", "loss": 1.75})
    written.emit({"type": "restart", "step": 1, "number": 1, "pruned": 0.9})
    written.emit({"type": "restart", "step": 2, "number": 2, "pruned": 0.9})
    written.end(step=3, total_steps=3)
    html = RunReport(written.run).html
    shown = cells(html)
    assert shown["Reward margin"] == "0.5 → 1.5"
    assert shown["Pairs told apart"] == "0.25 → 0.75"
    assert shown["Tuned model"] == "the weights of step 2, evaluated best: 1.75"
    assert shown["Adapter begun anew"] == "2 times, last after step 2"
    assert html.count('stroke-dasharray="1 3"') == 2
    assert Tags(html).tags <= SAFE_TAGS


def test_a_living_run_says_how_far_it_is_and_how_to_see_it_live(write_run: Any) -> None:
    written = write_run("joker", phase="tokenizing", step=2)
    written.emit({"type": "phase", "phase": "tokenizing", "done": 256, "total": 817})
    written.step(2)
    report = RunReport(written.run)
    found = cells(report.html)
    assert (found["State"], found["Doing"], found["Steps"]) == (
        "▶ running",
        "tokenizing (256 of 817)",
        "2 of 10",
    )
    assert found["Left"] == "8 s"
    assert "<code>%ft attach joker</code> shows it live" in report.html


def test_a_run_that_has_not_begun_has_no_picture_and_no_steps(write_run: Any) -> None:
    html = RunReport(write_run(state="starting", phase="starting", total_steps=0).run).html
    assert "<svg" not in html
    assert set(cells(html)) == {"State", "Doing", "Time"}


def test_a_failed_run_says_why_with_its_traceback_and_log_one_click_away(write_run: Any) -> None:
    written = write_run()
    written.log("last words\n")
    written.emit(
        {"type": "error", "message": "Out of memory.", "fix": "Lower it.", "traceback": "Traceback: here"}
    )
    written.end("failed", message="Out of memory.", fix="Lower it.")
    report = RunReport(written.run)
    assert "<strong>Failed:</strong> Out of memory.<br>" in report.html
    assert re.findall(r"<summary[^>]*>(.*?)</summary><pre[^>]*>(.*?)</pre>", report.html) == [
        ("Traceback", "Traceback: here"),
        ("End of the log", "last words"),
    ]
    assert "Failed: Out of memory.\n  Lower it." in report.text


def test_a_lost_run_says_what_is_known(write_run: Any) -> None:
    written = write_run(pid=2**22 + 1, pid_started=1.0)
    html = RunReport(written.run).html
    assert cells(html)["State"] == "? lost"
    assert "is gone and did not say why" in html


def test_warnings_are_listed(write_run: Any) -> None:
    written = write_run()
    written.emit({"type": "warning", "message": "One.", "fix": "Two."})
    report = RunReport(written.run)
    assert "<strong>Warning:</strong> One.<br>" in report.html
    assert "Warning: One.\n  Two." in report.text


def test_hostile_words_of_a_run_stay_words(write_run: Any) -> None:
    written = write_run(phase=HOSTILE)
    written.log(HOSTILE + "\n")
    written.emit({"type": "warning", "message": HOSTILE, "fix": HOSTILE})
    written.emit({"type": "error", "message": HOSTILE, "fix": HOSTILE, "traceback": HOSTILE})
    written.emit({"type": "data", "train_samples": HOSTILE, "dropped": {HOSTILE: HOSTILE}})
    living = Tags(RunReport(written.run).html)
    written.end("failed", message=HOSTILE, fix=HOSTILE)
    ended = Tags(RunReport(written.run).html)
    for found in (living, ended):
        assert found.tags <= SAFE_TAGS
        assert not any(name.startswith("on") or name == "src" for name in found.attributes)


def test_a_report_is_of_its_moment(write_run: Any) -> None:
    written = write_run()
    report = RunReport(written.run)
    written.end()
    assert "▶ running" in report._repr_html_()


def test_the_plan_card_has_the_numbers_and_their_reasons(yaml: str) -> None:
    card = plan_card(load_config(yaml), exact=True)
    found = {name: (value, reason) for name, value, reason in figures(card.plan)}
    assert found["Trains"] == ("LoRA r=4 on all-linear", "8,192 of 3,227,968 parameters, 0.25%")
    assert found["Time"][0].startswith("about ")
    assert found["Rows"] == ("817", "up to 256 tokens each")
    assert found["Steps"] == ("4", "2 rows a step, 0.01 epochs")
    assert repr(card) == card.plan.render()
    assert Tags(card._repr_html_()).tags <= SAFE_TAGS


def test_the_plan_card_shows_each_warning_with_its_fix(yaml: str) -> None:
    card = plan_card(load_config(yaml.replace("micro_batch_size: 2", "micro_batch_size: 900")))
    assert card.plan.warnings
    html = card._repr_html_()
    assert html.count("<strong>Warning:</strong>") == len(card.plan.warnings)
    assert card.plan.warnings[0].message.replace("'", "&#x27;") in html


def test_hostile_words_of_a_plan_stay_words(yaml: str) -> None:
    plan = plan_card(load_config(yaml)).plan
    words = {
        field.name: HOSTILE
        for field in dataclasses.fields(plan)
        if isinstance(getattr(plan, field.name), str)
    }
    assert Tags(PlanCard(dataclasses.replace(plan, **words))._repr_html_()).tags <= SAFE_TAGS


@pytest.mark.parametrize(
    ("steps", "exact", "words"),
    [(None, False, "not known yet"), (120, False, "about 120"), (120, True, "120")],
)
def test_steps_that_are_not_certain_say_so(yaml: str, steps: int | None, exact: bool, words: str) -> None:
    plan = dataclasses.replace(plan_card(load_config(yaml)).plan, steps=steps, steps_exact=exact)
    assert {name: value for name, value, _ in figures(plan)}["Steps"] == words


def test_samples_and_trackers_are_text(write_run: Any) -> None:
    written = write_run()
    for step in (1, 2):
        texts = {"prompt": "Why?", "text": f"<b>{step}</b>", "reference": "So."}
        written.emit({"type": "sample", "step": step, **texts})
    written.emit({"type": "tracker", "name": "MLflow", "address": "https://host/<i>"})
    html = RunReport(written.run).html
    assert "Samples after step 2" in html
    assert "prompt: Why?\nmodel:  &lt;b&gt;2&lt;/b&gt;\ndata:   So.</pre>" in html
    assert "&lt;b&gt;1" not in html
    assert "https://host/&lt;i&gt;" in html
