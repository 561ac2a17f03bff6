"""What a feed reads from a run directory, and what it sends: everything once, then only what is new."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ft_jupyter.widgets import run_feed
from ft_jupyter.widgets.run_feed import RunFeed

STEPS = [
    "step",
    "loss",
    "learning_rate",
    "grad_norm",
    "tokens_per_second",
    "gpu_memory",
    "rewards/margins",
    "rewards/accuracies",
]


@pytest.fixture(autouse=True)
def frozen_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let 100 seconds have passed since hand-written runs began, as the feed sees it."""
    monkeypatch.setattr(run_feed.time, "time", lambda: 1_700_000_100.0)


def floats(buffer: bytes) -> list[float]:
    return np.frombuffer(buffer, "<f4").tolist()


def test_restarts_that_a_resumed_run_comes_to_again_count_once(write_run: Any) -> None:
    written = write_run("joker")
    for step in (40, 80, 120, 80, 120):
        written.emit({"type": "restart", "step": step, "number": 1, "pruned": 0.9})
        written.emit({"type": "best", "step": 40, "path": "checkpoints/checkpoint-40", "loss": 2.5})
    feed = RunFeed(written.run)
    assert feed.summary()["restarts"] == [40, 80, 120]
    assert feed.best == (40, 2.5)


def test_a_snapshot_carries_everything(write_run: Any) -> None:
    written = write_run("joker", step=2)
    written.emit({"type": "phase", "phase": "training"})
    written.step(1)
    written.step(2, grad_norm=None)
    written.emit({"type": "eval", "step": 2, "epoch": 0.2, "loss": 2.5})
    written.emit({"type": "warning", "message": "Loss is high.", "fix": "Wait."})
    written.log("one\n\x1b[31mtwo\x1b[0m\nhalf")
    content, buffers = RunFeed(written.run).snapshot()
    assert content == {
        "type": "snapshot",
        "run": {
            "name": "joker",
            "directory": str(written.directory),
            "state": "running",
            "phase": "training",
            "phase_done": None,
            "phase_total": None,
            "step": 2,
            "total_steps": 10,
            "eta": 8.0,
            "elapsed": 100,
            "message": "",
            "fix": "",
            "traceback": None,
            "world_size": 1,
            "attach": "%ft attach joker",
            "trackers": [],
            "restarts": [],
        },
        "warnings": [{"message": "Loss is high.", "fix": "Wait."}],
        "samples": [],
        "log": "one\ntwo\nhalf\n",
        "series": STEPS,
        "eval": ["step", "loss"],
    }
    assert [floats(buffer) for buffer in buffers[:2]] == [[1, 2], [4, 3]]
    assert np.isnan(floats(buffers[3])[1])
    assert [floats(buffer) for buffer in buffers[4:6]] == [[640, 640], [1.25, 1.25]]
    assert all(np.isnan(floats(buffer)).all() for buffer in buffers[6:8])  # not of preferences
    assert [floats(buffer) for buffer in buffers[8:]] == [[2], [2.5]]


def test_a_delta_carries_only_what_is_new(write_run: Any) -> None:
    written = write_run()
    written.step(1)
    written.emit({"type": "warning", "message": "First.", "fix": ""})
    written.log("one\n")
    feed = RunFeed(written.run)
    feed.snapshot()
    assert feed.delta() is None

    written.step(2)
    written.emit({"type": "warning", "message": "Second.", "fix": "Do."})
    written.log("two\nhal")
    feed.poll()
    content, buffers = feed.delta() or pytest.fail("nothing is new")
    assert content["type"] == "delta"
    assert content["warnings"] == [{"message": "Second.", "fix": "Do."}]
    assert content["log_append"] == "two\n"
    assert [floats(buffer) for buffer in (*buffers[:6], *buffers[8:])] == [
        [2.0],
        [3.0],
        floats(np.float32(0.001)),
        [1.5],
        [640.0],
        [1.25],
        [],
        [],
    ]
    feed.poll()
    assert feed.delta() is None

    written.log("f\n")
    content, _ = feed.delta() or pytest.fail("nothing is new")
    assert content["log_append"] == "half\n"


def test_a_change_of_state_alone_is_news(write_run: Any) -> None:
    written = write_run()
    feed = RunFeed(written.run)
    feed.snapshot()
    written.status("stopping")
    feed.poll()
    content, buffers = feed.delta() or pytest.fail("nothing is new")
    assert content["run"]["state"] == "stopping"
    assert buffers == [b""] * (len(STEPS) + 2)


def test_progress_of_a_phase(write_run: Any) -> None:
    written = write_run(phase="tokenizing")
    written.emit({"type": "phase", "phase": "tokenizing", "done": 256, "total": 817})
    summary = RunFeed(written.run).summary()
    assert (summary["phase"], summary["phase_done"], summary["phase_total"]) == ("tokenizing", 256, 817)


