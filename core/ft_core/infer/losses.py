"""How well a model foresees each token of a sample: the loss of every one, as training computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from numpy.typing import NDArray
from transformers import PreTrainedModel

from ft_core.errors import ModelError
from ft_core.models.attention import STATEFUL

LOGITS = 2**26
"""Logits that are held at once, 256 MB in fp32; those of all tokens of a long sample would not fit into memory."""


def token_losses(
    model: PreTrainedModel, input_ids: Sequence[int], *, cancelled: Callable[[], bool]
) -> NDArray[np.float32] | None:
    """Return the loss of each token in nats, whether it is trained on or not; None where it was cancelled.

    Parameters
    ----------
    model
        What foresees the tokens.
    input_ids
        The sample, as one document.
    cancelled
        Asked after every part of it.

    Returns
    -------
        fp32 of shape ``[n]``; NaN for the first token, which nothing comes before.

    Raises
    ------
    ModelError
        The sample is longer than the model reads, or holds an id that is not in its vocabulary.
    """
    losses = np.full(len(input_ids), np.nan, np.float32)
    if len(input_ids) < 2:
        return losses
    _require_fit(model, input_ids)
    ids = torch.tensor([list(input_ids)], device=model.device)
    with torch.inference_mode():
        for start, logits in _logits(model, ids):
            if cancelled():
                return None
            targets = ids[0, start + 1 : start + 1 + logits.shape[0]]
            found = F.cross_entropy(logits[: len(targets)].float(), targets, reduction="none")
            losses[start + 1 : start + 1 + len(targets)] = found.cpu().numpy()
    return losses


def _logits(model: PreTrainedModel, ids: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
    """Yield the logits of one part of the tokens after the other, ``[part, vocabulary]``, each with where it begins."""
    caller = cast("Any", model)
    part = max(1, LOGITS // _vocabulary(model))
    starts = range(0, ids.shape[1], part)
    if len(starts) > 1 and str(model.config.get_text_config().model_type) in STATEFUL:
        # What these carry from token to token is not to be had in the middle of a sample, so it is read again for each
        # part.
        for start in starts:
            kept = torch.arange(start, min(start + part, ids.shape[1]), device=ids.device)
            yield start, caller(input_ids=ids, use_cache=False, logits_to_keep=kept).logits[0]
        return
    cache = None
    for start in starts:
        output = caller(
            input_ids=ids[:, start : start + part], past_key_values=cache, use_cache=len(starts) > 1
        )
        cache = output.past_key_values if len(starts) > 1 else None
        yield start, output.logits[0]


def _require_fit(model: PreTrainedModel, input_ids: Sequence[int]) -> None:
    """Raise where the model cannot read the sample."""
    positions = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if positions is not None and len(input_ids) > positions:
        raise ModelError(
            f"The sample is {len(input_ids):,} tokens long, and the model reads at most {positions:,}.",
            "Look at a shorter sample.",
        )
    size = _vocabulary(model)
    # On a GPU it would end the process.
    if wrong := next((token for token in input_ids if not 0 <= token < size), None):
        raise ModelError(
            f"The sample holds the id {wrong:,}, and the model's vocabulary has {size:,} tokens.",
            "Use the model that belongs to the tokenizer.",
        )


def _vocabulary(model: PreTrainedModel) -> int:
    return int(cast("Any", model.get_input_embeddings()).weight.shape[0])
