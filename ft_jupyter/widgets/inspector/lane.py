"""A thread that answers what a page asks, one request after another.

Handlers of a page's messages only put requests here, so that none of them waits for a tokenizer, a disk or a model.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

Request = Mapping[str, Any]
"""A message of the page: `type`, `request` (its number), and what is asked for."""


class Lane:
    """A thread and the requests that wait for it.

    Parameters
    ----------
    name
        Of the thread.
    answer
        Answers one request, and raises nothing.
    newest
        Types of which only the newest request is answered: who has moved on to another row does not wait for those that
        were passed on the way.
    """

    def __init__(self, name: str, answer: Callable[[Request], None], *, newest: frozenset[str]) -> None:
        self._answer, self._newest = answer, newest
        self._waiting: deque[Request] = deque()
        self._changed = threading.Condition()
        self._closed = False
        threading.Thread(target=self._serve, name=name, daemon=True).start()

    def put(self, request: Request) -> None:
        """Let `request` be answered after those that wait."""
        with self._changed:
            if request["type"] in self._newest:
                others = [each for each in self._waiting if each["type"] != request["type"]]
                self._waiting = deque(others)
            self._waiting.append(request)
            self._changed.notify()

    def close(self) -> None:
        """Forget what waits and let the thread end after the request it is answering."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify()

    def _serve(self) -> None:
        while (request := self._next()) is not None:
            self._answer(request)

    def _next(self) -> Request | None:
        """Wait for a request and take it; None where there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return None if self._closed else self._waiting.popleft()
