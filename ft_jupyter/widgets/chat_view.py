"""A chat with what was trained: a thin widget over :class:`ft_core.infer.Chat`.

The model lives in a process of its own; this side holds the transcript and one thread that waits for the model and
for its answers, so no handler of a page's message ever waits for a model.
The messages are specified in ``docs/reference/widget-messages.md``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import anywidget

from ft_core.errors import FtError
from ft_core.infer import Chat
from ft_core.runs import Run
from ft_jupyter.markup import CARD, MUTED, text
from ft_jupyter.widgets import front_end

TOKEN_PERIOD = 0.1
"""Seconds of an answer that one message carries at least: a page repaints no faster."""

LOADING_PERIOD = 0.1
"""Seconds between two looks at whether the model is loaded."""

NAMES = {"tuned": "Tuned", "base": "Base"}

Said = dict[str, str]
"""One message: `role`, `content`, and for an answer `which` model gave it."""


@dataclass(frozen=True)
class Question:
    """One question to one or more models.

    Attributes
    ----------
    id
        The page's number for it.
    which
        The models asked, in order.
    messages
        The conversation up to and with the question.
    settings
        ``temperature``, ``top_p``, ``max_new_tokens``, ``seed``; what is missing has the engine's default.
    cancelled
        Set when the page no longer wants the answer.
    """

    id: int
    which: tuple[str, ...]
    messages: tuple[Said, ...]
    settings: dict[str, Any]
    cancelled: threading.Event = field(default_factory=threading.Event)


class ChatView(anywidget.AnyWidget):
    """A chat that is seen on a page.

    Parameters
    ----------
    chat
        The chat, its model loading or loaded; the view closes it.
    title
        What stands above it.
    """

    _esm = front_end.module("chat_view.js")
    _css = front_end.style("chat_view.css")

    def __init__(self, chat: Chat, *, title: str) -> None:
        self._chat = chat
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._closing = threading.Event()
        self._lock = threading.RLock()
        self._asked: dict[int, Question] = {}
        self._status, self._message, self._fix = "loading", "The model is loading in its own process.", ""
        self.title = title
        self.transcript: list[Said] = []
        super().__init__()
        self.on_msg(self._receive)
        assert self.comm is not None
        self.comm.on_close(lambda _: self._end())
        threading.Thread(target=self._serve, name=f"chat {title}", daemon=True).start()

    def close(self) -> None:
        """End the model's process and take the view off every page."""
        self._end()
        super().close()

    def _end(self) -> None:
        """Let the thread leave: the answer in the making is cut off, and the model's process ends with it."""
        self._closing.set()
        self._cancel()
        self._questions.put(None)

    def _cancel(self) -> None:
        """Cut off the answer in the making and forget the questions that wait."""
        with self._lock:
            for question in self._asked.values():
                question.cancelled.set()
        self._chat.cancel()

    def _serve(self) -> None:
        """Wait for the model, then answer questions until there are no more; runs on the view's thread."""
        try:
            with self._chat as chat:
                while chat.status == "loading" and not self._closing.wait(LOADING_PERIOD):
                    pass
                self._become_ready()
                while question := self._questions.get():
                    self._answer(chat, question)
                    self._become_ready()
            self._become("closed")
        except FtError as error:
            self._become("failed", error.message, error.fix)
        finally:
            if self._status not in ("closed", "failed"):
                self._become("failed", "The chat broke off; the kernel's output says why.", "Open it again.")

    def _become_ready(self) -> None:
        """Say that the model can be asked.

        Raises
        ------
        ModelError
            It cannot: it was not loaded, or its process has ended.
        """
        if self._chat.status == "failed":
            # A chat that has failed answers every question with the reason.
            self._chat.stream([{"role": "user", "content": ""}])
        if not self._closing.is_set():
            self._become("ready")

    def _answer(self, chat: Chat, question: Question) -> None:
        """Ask each model in turn and send what it says as it says it; a question cancelled while it waited is forgotten."""
        with self._lock:
            if question.cancelled.is_set():
                del self._asked[question.id]
                return
            self.transcript = [said for said in question.messages if said["role"] != "system"]
            self._become("busy")
        try:
            for which in question.which:
                if not question.cancelled.is_set():
                    self._stream(chat, question, which)
        except FtError as error:
            self.send({"type": "error", "id": question.id, "message": error.message, "fix": error.fix})
        finally:
            with self._lock:
                del self._asked[question.id]

    def _stream(self, chat: Chat, question: Question, which: str) -> None:
        """Send one model's answer piece by piece, then whole."""
        about: dict[str, object] = {"id": question.id, "which": which}
        stream = chat.stream(_own(question.messages, which), which=which, **question.settings)  # type: ignore[arg-type]
        sent, unsent = time.monotonic(), ""
        for piece in stream:
            unsent += piece
            if time.monotonic() - sent >= TOKEN_PERIOD:
                self.send({"type": "token", **about, "text": unsent})
                sent, unsent = time.monotonic(), ""
        answer = stream.answer
        assert answer is not None
        with self._lock:
            self.transcript.append({"role": "assistant", "content": answer.text, "which": which})
        figures = {"tokens": answer.tokens, "seconds": round(answer.seconds, 3), "stopped": answer.stopped}
        self.send({"type": "answer", **about, "text": answer.text, **figures})

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        """Take one message of the page; may run on any thread, and never waits."""
        match content.get("type"):
            case "hello":
                self._send_state()
            case "ask":
                question = _question(content)
                with self._lock:
                    self._asked[question.id] = question
                self._questions.put(question)
            case "cancel":
                self._cancel()
            case "clear":
                with self._lock:
                    self.transcript = []
                    self._send_state()
            case "close":
                self._end()
            case _:
                pass

    def _become(self, status: str, message: str = "", fix: str = "") -> None:
        with self._lock:
            self._status, self._message, self._fix = status, message, fix
            self._send_state()

    def _send_state(self) -> None:
        with self._lock:
            state = {"status": self._status, "message": self._message, "fix": self._fix, "title": self.title}
            about = {"choices": list(self._chat.choices), "transcript": list(self.transcript)}
            self.send({"type": "state", **state, **about})

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        """Return the widget, and behind it the transcript as text for where no widget runs."""
        bundle = super()._repr_mimebundle_(**options)
        if bundle is None:
            return None
        data, metadata = bundle
        return data | {
            "text/plain": f"Chat with {self.title}",
            "text/html": self._transcript_html(),
        }, metadata

    def _transcript_html(self) -> str:
        with self._lock:
            said = "".join(_said_html(said) for said in self.transcript)
        said = said or f'<p style="{MUTED}">Nothing was said yet.</p>'
        return (
            f'<div class="ft-chat" style="{CARD}"><strong>Chat with {text(self.title)}</strong>{said}</div>'
        )