@pytest.mark.parametrize(("state", "ended"), [("starting", False), ("running", False), ("stopping", False)])
def test_a_living_run_has_not_ended(write_run: Any, state: str, ended: bool) -> None:
    assert RunFeed(write_run(state=state).run).ended is ended


@pytest.mark.parametrize("state", ["completed", "stopped", "failed"])
def test_an_ended_run_has_its_own_time_and_nothing_left(write_run: Any, state: str) -> None:
    written = write_run()
    written.step(1)
    written.end(state)
    feed = RunFeed(written.run)
    summary = feed.summary()
    assert feed.ended
    assert (summary["state"], summary["elapsed"], summary["eta"]) == (state, 42, None)


def test_a_failure_has_its_sentence_and_its_traceback(write_run: Any) -> None:
    written = write_run()
    written.emit({"type": "error", "message": "Out of memory.", "fix": "Less.", "traceback": "Traceback ..."})
    written.end("failed", message="Out of memory.", fix="Less.")
    summary = RunFeed(written.run).summary()
    assert (summary["message"], summary["fix"], summary["traceback"]) == (
        "Out of memory.",
        "Less.",
        "Traceback ...",
    )


def test_a_run_whose_process_is_gone_is_lost_and_over(write_run: Any) -> None:
    written = write_run(pid=2**22 + 1, pid_started=1.0)
    feed = RunFeed(written.run)
    assert feed.ended
    assert feed.summary()["state"] == "lost"


def test_a_damaged_run_is_shown_as_lost_with_the_reason(write_run: Any) -> None:
    written = write_run()
    (written.directory / "status.json").write_text("{")
    summary = RunFeed(written.run).summary()
    assert summary["state"] == "lost"
    assert summary["message"] == f"{written.directory / 'status.json'} is not valid JSON."


def test_a_directory_that_was_deleted_is_lost(write_run: Any, tmp_path: Any) -> None:
    written = write_run()
    feed = RunFeed(written.run)
    written.directory.rename(tmp_path / "gone")
    feed.poll()
    assert feed.ended
    assert feed.delta() is not None


def test_a_page_that_gathered_too_many_points_must_redraw(
    write_run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_feed, "POINT_LIMIT", 3)
    written = write_run()
    feed = RunFeed(written.run)
    feed.snapshot()
    for number in range(1, 5):
        written.step(number)
        feed.poll()
        assert not feed.must_redraw
        feed.delta()
    assert feed.must_redraw
    feed.snapshot()
    assert not feed.must_redraw


def test_a_resumed_run_redraws_the_steps_it_takes_again(write_run: Any) -> None:
    written = write_run()
    written.step(1)
    written.step(2)
    feed = RunFeed(written.run)
    feed.snapshot()
    written.step(2, loss=9.0)
    feed.poll()
    assert feed.must_redraw
    _, buffers = feed.snapshot()
    assert floats(buffers[1]) == [4.0, 9.0]


def test_a_long_log_is_sent_by_its_end(write_run: Any) -> None:
    written = write_run()
    written.log("".join(f"line {n}\n" for n in range(1000)))
    feed = RunFeed(written.run)
    content, _ = feed.snapshot()
    assert str(content["log"]).splitlines() == [f"line {n}" for n in range(800, 1000)]
    written.log("".join(f"more {n}\n" for n in range(1000)))
    content, _ = feed.delta() or pytest.fail("nothing is new")
    assert str(content["log_append"]).splitlines() == [f"more {n}" for n in range(800, 1000)]


def sample(step: int, text: str = "So.") -> dict[str, object]:
    return {"type": "sample", "step": step, "prompt": "Why?", "text": text, "reference": "Thus."}


def test_samples_of_the_model_travel_once(write_run: Any) -> None:
    written = write_run()
    written.emit(sample(1))
    feed = RunFeed(written.run)
    shown = {"step": 1, "prompt": "Why?", "text": "So.", "reference": "Thus."}
    assert feed.snapshot()[0]["samples"] == [shown]
    assert feed.delta() is None
    written.emit(sample(2))
    feed.poll()
    content, _ = feed.delta() or pytest.fail("nothing is new")
    assert content["samples"] == [{**shown, "step": 2}]
    assert feed.delta() is None


def test_a_page_gets_the_newest_samples_and_no_endless_text(write_run: Any) -> None:
    written = write_run()
    for step in range(run_feed.SAMPLE_LIMIT + 5):
        written.emit(sample(step, text="x" * (run_feed.TEXT_LIMIT + 1)))
    samples: Any = RunFeed(written.run).snapshot()[0]["samples"]
    assert [shown["step"] for shown in samples] == list(range(5, run_feed.SAMPLE_LIMIT + 5))
    assert samples[0]["text"] == "x" * run_feed.TEXT_LIMIT + "…"


def test_where_else_a_run_can_be_seen(write_run: Any) -> None:
    written = write_run()
    written.emit({"type": "tracker", "name": "MLflow", "address": "https://host"})
    assert RunFeed(written.run).summary()["trackers"] == [{"name": "MLflow", "address": "https://host"}]
