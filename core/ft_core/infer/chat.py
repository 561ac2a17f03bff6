"""A chat with a model that lives in a process of its own."""

from __future__ import annotations

import weakref
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from ft_core.errors import ModelError
from ft_core.infer.connection import Connection, State
from ft_core.infer.protocol import unpack_floats
from ft_core.infer.source import Which, find_source
from ft_core.infer.stream import Stream
from ft_core.runs import Run

MAX_NEW_TOKENS = 256


class Chat:
    """The tuned model of a run beside its base, or one model alone.

    The model begins to load at once, in another process; the first answer waits for it. That process ends with
    `close`, with the ``with`` block, when the chat is forgotten, and when this process dies, however it dies. An
    interrupt of this process does not reach it.

    Parameters
    ----------
    source
        A run (its final weights, or the newest checkpoint while it trains), a run's directory, the folder of a model or
        an adapter, or a model's id on the hub.
    device
        Where to run, such as ``cpu`` or ``cuda:1``; by default the GPU with the most free memory, else the CPU.

    Raises
    ------
    RunError
        The run has saved nothing yet.
    ModelError
        The model or its base does not exist.
    """

    def __init__(self, source: Run | Path | str, *, device: str | None = None) -> None:
        self._source = find_source(source)
        self._connection = Connection(self._source, device)
        self._close = weakref.finalize(self, self._connection.close)

    @property
    def choices(self) -> tuple[Which, ...]:
        """What `which` may be, the default first: ``("tuned", "base")``, or ``("base",)`` for a model alone."""
        return self._source.choices

    @property
    def weights(self) -> str:
        """Folder or hub id of the weights that answer by default; for a run it ends in ``final`` or ``checkpoint-N``."""
        return str(self._source.tuned or self._source.base)

    @property
    def status(self) -> State:
        """``loading``, ``ready``, ``generating``, ``failed`` or ``closed``."""
        return self._connection.state

    def stream(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        which: Which | None = None,
        temperature: float = 0.7,
        top_p: float = 1.0,
        max_new_tokens: int = MAX_NEW_TOKENS,
        seed: int | None = None,
    ) -> Stream:
        """Ask for the next message of a conversation and return its text as it is generated.

        Several answers may be asked for at once, from any thread; they are generated one after another.

        Parameters
        ----------
        messages
            The conversation: ``role`` (``system``, ``user``, ``assistant``) and ``content`` of each turn.
        which
            ``tuned`` or ``base``; by default the first of `choices`.
        temperature
            How evenly to draw among likely tokens; 0 takes the likeliest each time.
        top_p
            Draw among the likeliest tokens that together have this probability.
        max_new_tokens
            Where to stop an answer that does not end by itself.
        seed
            The same seed gives the same answer on the same machine; None gives a new one each time.

        Raises
        ------
        ModelError
            A setting is out of range, the model could not be loaded, or its process has ended. What goes wrong later
            is raised while iterating.
        """
        chosen = self._chosen(which)
        if not messages:
            raise ModelError(
                "There is no message to answer.", "Write at least one: {'role': 'user', 'content': ...}."
            )
        for name, fits, allowed in (
            ("temperature", temperature >= 0, "0 or more"),
            ("top_p", 0 < top_p <= 1, "above 0 and at most 1"),
            ("max_new_tokens", max_new_tokens >= 1, "1 or more"),
        ):
            if not fits:
                raise ModelError(f"{name} is out of range.", f"It must be {allowed}.")
        number, answer = self._connection.ask(
            {
                "type": "generate",
                "messages": [dict(message) for message in messages],
                "which": chosen,
                "temperature": temperature,
                "top_p": top_p,
                "max_new_tokens": max_new_tokens,
                "seed": seed,
            }
        )
        return Stream(answer, partial(self._connection.cancel, number), self)

    def ask(
        self,
        text: str,
        *,
        which: Which | None = None,
        temperature: float = 0.7,
        top_p: float = 1.0,
        max_new_tokens: int = MAX_NEW_TOKENS,
        seed: int | None = None,
    ) -> str:
        """Return the whole answer to one question; the settings and errors are those of `stream`."""
        question = [{"role": "user", "content": text}]
        settings = {"temperature": temperature, "top_p": top_p}
        return "".join(
            self.stream(question, which=which, max_new_tokens=max_new_tokens, seed=seed, **settings)
        )

    def token_losses(self, input_ids: Sequence[int], *, which: Which | None = None) -> NDArray[np.float32]:
        """Return how badly a model foresees each token of a sample: its loss in nats, fp32 of shape ``[n]``.

        Every token has one, trained on or not, but for the first, whose is NaN. Waits for what was asked for before; an
        interrupt while waiting cancels it.

        Parameters
        ----------
        input_ids
            The sample.
        which
            As for `stream`.

        Raises
        ------
        ModelError
            The model could not be loaded, its process has ended, the sample does not fit the model, or `cancel` was called.
        """
        request = {"input_ids": [int(token) for token in input_ids], "which": self._chosen(which)}
        number, answer = self._connection.ask({"type": "losses", **request})
        try:
            message = answer.get()
        except BaseException:
            self._connection.cancel(number)
            raise
        if message["type"] == "error":
            raise ModelError(message["message"], message["fix"])
        return unpack_floats(message["losses"])

    def _chosen(self, which: Which | None) -> Which:
        """Return the model that is asked, or raise where there is none such."""
        chosen = which or self.choices[0]
        if chosen not in self.choices:
            raise ModelError(f"This chat has no '{chosen}' model.", f"It has: {', '.join(self.choices)}.")
        return chosen

    def cancel(self) -> None:
        """Stop everything that is being answered or waits its turn. Safe from any thread."""
        self._connection.cancel_all()

    def log_tail(self, lines: int = 20) -> str:
        """Return the last lines that the model's process printed."""
        return self._connection.log_tail(lines)

    def close(self) -> None:
        """End the model's process, which frees its memory. A chat that is closed stays closed."""
        self._close()

    def __enter__(self) -> Chat:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
