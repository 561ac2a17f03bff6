"""The worker process of a chat: started, listened to, told when to stop, and missed when it dies."""

from __future__ import annotations

import dataclasses
import itertools
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from typing import IO, Literal, cast

from ft_core.errors import ModelError
from ft_core.infer.protocol import Message, decode_lines, encode
from ft_core.infer.source import Source

State = Literal["loading", "ready", "generating", "failed", "closed"]

LOG_LINES = 200
"""Lines of the worker's own output that are kept."""

REASON_LINES = 5
"""Lines of it that are told when it has died."""

GRACE = 5.0
"""Seconds in which a worker whose input has ended must be gone."""


class Connection:
    """A worker and the requests that wait for it.

    Parameters
    ----------
    source
        What it loads.
    device
        Where; None for the worker's choice.
    """

    def __init__(self, source: Source, device: str | None) -> None:
        # Its own session: Kernel > Interrupt sends SIGINT to the kernel's whole process group.
        # A passive wait: beside a run that trains, threads that spin while they wait for each other starve both.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ft_core.infer.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
        )
        self._lock = threading.Lock()
        # A SimpleQueue may be written from a destructor that runs in the middle of anything; a lock may not be taken.
        self._outbox: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._ids = itertools.count(1)
        self._waiting: dict[int, queue.SimpleQueue[Message]] = {}
        self._loaded = False
        self._closed = False
        self._failure: ModelError | None = None
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._log_reader = threading.Thread(target=self._keep_log, daemon=True)
        self._log_reader.start()
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._write, daemon=True).start()
        self._outbox.put({"type": "open", "source": dataclasses.asdict(source), "device": device})

    @property
    def pid(self) -> int:
        """The worker's process id."""
        return self._process.pid

    @property
    def state(self) -> State:
        """What the worker is doing."""
        with self._lock:
            if self._closed:
                return "closed"
            if self._failure is not None:
                return "failed"
            if not self._loaded:
                return "loading"
            return "generating" if self._waiting else "ready"

    def ask(self, request: Message) -> tuple[int, queue.SimpleQueue[Message]]:
        """Send a request, its type in it, and return its number, and the queue that what is said of it goes to.

        Raises
        ------
        ModelError
            The chat is closed, or its worker has ended.
        """
        messages: queue.SimpleQueue[Message] = queue.SimpleQueue()
        with self._lock:
            if self._closed:
                raise ModelError("This chat is closed.", "Open a new one.")
            if self._failure is not None:
                raise ModelError(self._failure.message, self._failure.fix)
            number = next(self._ids)
            self._waiting[number] = messages
            self._outbox.put({"id": number, **request})
        return number, messages

    def cancel(self, number: int) -> None:
        """Cancel a request. May be called from a destructor."""
        self._outbox.put({"type": "cancel", "id": number})

    def cancel_all(self) -> None:
        """Cancel every request that has no end yet."""
        with self._lock:
            numbers = list(self._waiting)
        for number in numbers:
            self.cancel(number)

    def log_tail(self, lines: int) -> str:
        """Return the last `lines` lines of what the worker printed."""
        return "\n".join(list(self._log)[-lines:])

    def close(self) -> None:
        """End the worker and wait until it is gone."""
        with self._lock:
            self._closed = True
        self._outbox.put(None)
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write(self) -> None:
        """Write what is in the outbox until it ends or the worker does; of the latter, `_listen` tells."""
        pipe = cast("IO[bytes]", self._process.stdin)
        try:
            with pipe:
                for message in iter(self._outbox.get, None):
                    pipe.write(encode(message))
                    pipe.flush()
        except BrokenPipeError:
            return

    def _listen(self) -> None:
        """Hand each message to the stream that waits for it, until the worker ends."""
        for message in decode_lines(cast("IO[bytes]", self._process.stdout)):
            if message["type"] == "ready":
                self._loaded = True
            elif message.get("id") is None:
                self._failure = ModelError(message["message"], message["fix"])
            else:
                self._deliver(message)
        self._process.wait()
        self._log_reader.join(GRACE)
        self._release_all()

    def _deliver(self, message: Message) -> None:
        with self._lock:
            messages = self._waiting.get(message["id"])
            if message["type"] != "text":
                self._waiting.pop(message["id"], None)
        if messages is not None:
            messages.put(message)

    def _release_all(self) -> None:
        """Tell everyone who still waits why there will be no answer."""
        with self._lock:
            if self._closed:
                reason = ModelError("The chat was closed before the answer was complete.", "Open a new one.")
            else:
                reason = self._failure = self._failure or self._death()
            waiting, self._waiting = self._waiting, {}
        for number, messages in waiting.items():
            messages.put({"type": "error", "id": number, "message": reason.message, "fix": reason.fix})

    def _death(self) -> ModelError:
        """Return how the worker ended, with the last it printed."""
        code = self._process.returncode
        if code == -signal.SIGKILL:
            return ModelError(
                "The chat's model process was killed; where nobody did that, the machine ran out of memory.",
                "Close other chats and runs, or choose a smaller model, then open the chat again.",
            )
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        printed = self.log_tail(REASON_LINES)
        said = f" It last printed:\n{printed}" if printed else ""
        return ModelError(f"The chat's model process {how}.{said}", "Open the chat again.")

    def _keep_log(self) -> None:
        for line in cast("IO[bytes]", self._process.stderr):
            self._log.append(line.decode("utf-8", "replace").rstrip())
