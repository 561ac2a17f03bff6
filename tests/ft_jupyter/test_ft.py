"""%ft: each verb, what its words may be, and what a wrong line says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_core.config import load_config
from ft_core.errors import FtError, RunError
from ft_jupyter.key_card import KeyCard, KeyList
from ft_jupyter.magics.ft import VERBS
from ft_jupyter.plan_card import PlanCard
from ft_jupyter.run import Run
from ft_jupyter.values_card import ValuesCard
from ft_jupyter.widgets.inspector import InspectorView

HOSTILE = "<script>alert(1)</script>"


def test_alone_it_lists_its_verbs(shell: Any) -> None:
    cell = shell.run("%ft")
    lines = repr(cell.result).splitlines()
    assert [line.split()[1] for line in lines] == list(VERBS)
    assert " ".join(lines[0].split()) == "%ft runs every run: its state, how far it is, its loss"
    assert cell.result._repr_html_().count("<tr>") == len(VERBS)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("atach joker", "%ft has no verb 'atach'; did you mean 'attach'?"),
        ("frobnicate", "%ft has no verb 'frobnicate'."),
        ("attach", "%ft attach: the following arguments are required: NAME."),
        ("attach a b", "%ft attach: 'b' is one word too many."),
        ("stop a --noww", "%ft stop has no option '--noww'; did you mean '--now'?"),
        ("logs a -n many", "%ft logs: argument -n: invalid int value: 'many'."),
        ("runs joker", "%ft runs: 'joker' is one word too many."),
        ("attach 'joker", "%ft: a quote on the line is left open."),
        ("explain lora_rr", "there is no key 'lora_rr'; did you mean 'lora_r'?"),
    ],
)
def test_a_wrong_line_says(shell: Any, line: str, message: str) -> None:
    cell = shell.run(f"%ft {line}")
    assert isinstance(cell.error, FtError)
    assert cell.printed.splitlines()[0] == message
    assert "Traceback" not in cell.printed


def test_runs_shows_each_run_the_newest_first(shell: Any, write_run: Any) -> None:
    old, new = write_run("old"), write_run("new")
    old.step(3, loss=2.25)
    old.end(started=1.0, step=3)
    new.step(1)
    cell = shell.run("%ft runs")
    assert [run.name for run in cell.result] == ["new", "old"]
    assert repr(cell.result).splitlines() == [
        "run  state        step     last loss  directory",
        f"new  ▶ running    0 of 10  4          {new.directory}",
        f"old  ✓ completed  3 of 10  2.25       {old.directory}",
    ]
    assert cell.result._repr_html_().count("<tr>") == 3


def test_no_runs_yet(shell: Any) -> None:
    cell = shell.run("%ft runs")
    assert repr(cell.result) == "No runs yet."
    assert len(cell.result) == 0


def test_attach_returns_the_run_and_shows_it_live(shell: Any, write_run: Any) -> None:
    write_run("joker")
    cell = shell.run("joker = %ft attach joker")
    assert cell.displays == []
    assert isinstance(shell.user_ns["joker"], Run)
    cell = shell.run("%ft attach joker")
    view, below = cell.displays
    assert "application/vnd.jupyter.widget-view+json" in view
    assert below["text/html"] == ""


def test_attach_to_a_run_that_is_over_shows_its_report(shell: Any, write_run: Any) -> None:
    written = write_run("joker")
    written.end()
    [report] = shell.run("%ft attach joker").displays
    assert set(report) == {"text/html", "text/plain"}
    assert "✓ completed" in report["text/html"]


def test_attach_twice_is_two_views(shell: Any, write_run: Any) -> None:
    write_run("joker")
    [first, _], [second, _] = shell.run("%ft attach joker").displays, shell.run("%ft attach joker").displays
    kind = "application/vnd.jupyter.widget-view+json"
    assert first[kind]["model_id"] != second[kind]["model_id"]


def test_a_name_may_be_a_variable_or_a_directory(shell: Any, write_run: Any) -> None:
    written = write_run("joker")
    shell.user_ns["mine"] = written.run
    assert shell.run("%ft logs mine").error is None
    assert shell.run(f"%ft logs '{written.directory}'").error is None


def test_a_variable_that_holds_something_else_is_not_in_the_way(shell: Any, write_run: Any) -> None:
    write_run("joker")
    shell.user_ns["joker"] = 3
    assert shell.run("%ft logs joker").error is None


def test_a_run_that_does_not_exist_names_the_near_ones(shell: Any, write_run: Any) -> None:
    write_run("joker")
    cell = shell.run("%ft attach jocker")
    assert isinstance(cell.error, RunError)
    assert "Did you mean 'joker'?" in cell.printed


def test_stop_asks_and_says_what_happens(shell: Any, write_run: Any) -> None:
    written = write_run("joker")
    cell = shell.run("%ft stop joker")
    assert [path.name for path in (written.directory / "control").iterdir()] == ["stop"]
    assert repr(cell.result) == (
        "Asked joker to finish its step, save and stop. %ft stop joker --now ends it at once."
    )


def test_stop_of_a_run_that_is_over_says_so(shell: Any, write_run: Any) -> None:
    written = write_run("joker")
    written.end()
    cell = shell.run("%ft stop joker")
    assert repr(cell.result).startswith("joker is over: completed")
    assert list((written.directory / "control").iterdir()) == []


def test_stop_now_ends_it(shell: Any, write_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    write_run("joker")
    asked: list[bool] = []
    monkeypatch.setattr(Run, "stop", lambda run, now: asked.append(now))
    cell = shell.run("%ft stop joker --now")
    assert asked == [True]
    assert repr(cell.result) == "Ended joker at once; its last checkpoint stays."


def test_logs_are_text(shell: Any, write_run: Any) -> None:
    written = write_run("joker")
    written.log("".join(f"line {n}\n" for n in range(60)) + HOSTILE + "\n")
    cell = shell.run("%ft logs joker -n 2")
    assert repr(cell.result) == f"line 59\n{HOSTILE}"
    assert "<script" not in cell.result._repr_html_()
    assert len(repr(shell.run("%ft logs joker").result).splitlines()) == 50


def test_the_line_is_not_expanded_by_ipython(shell: Any, write_run: Any) -> None:
    write_run("joker")
    shell.user_ns["name"] = "joker"
    assert isinstance(shell.run("%ft logs {name}").error, RunError)


def test_logs_of_a_silent_run(shell: Any, write_run: Any) -> None:
    write_run("joker")
    assert repr(shell.run("%ft logs joker").result) == "joker has printed nothing."


def test_explain_draws_a_key_and_alone_every_key(shell: Any) -> None:
    card = shell.run("%ft explain datasets.type").result
    assert isinstance(card, KeyCard)
    assert card.doc.key == "datasets.type"
    assert isinstance(shell.run("%ft explain").result, KeyList)


def test_explain_draws_where_the_values_of_a_file_come_from(shell: Any, yaml: str, tmp_path: Path) -> None:
    file = tmp_path / "my.yml"
    file.write_text(yaml)
    card = shell.run(f"%ft explain {file} --lora-r 2").result
    assert isinstance(card, ValuesCard)
    assert repr(card) == str(load_config(file, {"lora_r": 2}).explain())
    html = card._repr_html_()
    assert "<code>lora_r</code></span></td>" in html
    assert (
        '<td style="text-align:left;padding:.2em .8em .2em 0;vertical-align:top">override: --set lora_r</td>'
        in html
    )


def test_plan_and_inspect_of_a_file(shell: Any, yaml: str, tmp_path: Path) -> None:
    file = tmp_path / "my.yml"
    file.write_text(yaml)
    assert isinstance(shell.run(f"%ft plan {file}").result, PlanCard)
    cell = shell.run(f"%ft plan {file} --learning-rate 2e-4 --set lora_r=high")
    assert "--set lora_r: 'lora_r' must be a whole number, not 'high'" in cell.printed
    cell = shell.run(f"%ft plan {file} --lerning-rate 2e-4")
    assert cell.printed.splitlines()[0] == (
        "%ft plan: there is no option or key '--lerning-rate'; did you mean '--learning_rate'?"
    )
    assert "a config is only read over https, not http" in shell.run("%ft plan http://host/c.yml").printed
    assert isinstance(shell.run(f"%ft inspect {file}").result, InspectorView)
    assert shell.run(f"%ft inspect {file} --sequence-len 64").result.config.sequence_len == 64


def test_a_mistake_in_a_file_has_the_files_line(shell: Any, yaml: str, tmp_path: Path) -> None:
    file = tmp_path / "my.yml"
    file.write_text(yaml.replace("lora_r", "lora_q"))
    cell = shell.run(f"%ft plan {file}")
    assert "line 7, column 1: unknown key 'lora_q'" in cell.printed


def test_inspect_takes_a_run_or_the_newest_one(shell: Any, yaml: str, launches: Any) -> None:
    assert "There is no run to inspect yet." in shell.run("%ft inspect").printed
    shell.run(f"%%finetune joker\n{yaml}")
    named, newest = shell.run("%ft inspect joker").result, shell.run("%ft inspect").result
    assert named.title == newest.title == "joker"
    assert named.config == newest.config == load_config(yaml)
    assert "A run is inspected as it was trained" in shell.run("%ft inspect joker --sequence-len 64").printed


def test_chat_with_a_run_that_has_saved_nothing_is_a_sentence(shell: Any, yaml: str, launches: Any) -> None:
    shell.run(f"%%finetune joker\n{yaml}")
    cell = shell.run("%ft chat joker")
    assert isinstance(cell.error, RunError)
    assert "has saved no checkpoint yet" in cell.printed
    assert "Traceback" not in cell.printed