_open: dict[str, ChatView] = {}


def open_chat(source: Run | Path | str) -> ChatView:
    """Return a new chat with a run, a model's folder or a hub id; one that this kernel has open with it is closed.

    A cell that is run again would otherwise leave one loaded model behind for each time.

    Raises
    ------
    FtError
        The run has saved nothing yet, or there is no such model.
    """
    chat = Chat(source)
    key = str(source.directory) if isinstance(source, Run) else str(source)
    if earlier := _open.pop(key, None):
        earlier.close()
    weights = Path(chat.weights).name
    title = f"{source.name} ({weights})" if isinstance(source, Run) else weights
    _open[key] = ChatView(chat, title=title)
    return _open[key]


def close_all() -> None:
    """Close every chat of this kernel: the extension is being unloaded."""
    while _open:
        _open.popitem()[1].close()


def _question(content: Mapping[str, Any]) -> Question:
    """Return the question of an ``ask`` message."""
    keys = ("role", "content", "which")
    messages = tuple({key: str(said[key]) for key in keys if key in said} for said in content["messages"])
    return Question(int(content["id"]), tuple(content["which"]), messages, dict(content["settings"]))


def _own(messages: Sequence[Said], which: str) -> list[Said]:
    """Return the conversation that one model had: the questions that it answered, its answers, and the last question.

    >>> user, base = {"role": "user", "content": "?"}, {"role": "assistant", "content": "!", "which": "base"}
    >>> [said["role"] for said in _own([user, base, user], "base")], [said["role"] for said in _own([user, base, user], "tuned")]
    (['user', 'assistant', 'user'], ['user'])
    """
    own: list[Said] = []
    for said in messages:
        if said.get("which", which) != which:
            continue
        if said["role"] == "user" and own and own[-1]["role"] == "user":
            # The question before was for the other model alone; no model sees two in a row.
            own.pop()
        own.append({"role": said["role"], "content": said["content"]})
    return own


def _said_html(said: Said) -> str:
    """Return one message as HTML, with its line ends."""
    who = NAMES.get(said.get("which", ""), "You")
    return f"<p><strong>{who}</strong><br>{text(said['content']).replace(chr(10), '<br>')}</p>"
