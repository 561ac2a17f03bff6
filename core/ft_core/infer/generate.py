"""One answer, token by token, by Transformers' ``generate``."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import torch
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase, StoppingCriteria
from transformers.generation.streamers import BaseStreamer

from ft_core.errors import ModelError
from ft_core.infer.detokenize import Detokenizer
from ft_core.infer.stream import Stopped


@dataclass(frozen=True)
class Settings:
    """How to choose the tokens; the names and ranges of `ft_core.infer.Chat.stream`."""

    temperature: float
    top_p: float
    max_new_tokens: int
    seed: int | None


@dataclass(frozen=True)
class Ending:
    """How an answer ended: the tokens generated, the seconds it took, and why it stopped."""

    tokens: int
    seconds: float
    stopped: Stopped


def generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompt: list[int],
    settings: Settings,
    stop_ids: frozenset[int],
    *,
    emit: Callable[[str], None],
    cancelled: Callable[[], bool],
) -> Ending:
    """Generate an answer to `prompt` and hand its text to `emit` piece by piece.

    Parameters
    ----------
    model, tokenizer
        What generates.
    prompt
        Ids, ending where the answer begins.
    settings
        How to choose the tokens.
    stop_ids
        Ids that end a turn.
    emit
        Called with each piece of text; never with half a character.
    cancelled
        Asked after every token.

    Raises
    ------
    ModelError
        The prompt leaves no room for an answer.
    """
    started = time.monotonic()
    output = _Output(Detokenizer(tokenizer), stop_ids, emit)
    limit = min(settings.max_new_tokens, _room(model, len(prompt)))
    if settings.seed is None:
        torch.seed()
    else:
        torch.manual_seed(settings.seed)
    ids = torch.tensor([prompt], device=model.device)
    with torch.inference_mode():
        cast("Any", model).generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            generation_config=_generation_config(settings, limit, tokenizer, stop_ids),
            streamer=output,
            stopping_criteria=[_Cancelled(cancelled)],
        )
    if output.last in stop_ids:
        stopped: Stopped = "eos"
    else:
        stopped = "length" if output.tokens >= limit else "cancelled"
    return Ending(output.tokens, time.monotonic() - started, stopped)


class _Output(BaseStreamer):
    """Hears of every token and passes its text on."""

    def __init__(
        self, detokenizer: Detokenizer, stop_ids: frozenset[int], emit: Callable[[str], None]
    ) -> None:
        self.tokens = 0
        self.last = -1
        self._detokenizer = detokenizer
        self._stop_ids = stop_ids
        self._emit = emit
        self._prompt_seen = False

    def put(self, value: torch.Tensor) -> None:
        """Take the next token; the first call brings the prompt."""
        if not self._prompt_seen:
            self._prompt_seen = True
            return
        self.tokens += 1
        self.last = int(value.item())
        if self.last not in self._stop_ids and (text := self._detokenizer.add(self.last)):
            self._emit(text)

    def end(self) -> None:
        """Pass on what is left."""
        if text := self._detokenizer.finish():
            self._emit(text)


class _Cancelled(StoppingCriteria):
    """Ends the answer when the chat says so."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled

    def __call__(self, input_ids: torch.Tensor, scores: Any, **kwargs: Any) -> Any:
        del scores, kwargs
        return torch.full((input_ids.shape[0],), self._cancelled(), device=input_ids.device)


def _generation_config(
    settings: Settings, limit: int, tokenizer: PreTrainedTokenizerBase, stop_ids: frozenset[int]
) -> GenerationConfig:
    """Return settings for ``generate`` in which nothing is left to the model's own habits."""
    sampling: dict[str, Any] = {"do_sample": False}
    if settings.temperature > 0:
        sampling = {
            "do_sample": True,
            "temperature": settings.temperature,
            "top_p": settings.top_p,
            "top_k": 0,
        }
    stops = sorted(stop_ids)
    pad = tokenizer.pad_token_id
    return GenerationConfig(
        max_new_tokens=limit, eos_token_id=stops, pad_token_id=stops[0] if pad is None else pad, **sampling
    )


def _room(model: PreTrainedModel, prompt: int) -> int:
    """Return how many tokens fit behind a prompt of `prompt` tokens."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is None:
        return 1 << 30
    if prompt >= positions:
        raise ModelError(
            f"The conversation is {prompt:,} tokens long, and the model reads at most {positions:,}.",
            "Begin a new conversation, or shorten this one.",
        )
    return int(positions) - prompt
