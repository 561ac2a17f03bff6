"""The Python half of the chat view: its messages in order, its states, and what ends it."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ft_core.errors import ModelError
from ft_core.infer import Answer
from ft_jupyter.widgets import chat_view
from ft_jupyter.widgets.chat_view import ChatView

HI = {"role": "user", "content": "Hi"}


def until(condition: Callable[[], object], seconds: float = 5.0) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.005)


class FakeStream:
    """The pieces that a test feeds, one at a time."""

    def __init__(self, chat: FakeChat) -> None:
        self.chat = chat
        self.answer: Answer | None = None
        self.said = ""

    def __iter__(self) -> Iterator[str]:
        count = 0
        while isinstance(piece := self.chat.pieces.get(timeout=5), str):
            count += 1
            self.said += piece
            yield piece
        if isinstance(piece, Exception):
            raise piece
        self.answer = Answer(self.said, count, 0.25, "cancelled" if piece == 0 else "eos")


class FakeChat:
    """A chat whose answers are what a test puts into `pieces`; None ends an answer."""

    choices = ("tuned", "base")
    weights = "/runs/joker/final"

    def __init__(self) -> None:
        self.status = "loading"
        self.pieces: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.asked: list[tuple[list[dict[str, str]], dict[str, Any]]] = []
        self.closed = threading.Event()

    def stream(self, messages: Any, **settings: Any) -> FakeStream:
        if self.status == "failed":
            raise ModelError("There is no such model.", "Name another.")
        self.asked.append((messages, settings))
        return FakeStream(self)

    def cancel(self) -> None:
        if self.asked:
            self.pieces.put(0)

    def __enter__(self) -> FakeChat:
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> FakeChat:
    monkeypatch.setattr(chat_view, "LOADING_PERIOD", 0.005)
    return FakeChat()


@pytest.fixture
def view(chat: FakeChat) -> Iterator[ChatView]:
    made = ChatView(chat, title="joker (final)")  # type: ignore[arg-type]
    yield made
    chat.cancel()
    made.close()


def contents(view: ChatView) -> list[dict[str, Any]]:
    return [content for content, _ in view.comm.custom]


def states(view: ChatView) -> list[str]:
    return [content["status"] for content in contents(view) if content["type"] == "state"]


def ready(chat: FakeChat, view: ChatView) -> None:
    chat.status = "ready"
    until(lambda: states(view)[-1:] == ["ready"])


def ask(
    view: ChatView,
    *messages: dict[str, str],
    id: int = 1,
    which: tuple[str, ...] = ("tuned",),
    **settings: Any,
) -> None:
    view.comm.receive(
        {"type": "ask", "id": id, "which": list(which), "messages": list(messages), "settings": settings}
    )


def test_hello_while_loading(view: ChatView) -> None:
    view.comm.receive({"type": "hello"})
    assert contents(view) == [
        {
            "type": "state",
            "status": "loading",
            "message": "The model is loading in its own process.",
            "fix": "",
            "title": "joker (final)",
            "choices": ["tuned", "base"],
            "transcript": [],
        }
    ]


def test_an_answer_comes_in_pieces_and_then_whole(
    chat: FakeChat, view: ChatView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_view, "TOKEN_PERIOD", 0.0)
    ready(chat, view)
    ask(
        view,
        {"role": "system", "content": "Be brief."},
        HI,
        temperature=0,
        top_p=0.9,
        max_new_tokens=8,
        seed=1,
    )
    for piece in ("Wel", "come", None):
        chat.pieces.put(piece)
    until(lambda: states(view) == ["ready", "busy", "ready"])
    about = {"id": 1, "which": "tuned"}
    assert [content for content in contents(view) if content["type"] != "state"] == [
        {"type": "token", **about, "text": "Wel"},
        {"type": "token", **about, "text": "come"},
        {"type": "answer", **about, "text": "Welcome", "tokens": 2, "seconds": 0.25, "stopped": "eos"},
    ]
    settings = {"temperature": 0, "top_p": 0.9, "max_new_tokens": 8, "seed": 1}
    assert chat.asked == [([{"role": "system", "content": "Be brief."}, HI], {"which": "tuned", **settings})]
    assert contents(view)[-1]["transcript"] == [
        HI,
        {"role": "assistant", "content": "Welcome", "which": "tuned"},
    ]


def test_pieces_that_come_quickly_share_a_message(
    chat: FakeChat, view: ChatView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_view, "TOKEN_PERIOD", 3600.0)
    ready(chat, view)
    ask(view, HI)
    for piece in ("a", "b", "c", None):
        chat.pieces.put(piece)
    until(lambda: states(view)[-1] == "ready" and len(states(view)) == 3)
    assert [content["type"] for content in contents(view)] == ["state", "state", "answer", "state"]


def test_both_models_answer_one_after_the_other_each_with_its_own_past(
    chat: FakeChat, view: ChatView
) -> None:
    ready(chat, view)
    mine = {"role": "assistant", "content": "T", "which": "tuned"}
    other = {"role": "assistant", "content": "B", "which": "base"}
    ask(view, HI, mine, other, HI, which=("tuned", "base"))
    for piece in ("one", None, "two", None):
        chat.pieces.put(piece)
    until(lambda: states(view) == ["ready", "busy", "ready"])
    assert chat.asked == [
        ([HI, {"role": "assistant", "content": "T"}, HI], {"which": "tuned"}),
        ([HI, {"role": "assistant", "content": "B"}, HI], {"which": "base"}),
    ]
    answers = [(c["which"], c["text"]) for c in contents(view) if c["type"] == "answer"]
    assert answers == [("tuned", "one"), ("base", "two")]


def test_a_model_sees_no_question_that_it_did_not_answer(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    system = {"role": "system", "content": "Be brief."}
    first, second = {"role": "user", "content": "1"}, {"role": "user", "content": "2"}
    ask(
        view,
        system,
        first,
        {"role": "assistant", "content": "B", "which": "base"},
        second,
        which=("tuned", "base"),
    )
    chat.pieces.put(None)
    chat.pieces.put(None)
    until(lambda: states(view) == ["ready", "busy", "ready"])
    assert [messages for messages, _ in chat.asked] == [
        [system, second],
        [system, first, {"role": "assistant", "content": "B"}, second],
    ]


def test_cancel_keeps_what_is_written_and_asks_no_further_model(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, HI, which=("tuned", "base"))
    chat.pieces.put("half")
    until(lambda: chat.asked)
    view.comm.receive({"type": "cancel"})
    until(lambda: states(view) == ["ready", "busy", "ready"])
    [answer] = [content for content in contents(view) if content["type"] == "answer"]
    assert (answer["text"], answer["stopped"]) == ("half", "cancelled")
    assert len(chat.asked) == 1
    assert view.transcript[-1] == {"role": "assistant", "content": "half", "which": "tuned"}


def test_cancel_forgets_the_questions_that_wait(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, HI, id=1)
    until(lambda: chat.asked)
    ask(view, {"role": "user", "content": "Later"}, id=2)
    view.comm.receive({"type": "cancel"})
    until(lambda: states(view) == ["ready", "busy", "ready", "ready"])
    assert len(chat.asked) == 1
    assert view.transcript[0] == HI


def test_an_error_names_its_question_and_the_model_can_be_asked_again(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, HI, id=7)
    chat.pieces.put(ModelError("The prompt is too long.", "Shorten it."))
    until(lambda: states(view) == ["ready", "busy", "ready"])
    [error] = [content for content in contents(view) if content["type"] == "error"]
    assert error == {"type": "error", "id": 7, "message": "The prompt is too long.", "fix": "Shorten it."}
    ask(view, HI, id=8)
    chat.pieces.put(None)
    until(lambda: contents(view)[-2]["type"] == "answer")


def test_a_model_that_cannot_be_loaded_says_why(chat: FakeChat, view: ChatView) -> None:
    chat.status = "failed"
    until(lambda: states(view) == ["failed"])
    state = contents(view)[-1]
    assert (state["message"], state["fix"]) == ("There is no such model.", "Name another.")
    assert chat.closed.is_set()


def test_a_model_that_dies_during_an_answer_fails_the_chat(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, HI)
    until(lambda: chat.asked)
    chat.status = "failed"
    chat.pieces.put(ModelError("The process was killed.", ""))
    until(lambda: states(view)[-1] == "failed")
    assert [content["type"] for content in contents(view)] == ["state", "state", "error", "state"]


def test_clear_forgets_the_conversation(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, HI)
    chat.pieces.put(None)
    until(lambda: states(view) == ["ready", "busy", "ready"])
    view.comm.receive({"type": "clear"})
    assert contents(view)[-1]["transcript"] == []


@pytest.mark.parametrize("way", ["message", "close", "comm"])
@pytest.mark.parametrize("loaded", [False, True])
def test_each_way_of_closing_ends_the_models_process(
    chat: FakeChat, view: ChatView, way: str, loaded: bool
) -> None:
    if loaded:
        ready(chat, view)
    if way == "message":
        view.comm.receive({"type": "close"})
        until(lambda: states(view)[-1:] == ["closed"])
    elif way == "close":
        view.close()
    else:
        view.comm.handle_close({"content": {"data": {}}})
    assert chat.closed.wait(5)


def test_closing_cuts_an_answer_off(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, HI)
    until(lambda: chat.asked)
    view.comm.receive({"type": "close"})
    assert chat.closed.wait(5)
    until(lambda: states(view)[-1] == "closed")


def test_behind_the_widget_stands_the_conversation_as_text(chat: FakeChat, view: ChatView) -> None:
    ready(chat, view)
    ask(view, {"role": "user", "content": "<script>\nHi"})
    chat.pieces.put("<b>")
    chat.pieces.put(None)
    until(lambda: states(view) == ["ready", "busy", "ready"])
    html = view._repr_mimebundle_()[0]["text/html"]
    assert (
        "<p><strong>You</strong><br>&lt;script&gt;<br>Hi</p><p><strong>Tuned</strong><br>&lt;b&gt;</p>"
        in html
    )


def test_a_chat_opened_again_closes_the_one_before(monkeypatch: pytest.MonkeyPatch, write_run: Any) -> None:
    made: list[FakeChat] = []

    def fake(_: object) -> FakeChat:
        made.append(FakeChat())
        return made[-1]

    monkeypatch.setattr(chat_view, "Chat", fake)
    run = write_run("joker").run
    first, second = chat_view.open_chat(run), chat_view.open_chat(run)
    assert made[0].closed.wait(5)
    assert not made[1].closed.is_set()
    assert first is not second
    assert second.title == "joker (final)"
    chat_view.close_all()
    assert made[1].closed.wait(5)
