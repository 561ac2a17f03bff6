"""What the worker does with a request, once torch is loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from transformers.utils import logging

from ft_core.errors import ModelError
from ft_core.infer.generate import Settings, generate
from ft_core.infer.load import Models
from ft_core.infer.losses import token_losses
from ft_core.infer.protocol import Message, pack_floats
from ft_core.infer.source import Source

if TYPE_CHECKING:
    from ft_core.infer.worker import Inbox


class Answering:
    """The loaded models and the way back to the chat.

    Parameters
    ----------
    source, device
        What to load and where.
    inbox
        Knows which requests are cancelled.
    send
        Writes a message to the chat.
    """

    def __init__(
        self, source: Source, device: str | None, inbox: Inbox, send: Callable[[Message], None]
    ) -> None:
        logging.disable_progress_bar()
        self._models = Models(source, device)
        self._inbox = inbox
        self._send = send

    def answer(self, request: Message) -> None:
        """Do what a request asks for, and send what comes of it."""
        if request["type"] == "losses":
            self._measure(request)
        else:
            self._generate(request)

    def _measure(self, request: Message) -> None:
        """Send the losses of the tokens of a sample."""
        number = request["id"]
        losses = None
        try:
            if not self._inbox.cancelled(number):
                with self._models.using(request["which"]) as model:
                    losses = token_losses(
                        model, request["input_ids"], cancelled=lambda: self._inbox.cancelled(number)
                    )
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        if losses is None:
            raise ModelError("The losses are not wanted any more.", "Ask for them again.")
        self._send({"type": "losses", "id": number, "losses": pack_floats(losses)})

    def _generate(self, request: Message) -> None:
        """Generate one answer and send its pieces and its end."""
        number = request["id"]
        if self._inbox.cancelled(number):
            self._send({"type": "done", "id": number, "tokens": 0, "seconds": 0.0, "stopped": "cancelled"})
            return
        settings = Settings(
            temperature=request["temperature"],
            top_p=request["top_p"],
            max_new_tokens=request["max_new_tokens"],
            seed=request["seed"],
        )
        prompt = self._models.prompt(request["messages"])
        try:
            with self._models.using(request["which"]) as model:
                ending = generate(
                    model,
                    self._models.tokenizer,
                    prompt,
                    settings,
                    self._models.stop_ids(model),
                    emit=lambda text: self._send({"type": "text", "id": number, "text": text}),
                    cancelled=lambda: self._inbox.cancelled(number),
                )
        finally:
            if torch.cuda.is_available():
                torch.cuda.empty_cache()  # the cache of keys and values; a run may train beside this chat
        done = {"tokens": ending.tokens, "seconds": ending.seconds, "stopped": ending.stopped}
        self._send({"type": "done", "id": number, **done})
