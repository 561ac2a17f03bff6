r"""What a chat and its worker say to each other: JSON objects, one a line, over two pipes.

The chat writes to the worker's standard input::

    {"type": "open", "source": {...}, "device": "cuda:0" or null}           first, once: what to load (Source's fields)
    {"type": "generate", "id": 1, "messages": [{"role": ..., "content": ...}, ...], "which": "tuned" or "base",
     "temperature": 0.7, "top_p": 1.0, "max_new_tokens": 256, "seed": 1 or null}
    {"type": "losses", "id": 2, "input_ids": [1, 2, 3], "which": "tuned" or "base"}
    {"type": "cancel", "id": 1}                                             stop that answer, or never begin it

The worker writes to its standard output::

    {"type": "ready"}                                                       the model is loaded
    {"type": "text", "id": 1, "text": " of wealth"}                         what the answer goes on with
    {"type": "done", "id": 1, "tokens": 24, "seconds": 0.8, "stopped": "eos" or "length" or "cancelled"}
    {"type": "losses", "id": 2, "losses": "AADAfw..."}                      of each token, as `pack_floats` writes them
    {"type": "error", "id": 1, "message": "...", "fix": "..."}              no answer; the worker goes on
    {"type": "error", "id": null, "message": "...", "fix": "..."}           the model cannot be loaded; the worker ends

Answers come one after another, in the order of the requests. Every request gets exactly one ``done``, ``losses`` or
``error``.
The worker ends when its input does, whatever it is doing: so it cannot outlive the process that started it, and needs
no port, no file and no pid. What libraries print goes to its standard error, never between the messages.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    r"""Return `message` as one line.

    >>> encode({"type": "text", "text": "two\nlines é"})
    b'{"type": "text", "text": "two\\nlines \\u00e9"}\n'
    """
    return json.dumps(message).encode() + b"\n"


def decode_lines(lines: Iterable[bytes]) -> Iterator[Message]:
    """Yield the message of each line; a last line without its end, left by a writer that died, is dropped."""
    for line in lines:
        if line.endswith(b"\n"):
            yield cast("Message", json.loads(line))


def pack_floats(values: NDArray[np.float32]) -> str:
    """Return numbers as text: the bytes of their fp32, lowest first, in base64.

    >>> pack_floats(np.array([1.5], np.float32))
    'AADAPw=='
    """
    return base64.b64encode(values.astype("<f4").tobytes()).decode()


def unpack_floats(text: str) -> NDArray[np.float32]:
    """Return the numbers that `pack_floats` wrote.

    >>> unpack_floats("AADAPw==").tolist()
    [1.5]
    """
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float32)
