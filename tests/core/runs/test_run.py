from __future__ import annotations

import signal
import subprocess
import threading

import pytest

from ft_core.errors import RunError
from ft_core.runs import Run
from ft_core.runs.run import ago


def test_waiting_for_the_end(run: Run, worker: subprocess.Popen[str]) -> None:
    assert worker.stdin
    threading.Timer(0.05, lambda: (worker.stdin.write("\n"), worker.stdin.flush())).start()
    assert run.wait(timeout=20) == "completed"


def test_waiting_has_an_end_of_its_own(run: Run, worker: subprocess.Popen[str]) -> None:
    with pytest.raises(TimeoutError) as caught:
        run.wait(timeout=0.1)
    assert str(caught.value) == "run 'poet' is still running after 0.1 s"
    assert run.alive


def test_an_interrupt_ends_the_wait_and_not_the_run(run: Run, worker: subprocess.Popen[str]) -> None:
    timer = threading.Timer(0.1, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run.wait(timeout=20)
    assert run.state == "running"
    assert list((run.directory / "control").iterdir()) == []


def test_it_tells_itself_in_one_line(run: Run, worker: subprocess.Popen[str]) -> None:
    assert repr(run) == "<Run 'poet': running, started just now>"
    worker.communicate("\n")
    assert repr(run) == "<Run 'poet': completed just now, step 1 of 9>"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-5, "just now"), (59.9, "just now"), (60, "1 minute ago"), (3599, "59 minutes ago"), (3600, "1 hour ago"),
        (86399, "23 hours ago"), (86400, "1 day ago"), (9e6, "104 days ago"),
    ],
)  # fmt: skip
def test_ago(seconds: float, words: str) -> None:
    assert ago(seconds) == words


def test_files_that_are_gone_or_broken_are_sentences(run: Run) -> None:
    (run.directory / "plan.json").write_text("{")
    with pytest.raises(RunError, match=r"plan\.json is not valid JSON"):
        _ = run.plan
    (run.directory / "config.yaml").unlink()
    with pytest.raises(RunError, match=r"Cannot read .*config\.yaml: No such file"):
        _ = run.config_text
    (run.directory / "events.jsonl").mkdir()
    with pytest.raises(RunError, match=r"Cannot read .*events\.jsonl: Is a directory"):
        run.events()


def test_final_is_where_the_model_will_be(run: Run) -> None:
    assert run.final == run.directory / "final"
