"""The Python half of the run view: its messages, its thread, and what closing it does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ft_core.errors import RunError
from ft_jupyter.widgets import front_end, run_view
from ft_jupyter.widgets.run_view import RunView
from ft_jupyter.widgets.series import EVAL_COLUMNS, STEP_COLUMNS


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    """Wait until `condition` holds; fail the test if it does not."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let views look at their directory more often than the page could bear."""
    monkeypatch.setattr(run_view, "PERIOD", 0.01)


@pytest.fixture
def view_of() -> Any:
    """Return a function that makes views, all closed after the test."""
    views: list[RunView] = []

    def make(run: Any) -> RunView:
        views.append(RunView(run))
        return views[-1]

    yield make
    for view in views:
        view.close()


def contents(view: RunView) -> list[dict[str, Any]]:
    return [content for content, _ in view.comm.custom]


def hello(view: RunView, have: int = 0) -> None:
    view.comm.receive({"type": "hello", "have": have})


def followers() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("follow ")]


def test_only_two_traits_of_its_own_are_saved_with_a_notebook(write_run: Any, view_of: Any) -> None:
    view = view_of(write_run("joker").run)
    state = view.get_state()
    own = {key for key in state if not key.startswith("_")} - {"layout", "tabbable", "tooltip"}
    assert own == {"run_name", "frozen"}
    assert (state["run_name"], state["frozen"]) == ("joker", False)


def test_hello_is_answered_with_a_snapshot_and_what_follows_with_deltas(write_run: Any, view_of: Any) -> None:
    written = write_run()
    written.step(1)
    view = view_of(written.run)
    hello(view)
    [(content, buffers)] = view.comm.custom
    assert (content["type"], content["seq"]) == ("snapshot", 1)
    assert np.frombuffer(buffers[1], "<f4").tolist() == [4.0]
    assert len(buffers) == len(STEP_COLUMNS) + len(EVAL_COLUMNS)

    written.step(2)
    view.follow()
    until(lambda: len(view.comm.custom) >= 2)
    content, buffers = view.comm.custom[1]
    assert (content["type"], content["seq"]) == ("delta", 2)
    assert [np.frombuffer(buffer, "<f4").tolist() for buffer in buffers[:2]] == [[2.0], [3.0]]


