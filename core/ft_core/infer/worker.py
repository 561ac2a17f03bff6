"""The process that a chat's model lives in: ``python -m ft_core.infer.worker``, spoken to as `protocol` says."""

from __future__ import annotations

import os
import queue
import sys
import threading
import traceback
from typing import IO, Any

from ft_core.errors import FtError
from ft_core.infer.protocol import Message, decode_lines, encode
from ft_core.infer.source import Source


class Inbox:
    """What the chat has written: requests in their order, and which of them are cancelled. Read by its own thread."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.requests: queue.SimpleQueue[Message] = queue.SimpleQueue()
        self._cancelled: set[int] = set()
        threading.Thread(target=self._read, args=(pipe,), daemon=True).start()

    def cancelled(self, number: int) -> bool:
        """Whether request `number` is no longer wanted."""
        return number in self._cancelled

    def forget(self, number: int) -> None:
        """Drop what is known of a request that has its end."""
        self._cancelled.discard(number)

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            for message in decode_lines(pipe):
                if message["type"] == "cancel":
                    self._cancelled.add(message["id"])
                else:
                    self.requests.put(message)
        finally:
            # The chat has closed, or its process is gone. Nothing here is worth finishing, and a generating main
            # thread would not notice.
            os._exit(0)


def main() -> None:
    """Load what the first message names, then answer until the input ends."""
    outbox = _take_stdout()
    inbox = Inbox(sys.stdin.buffer)

    def send(message: Message) -> None:
        outbox.write(encode(message))
        outbox.flush()

    opening = inbox.requests.get()
    try:
        # Imported here, so that the input is already watched in the seconds this takes.
        from ft_core.infer.answering import Answering

        answering = Answering(Source(**opening["source"]), opening["device"], inbox, send)
    except Exception as error:  # noqa: BLE001 - whatever it is, the chat must hear of it
        send({"type": "error", "id": None, **_explained(error)})
        return
    send({"type": "ready"})
    while True:
        request = inbox.requests.get()
        try:
            answering.answer(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the chat must hear of it
            send({"type": "error", "id": request["id"], **_explained(error)})
        inbox.forget(request["id"])


def _take_stdout() -> IO[bytes]:
    """Return the pipe to the chat, and let everything that is printed go to standard error instead."""
    pipe = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return pipe


def _explained(error: Exception) -> dict[str, Any]:
    """Return an error as message and fix; what is no sentence yet is printed whole to the log."""
    if isinstance(error, FtError):
        return {"message": error.message, "fix": error.fix}
    text = str(error)
    if (
        type(error).__name__ == "OutOfMemoryError"
        or isinstance(error, MemoryError)
        or "allocate memory" in text
    ):
        return {
            "message": "The device ran out of memory.",
            "fix": "Close other chats and runs, lower max_new_tokens, or open the chat with device='cpu'.",
        }
    traceback.print_exception(error)
    first = text.strip().splitlines()[:1]
    return {
        "message": f"The model could not answer: {type(error).__name__}{': ' + first[0] if first else ''}",
        "fix": "The whole traceback is in chat.log_tail().",
    }


if __name__ == "__main__":
    main()
