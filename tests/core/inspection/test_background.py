"""Passes in processes of their own: what they find, how they end, and that none outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft_core.config import Config, load_config
from ft_core.inspection.background import WORTH, Pass, process_count
from ft_core.inspection.inspection import Inspection, open_inspection

from .scanned import chat, scan, write_rows

ROWS = [chat(f"What is {n} and {n}?", f"Together they are {2 * n}.") for n in range(600)]


@pytest.fixture
def config(tmp_path: Path, demo_model: Path) -> Config:
    """Return a config of 600 good rows, one broken one, and one that says Ünderstood."""
    rows = [*ROWS, "{", chat("Did you hear?", "I have ÜNDERSTOOD it.")]
    return of_file(write_rows(tmp_path / "rows.jsonl", rows), demo_model)


def of_file(path: Path, model: Path, **keys: Any) -> Config:
    """Return a config that trains the real model on a file."""
    datasets = [{"path": str(path), "type": "chat_template"}]
    return load_config(
        {"base_model": str(model), "learning_rate": 1e-4, "sequence_len": 512, "datasets": datasets, **keys}
    )


def until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end
        os.sched_yield()


def children(of: int) -> set[int]:
    """Return the processes that a process started and that are not done."""
    found: set[int] = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == of and fields[0] != "Z":
            found.add(int(stat.parent.name))
    return found


def test_a_pass_finds_what_looking_at_each_row_finds(config: Config, tokenizer: Any) -> None:
    inspection = open_inspection(config)
    assert inspection.jobs["scan"].state == "idle"
    assert inspection.summary is None
    inspection.start_scan()
    job = inspection.wait("scan", 120)
    assert (job.state, job.done, job.total, job.message) == ("done", 602, 602, "")
    expected = scan(config, tokenizer)
    for name in ("place", "length", "trained", "flags", "dropped", "digest", "answer"):
        np.testing.assert_array_equal(
            getattr(inspection.results.columns, name), getattr(expected.columns, name), err_msg=name
        )
    assert inspection.summary == expected.summary
    assert inspection.findings == expected.findings
    assert [found.name for found in inspection.findings] == ["broken"]
    assert inspection.places("broken").tolist() == [600]
    assert len(inspection.places("longest")) == 602
    known = inspection.known(600)
    assert known is not None
    assert known.flags == ("broken",)


def test_a_search_finds_rows_whatever_the_case_and_ends_the_one_before(config: Config) -> None:
    inspection = open_inspection(config)
    inspection.start_search("together they")
    inspection.start_search("ünderstood")
    assert inspection.wait("search", 60).state == "done"
    assert inspection.matches.tolist() == [601]
    inspection.start_search("ARE 84.")
    inspection.wait("search", 60)
    assert inspection.matches.tolist() == [42]
    inspection.start_search("")
    assert (inspection.jobs["search"].state, inspection.matches.tolist()) == ("idle", [])


def test_prompts_are_compared_over_the_whole_set(tmp_path: Path, demo_model: Path) -> None:
    template = (
        "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.role == 'assistant' %}!{% endif %}"
        "{{ m.content }}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )
    path = write_rows(tmp_path / "rows.jsonl", [chat("Hi.", "Hello."), chat("Only a question?")])
    inspection = open_inspection(of_file(path, demo_model, chat_template_jinja=template))
    inspection.start_parity()
    assert inspection.wait("parity", 120).state == "done"
    assert inspection.places("prompt_differs").tolist() == [0]
    assert inspection.counts["prompt_differs"] == 1
    assert not inspection.parity(0).turns[0].equal


@pytest.mark.alone
def test_a_pass_that_is_cancelled_ends_at_once_and_may_begin_again(config: Config) -> None:
    inspection = open_inspection(config)
    before = children(os.getpid())
    inspection.start_scan()
    until(lambda: children(os.getpid()) > before)
    began = time.monotonic()
    inspection.cancel("scan")
    assert inspection.wait("scan", 10).state == "cancelled"
    assert time.monotonic() - began < 0.5
    assert children(os.getpid()) == before
    inspection.start_scan()
    assert inspection.wait("scan", 120).state == "done"
    inspection.start_scan()
    assert inspection.jobs["scan"].state == "done"


def test_closing_ends_every_pass(config: Config) -> None:
    inspection = open_inspection(config)
    before = children(os.getpid())
    inspection.start_scan()
    inspection.start_search("x")
    inspection.close()
    assert inspection.wait("scan", 10).state == "cancelled"
    inspection.wait("search", 10)
    assert children(os.getpid()) == before


def test_a_process_that_is_killed_fails_the_pass_and_says_so(config: Config) -> None:
    before = children(os.getpid())
    going = Pass("scan", config, 602, lambda _, __: None)
    until(lambda: children(os.getpid()) > before)
    [child, *_] = children(os.getpid()) - before
    os.kill(child, signal.SIGKILL)
    job = going.wait(20)
    assert (job.state, job.message) == (
        "failed",
        "A process that goes through the rows was ended from outside.",
    )


def test_a_process_that_is_killed_before_it_has_anything_to_do(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr("ft_core.inspection.background.Share", broken)
    job = Pass("scan", config, 602, lambda _, __: None).wait(20)
    assert (job.state, job.message) == (
        "failed",
        "A process that goes through the rows was ended from outside.",
    )


def test_a_model_that_is_not_there_fails_the_pass_with_the_reason(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "rows.jsonl", ROWS[:3])
    (tmp_path / "empty").mkdir()
    job = Pass("scan", of_file(path, tmp_path / "empty"), 3, lambda _, __: None).wait(60)
    assert (job.state, job.done) == ("failed", 0)
    assert job.message.count("\n") <= 1
    assert "Traceback" not in job.message


def test_rows_of_a_variable_are_looked_at_and_called_as_the_notebook_calls_them(demo_model: Path) -> None:
    rows: list[dict[str, Any]] = [*ROWS[:3], {"messages": "none"}]
    text = (
        f"base_model: {demo_model}\nlearning_rate: 1e-4\nsequence_len: 512\n"
        "datasets: [{path: $talks, type: chat_template}]\n"
    )
    config = load_config(text, variables={"talks": rows})
    inspection = open_inspection(config)
    inspection.start_scan()
    assert inspection.wait("scan", 120).state == "done"
    [found] = inspection.findings
    assert found.places == (3,)
    assert "The first: $talks, row 4: 'messages' is text" in found.reason


def test_no_process_outlives_a_parent_that_is_killed(config: Config, tmp_path: Path) -> None:
    given = tmp_path / "config.yml"
    given.write_text(config.to_yaml(), encoding="utf-8")
    code = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from ft_core.config import load_config
        from ft_core.inspection.inspection import open_inspection
        if __name__ == "__main__":
            inspection = open_inspection(load_config(Path(sys.argv[1])))
            inspection.start_scan()
            while True:
                time.sleep(1)
    """)
    script = tmp_path / "parent.py"
    script.write_text(code, encoding="utf-8")
    parent = subprocess.Popen([sys.executable, str(script), str(given)])
    try:
        until(lambda: bool(children(parent.pid)))
        found = children(parent.pid)
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not any(Path(f"/proc/{child}").exists() for child in found), 20)


@pytest.mark.parametrize(("rows", "count"), [(0, 1), (256 * WORTH, 1), (10**9, None)])
def test_few_rows_take_one_process_and_many_no_more_than_there_are_cores(
    rows: int, count: int | None
) -> None:
    assert process_count(rows) == (count or min(16, len(os.sched_getaffinity(0))))


def test_other_values_are_tried_on_the_same_rows(config: Config) -> None:
    inspection = open_inspection(config)
    other = inspection.changed({"datasets[0].train_on_eos": "none"})
    assert isinstance(other, Inspection)
    assert inspection.look(0).samples[0].flags == ()
    assert other.look(0).samples[0].flags == ("stop_untrained",)
    assert len(other.rows) == 602
