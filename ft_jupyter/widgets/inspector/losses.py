"""The loss of each token under a model, which is loaded when it is first asked for, in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

from ft_core.errors import FtError, ModelError
from ft_core.infer import Chat
from ft_core.infer.source import Which, find_source
from ft_core.runs import Run


class Losses:
    """The models whose losses can be asked for.

    Parameters
    ----------
    run
        The run whose tuned model may be asked beside its base; None where there is none.
    base_model
        What is asked without a run, or where it has saved nothing yet.
    """

    def __init__(self, run: Run | None, base_model: str) -> None:
        self._run, self._base_model = run, base_model
        self._lock = threading.Lock()
        self._chat: Chat | None = None
        self._opened: Run | str | None = None
        self._closed = False

    @property
    def models(self) -> tuple[str, ...]:
        """Which there are, the preferred first; looks whether the run has saved something by now."""
        return self._found()[1]

    def of(self, input_ids: Any, models: Sequence[str]) -> Mapping[str, Any]:
        """Return the losses of a sample's tokens under each of `models`; waits for the model.

        Raises
        ------
        FtError
            There is no such model, or it cannot be loaded.
        """
        chat = self._open()
        return {model: chat.token_losses(input_ids, which=cast("Which", model)) for model in models}

    def close(self) -> None:
        """End the model's process; what waits for it raises."""
        with self._lock:
            self._closed = True
            chat, self._chat = self._chat, None
        if chat is not None:
            chat.close()

    def _open(self) -> Chat:
        """Return the chat with what can be asked now; another one than before where the run has saved since."""
        source, _ = self._found()
        with self._lock:
            if self._closed:
                raise ModelError("The inspector is closed.", "Run its cell again.")
            # What failed once may have its memory or its file by now.
            outdated = self._opened != source or (self._chat and self._chat.status in ("failed", "closed"))
            if self._chat is not None and outdated:
                self._chat.close()
                self._chat = None
            if self._chat is None:
                self._chat, self._opened = Chat(source), source
            return self._chat

    def _found(self) -> tuple[Run | str, tuple[str, ...]]:
        """Return what to open, and the models that it has."""
        if self._run is not None:
            try:
                return self._run, find_source(self._run).choices
            except FtError:
                # It has saved nothing yet; what it tunes is there.
                pass
        return self._base_model, ("base",)
