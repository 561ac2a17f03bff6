from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.cli.main import VERBS, main
from ft_core.cli.reference import reference
from ft_core.runs import Run

ROOT = Path(__file__).parents[3]


def test_the_reference_page_is_what_the_parsers_say() -> None:
    page = (ROOT / "docs" / "reference" / "cli.md").read_text("utf-8")
    assert page == reference(), "run: python -m ft_core.cli.reference > docs/reference/cli.md"
    verbs = {"train", "plan", "preprocess", "inspect", "runs", "attach", "stop", "logs", "explain", "fetch"}
    assert verbs <= set(VERBS)


def test_runs(done_run: Run, new_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]) -> None:
    new_run("later")
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "NAME   STATE      STEP  LOSS    STARTED",
        "later  starting   -     -       just now",
        "poet   completed  3/3   1.0000  just now",
    ]


def test_runs_as_json(done_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    status = done_run.status()
    assert row == {
        "name": "poet", "state": "completed", "phase": "done", "step": 3, "total_steps": 3, "loss": 1.0,
        "started": status.started, "ended": status.ended, "message": "", "directory": str(done_run.directory),
    }  # fmt: skip


def test_no_runs(runs_root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == f"No runs in {runs_root}.\n"
    assert main(["runs", "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "loading\nstep 1\n100%\nbye\n"),
        (["-n", "2"], "100%\nbye\n"),
        (["-n", "0"], ""),
        (["-f"], "loading\nstep 1\n100%\nbye\n"),
        (["-f", "-n", "1"], "100%\nbye\n"),
    ],
)
def test_logs(done_run: Run, options: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "poet", *options]) == 0
    assert capsys.readouterr().out == said


def test_logs_are_followed_to_the_end(
    new_run: Callable[..., Run],
    start_worker: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = new_run()
    log = run.directory / "log.txt"
    log.write_text("one\ntw")
    worker = start_worker(run)
    acts = iter(
        [
            lambda: log.write_text("one\ntwo\n"),
            lambda: (log.write_text("one\ntwo\nthree"), run.stop(), worker.wait()),
        ]
    )
    monkeypatch.setattr("ft_core.cli.logs.time.sleep", lambda _: next(acts)())
    assert main(["logs", "poet", "-f"]) == 0
    assert capsys.readouterr().out == "one\ntwo\nthree\n"


def test_stop(
    new_run: Callable[..., Run],
    start_worker: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = new_run()
    start_worker(run)
    assert main(["stop", "poet"]) == 0
    assert capsys.readouterr().out == (
        "Run 'poet' will finish its step, save and end. At once: ft stop poet --now\n"
    )
    assert run.wait(20) == "stopped"
    assert main(["stop", "poet"]) == 0
    assert capsys.readouterr().out == "Run 'poet' has already ended: stopped just now, step 2 of 9.\n"


def test_stop_now(
    new_run: Callable[..., Run],
    start_worker: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = new_run()
    worker = start_worker(run)
    assert main(["stop", "poet", "--now"]) == 0
    assert worker.wait(10) == -15
    assert capsys.readouterr().out == "Run 'poet' was ended: stopped just now, step 1 of 9.\n"


def test_fetch(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("ft_core.models.demo.demo_model", lambda: Path("/models/smol"))
    assert main(["fetch", "demo-model"]) == 0
    assert capsys.readouterr().out == "/models/smol\n"