def test_numbers_count_up_by_one_over_hellos_and_deltas(write_run: Any, view_of: Any) -> None:
    written = write_run()
    view = view_of(written.run)
    view.follow()
    for number in range(1, 6):
        hello(view)
        written.step(number)
        until(lambda n=number: view.feed.steps.column("step").tolist()[-1:] == [n])
    written.end()
    until(lambda: view.frozen)
    numbers = [content["seq"] for content in contents(view)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_page_that_cannot_be_heard_gets_snapshots_and_the_charts_unasked(
    write_run: Any, view_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end, "plotly", lambda: b"gz")
    view = view_of(write_run().run)
    view.follow()
    until(lambda: len(view.comm.custom) >= 4)
    assert [content["type"] for content in contents(view)[:4]] == [
        "snapshot",
        "snapshot",
        "plotly",
        "snapshot",
    ]
    hello(view)
    until(lambda: contents(view)[-1]["type"] in ("snapshot", "delta"))
    assert sum(content["type"] == "plotly" for content in contents(view)) == 1


def test_the_chart_library_is_sent_when_asked_for(
    write_run: Any, view_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(front_end, "plotly", lambda: b"gz")
    view = view_of(write_run().run)
    view.comm.receive({"type": "plotly"})
    assert view.comm.custom == [({"type": "plotly"}, [b"gz"])]


@pytest.mark.parametrize(
    ("message", "file"), [({"type": "stop", "now": False}, "stop"), ({"type": "checkpoint"}, "checkpoint")]
)
def test_a_button_writes_its_request(
    write_run: Any, view_of: Any, message: dict[str, Any], file: str
) -> None:
    written = write_run()
    view_of(written.run).comm.receive(message)
    until(lambda: [path.name for path in (written.directory / "control").iterdir()] == [file])


def test_stop_now_ends_the_job(write_run: Any, view_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    view = view_of(write_run().run)
    asked: list[bool] = []
    monkeypatch.setattr(view.run, "stop", lambda now: asked.append(now))
    view.comm.receive({"type": "stop", "now": True})
    until(lambda: asked == [True])


def test_a_handler_does_not_wait_for_a_slow_stop(
    write_run: Any, view_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = view_of(write_run().run)
    release = threading.Event()
    released: list[bool] = []
    monkeypatch.setattr(view.run, "stop", lambda now: released.append(release.wait(5)))
    view.comm.receive({"type": "stop", "now": True})
    hello(view)
    assert contents(view)[-1]["type"] == "snapshot"
    assert released == []
    release.set()


def test_a_request_that_cannot_be_served_is_told_to_the_page(write_run: Any, view_of: Any) -> None:
    written = write_run()
    written.end()
    view = view_of(written.run)
    view.comm.receive({"type": "checkpoint"})
    until(lambda: view.comm.custom)
    [warning] = contents(view)[0]["warnings"]
    assert warning["message"].startswith("Run 'joker' can save no checkpoint: completed ")


def test_inspect_data_does_what_the_view_was_given_for_it(write_run: Any, view_of: Any) -> None:
    view = view_of(write_run("joker").run)
    view.comm.receive({"type": "inspect"})
    until(lambda: view.comm.custom)
    [warning] = contents(view)[0]["warnings"]
    assert warning == {
        "message": "This view cannot open an inspector.",
        "fix": "%ft inspect joker opens it in any cell.",
    }
    done = threading.Event()
    view.on_inspect(done.set)
    view.comm.receive({"type": "inspect"})
    assert done.wait(5)


def test_an_unknown_message_is_ignored(write_run: Any, view_of: Any) -> None:
    view = view_of(write_run().run)
    view.comm.receive({"type": "dance"})
    view.comm.receive({})
    assert view.comm.custom == []


def test_the_end_of_the_run_is_the_last_message_and_ends_the_thread(write_run: Any, view_of: Any) -> None:
    written = write_run("short")
    view = view_of(written.run)
    hello(view)
    view.follow()
    written.step(1)
    written.end()
    ended: list[str] = []
    view.when_over(lambda: ended.append(contents(view)[-1]["run"]["state"]))
    until(lambda: ended)
    assert ended == ["completed"]
    assert view.frozen
    until(lambda: "follow short" not in followers())
    view.when_over(lambda: ended.append("late"))
    assert ended == ["completed", "late"]


def test_a_page_that_comes_after_the_end_still_gets_everything(write_run: Any, view_of: Any) -> None:
    written = write_run()
    written.step(1)
    written.end()
    view = view_of(written.run)
    view.follow()
    view.wait()
    hello(view, have=0)
    assert contents(view)[-1]["type"] == "snapshot"
    assert contents(view)[-1]["run"]["state"] == "completed"


def test_closing_a_view_ends_its_thread_and_not_the_run(write_run: Any, view_of: Any) -> None:
    written = write_run("closing")
    view, other = view_of(written.run), view_of(written.run)
    over: list[int] = []
    view.when_over(lambda: over.append(1))
    view.follow()
    view.follow()
    other.follow()
    assert followers().count("follow closing") == 2
    view.close()
    until(lambda: followers().count("follow closing") == 1)
    view.wait()
    assert over == []
    assert written.run.state == "running"
    assert list((written.directory / "control").iterdir()) == []


def test_a_page_that_closes_the_comm_ends_the_thread(write_run: Any, view_of: Any) -> None:
    view = view_of(write_run("left").run)
    view.follow()
    view.comm.handle_close({"content": {"data": {}}})
    until(lambda: "follow left" not in followers())


def test_two_views_of_one_run_do_not_share_their_numbers(write_run: Any, view_of: Any) -> None:
    written = write_run()
    first, second = view_of(written.run), view_of(written.run)
    hello(first)
    hello(first)
    hello(second)
    assert [content["seq"] for content in contents(first)] == [1, 2]
    assert [content["seq"] for content in contents(second)] == [1]


def test_messages_from_several_threads_keep_their_order(write_run: Any, view_of: Any) -> None:
    written = write_run()
    view = view_of(written.run)
    view.follow()
    threads = [threading.Thread(target=hello, args=(view,)) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [content["seq"] for content in contents(view)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 20


def test_a_disk_that_fails_once_is_told_and_followed_further(
    write_run: Any, view_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = write_run()
    view = view_of(written.run)
    hello(view)
    events = view.run.events
    failures = iter([RunError("The disk is away.", "Plug it in.")])

    def sometimes(offset: int) -> Any:
        for failure in failures:
            raise failure
        return events(offset)

    monkeypatch.setattr(view.run, "events", sometimes)
    written.step(1)
    view.follow()
    until(
        lambda: (
            view.feed.steps.column("step").tolist() == [1.0] and any(c["warnings"] for c in contents(view))
        )
    )
    told = [content["warnings"] for content in contents(view) if content["warnings"]]
    assert told == [[{"message": "The disk is away.", "fix": "Plug it in."}]]


def test_behind_the_widget_stands_a_still_picture(write_run: Any, view_of: Any) -> None:
    written = write_run("joker", step=3)
    bundle, _ = view_of(written.run)._repr_mimebundle_()
    assert set(bundle) == {"application/vnd.jupyter.widget-view+json", "text/html", "text/plain"}
    assert "3 of 10" in bundle["text/html"]
    assert "%ft attach joker" in bundle["text/html"]


def test_it_never_prints(write_run: Any, view_of: Any, capfd: pytest.CaptureFixture[str]) -> None:
    written = write_run()
    view = view_of(written.run)
    view.follow()
    written.step(1)
    written.log("noise\n")
    written.end()
    view.wait()
    assert capfd.readouterr() == ("", "")
