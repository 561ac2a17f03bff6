"""An answer as it comes, and what is known of it once it is over."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from ft_core.errors import ModelError
from ft_core.infer.protocol import Message

Stopped = Literal["eos", "length", "cancelled"]


@dataclass(frozen=True)
class Answer:
    """A finished answer.

    Attributes
    ----------
    text
        All of it.
    tokens
        How many tokens were generated, the one that ended the turn included.
    seconds
        How long that took, reading the prompt included and loading the model not.
    stopped
        ``eos`` where the model ended its turn, ``length`` at the limit of tokens, ``cancelled`` where it was told to.
    """

    text: str
    tokens: int
    seconds: float
    stopped: Stopped


class Stream(Iterator[str]):
    """The pieces of an answer's text, each a whole number of characters; iterating waits for the next.

    An interrupt while waiting, or dropping the stream before its end, cancels the answer.

    Parameters
    ----------
    messages
        What the worker says of this answer.
    cancel
        Tells the worker to stop it.
    chat
        Whose answer it is; kept, because a chat that is forgotten closes.

    Attributes
    ----------
    answer
        The finished answer; None until the pieces are used up.
    """

    def __init__(
        self, messages: queue.SimpleQueue[Message], cancel: Callable[[], None], chat: object
    ) -> None:
        self.answer: Answer | None = None
        self._messages = messages
        self._cancel = cancel
        self._chat = chat
        self._pieces: list[str] = []
        self._over = False

    def __next__(self) -> str:
        if self._over:
            raise StopIteration
        try:
            message = self._messages.get()
        except BaseException:
            self.cancel()
            raise
        if message["type"] == "text":
            self._pieces.append(message["text"])
            return message["text"]
        self._over = True
        if message["type"] == "error":
            raise ModelError(message["message"], message["fix"])
        self.answer = Answer("".join(self._pieces), message["tokens"], message["seconds"], message["stopped"])
        raise StopIteration

    def cancel(self) -> None:
        """Stop the answer within a token or two. What had been generated still comes, then the stream ends."""
        if not self._over:
            self._cancel()

    def __del__(self) -> None:
        self.cancel()
