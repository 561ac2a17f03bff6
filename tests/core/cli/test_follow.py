from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ft_core.cli import follow as follow_module
from ft_core.cli.main import main
from ft_core.cli.screen import PlainScreen
from ft_core.errors import DataError
from ft_core.runs import Run, RunWriter
from ft_core.runs.events import encode
from ft_core.runs.log import painted
from ft_core.runs.status import write_status


def test_a_run_from_its_first_event_to_its_end(done_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attach", "poet"]) == 0
    assert timeless(capsys.readouterr().out).splitlines() == [
        "training",
        "step 1/3  loss 3.0000  1,234 tokens/s  0:02 left",
        "step 3/3  loss 1.0000  1,234 tokens/s  0:00 left",
        "saved checkpoints/checkpoint-3",
        f"Run 'poet' completed at step 3 after TIME. The model is in {done_run.final}.",
    ]


def test_a_failed_run_ends_with_its_reason(
    new_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError), RunWriter(new_run().directory):
        raise DataError("Row 7 has no 'text'.", "Name the field.")
    assert main(["attach", "poet"]) == 1
    out, err = capsys.readouterr()
    assert (out, err) == (
        "",
        "error: run 'poet' failed: Row 7 has no 'text'.\nfix: Name the field.\nMore: ft logs poet\n",
    )


def test_a_killed_run_ends_the_following(
    new_run: Callable[..., Run],
    start_worker: Callable[..., subprocess.Popen[str]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    worker = start_worker(new_run())
    on_sleep(monkeypatch, [lambda: (worker.kill(), worker.wait())])
    assert main(["attach", "poet"]) == 1
    assert f"run 'poet' lost: The training process (pid {worker.pid}) is gone" in capsys.readouterr().err


def test_the_last_step_of_a_killed_run_shows(
    new_run: Callable[..., Run], capsys: pytest.CaptureFixture[str]
) -> None:
    run = new_run()
    steps = ({"type": "step", "time": 1.0, "step": step, "total_steps": 9, "loss": 1.0} for step in (1, 2, 3))
    (run.directory / "events.jsonl").write_bytes(b"".join(encode(step) for step in steps))
    status = replace(run.status(), state="running", pid=2**22 + 1, pid_started=1.0)
    write_status(run.directory, status, durable=False)
    assert main(["attach", "poet"]) == 1
    assert capsys.readouterr().out.splitlines() == ["step 1/9  loss 1.0000", "step 3/9  loss 1.0000"]


def timeless(text: str) -> str:
    """Return `text` without how long the run took, which the machine decides."""
    return re.sub(r"after \d:\d\d\.", "after TIME.", text)


def on_sleep(monkeypatch: pytest.MonkeyPatch, acts: list[Callable[[], object]]) -> None:
    """Do one of `acts` each time the follower has nothing to show; then let it wait as it would."""

    def sleep(seconds: float) -> None:
        if acts:
            acts.pop(0)()
        else:
            time.sleep(seconds)

    monkeypatch.setattr(follow_module, "time", SimpleNamespace(sleep=sleep))


@pytest.fixture
def train(
    new_run: Callable[..., Run],
    start_worker: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Callable[..., tuple[Run, list[str]]]:
    """Make ``ft train`` start a worker of ours; return its run and the command."""

    def prepare(*, hangs: bool = False) -> tuple[Run, list[str]]:
        config = tmp_path / "c.yml"
        config.write_text("{base_model: a/b, learning_rate: 1e-4, datasets: [{path: c/d, type: alpaca}]}")
        run = new_run()

        def launch(config: object, name: str, *, gpus: int | None, overwrite: bool) -> Run:
            assert (name, gpus, overwrite) == ("poet", 2, True)
            start_worker(run, hangs=hangs)
            return run

        monkeypatch.setattr("ft_core.launch.launch", launch)
        return run, ["train", str(config), "--name", "poet", "--gpus", "2", "--overwrite"]

    return prepare


def interrupt() -> None:
    signal.raise_signal(signal.SIGINT)


def test_one_interrupt_stops_after_the_step(
    train: Callable[..., tuple[Run, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, command = train()
    on_sleep(monkeypatch, [interrupt])
    assert main(command) == 130
    assert timeless(capsys.readouterr().out).splitlines() == [
        f"Run 'poet' in {run.directory}",
        "training",
        "step 1/9  loss 2.5000  100 tokens/s  1:15 left",
        "Stopping after this step; Ctrl-C again ends the run now.",
        "step 2/9  loss 2.2500  100 tokens/s  1:10 left",
        "Run 'poet' stopped at step 2 after TIME.",
    ]  # fmt: skip
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_interrupt_ends_the_run_now(
    train: Callable[..., tuple[Run, list[str]]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, command = train(hangs=True)
    on_sleep(monkeypatch, [interrupt, interrupt])
    assert main(command) == 130
    assert run.state == "stopped"
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2] == "Ending the run now."
    assert timeless(lines[-1]) == "Run 'poet' stopped at step 1 after TIME."


def test_detach_returns_at_once(
    train: Callable[..., tuple[Run, list[str]]], capsys: pytest.CaptureFixture[str]
) -> None:
    run, command = train()
    assert main([*command, "--detach"]) == 0
    assert capsys.readouterr().out == f"Run 'poet' in {run.directory}\n"
    assert run.state == "running"


def test_leaving_an_attached_run_lets_it_go_on(
    new_run: Callable[..., Run],
    start_worker: Callable[..., subprocess.Popen[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = new_run()
    start_worker(run)
    on_sleep(monkeypatch, [interrupt])
    assert main(["attach", "poet"]) == 130
    assert capsys.readouterr().out.splitlines()[-1] == "Left. Run 'poet' goes on: ft attach poet"
    assert run.state == "running"
    assert list((run.directory / "control").iterdir()) == []


def test_steps_are_thinned_and_the_last_shows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr("ft_core.cli.screen.time", SimpleNamespace(monotonic=lambda: now))
    screen = PlainScreen()
    for step in range(1, 31):
        screen.show({"type": "step", "time": 1.0, "step": step, "total_steps": 30, "loss": 1.0})
        now += 0.125
    screen.flush()
    screen.flush()
    shown = [line.split()[1] for line in capsys.readouterr().out.splitlines()]
    assert shown == ["1/30", "9/30", "17/30", "25/30", "30/30"]


def test_progress_is_thinned_like_steps(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft_core.cli.screen.time", SimpleNamespace(monotonic=lambda: 100.0))
    screen = PlainScreen()
    screen.show({"type": "phase", "time": 1.0, "phase": "tokenizing"})
    for done in (100, 200, 300):
        screen.show({"type": "phase", "time": 1.0, "phase": "tokenizing", "done": done, "total": 300})
    screen.show({"type": "phase", "time": 1.0, "phase": "training"})
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["tokenizing", "tokenizing 100/300", "tokenizing 300/300", "training"]


def test_in_a_terminal_there_is_a_bar(done_run: Run, spawn: Callable[..., subprocess.Popen[str]]) -> None:
    with (done_run.directory / "events.jsonl").open("a") as file:
        file.write(
            '{"type": "warning", "time": 1.0, "message": "[red]not markup[/red] :smile:", "fix": ""}\n'
        )
    ours, theirs = pty.openpty()
    process = spawn(
        "-c", "from ft_core.cli.main import main; main(['attach', 'poet'])",
        stdin=theirs, stdout=theirs, env={"TERM": "xterm", "COLUMNS": "120"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:
            # Linux tells the end of a terminal as an error.
            break
        shown += part
    os.close(ours)
    assert process.wait() == 0
    lines = [painted(line) for line in shown.decode().splitlines()]
    bar = next(line for line in lines if "━" in line and "3/3" in line)
    assert bar.startswith("training ━")
    assert bar.endswith("3/3  loss 1.0000  1,234 tokens/s  0:00 left")
    assert "saved checkpoints/checkpoint-3" in lines
    assert "warning: [red]not markup[/red] :smile:" in lines
