"""How many logits the loss has at a time, and what they take. Torch-free, so that a plan can say it at once.

`ft_core.train.targets` is what computes so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ft_core.models.parameters import text_config

# 256 MiB of them in fp32: enough rows to fill a large GPU.
_AT_A_TIME = 2**26
# Each chunk adds to the gradient of the whole head where that trains, so there are fewer.
_AT_A_TIME_TRAINED = 2**28
# What a model does to the logits that its head made: Gemma 2 caps them, Cohere and Granite scale them.
_CHANGES = ("final_logit_softcapping", "logit_scale", "logits_scaling")
# Bytes that a logit takes, by the bytes of the compute format: as it is made, and its probability in fp32; a host turns one
# of 16 bits into fp32 first.
_CHUNK_BYTES = {2: 12, 4: 8}
# Where those of all targets are there at once: as the head makes them, changed, in fp32, and twice in the loss.
_SELECTED_BYTES = 16
# TRL's trainers make the logits of every position, in fp32, and work on those of answers.
_ALL_BYTES, _ANSWER_BYTES = 4, 8


def logits_at_a_time(*, head_trains: bool) -> int:
    """Return how many logits the loss makes before it is done with them."""
    return _AT_A_TIME_TRAINED if head_trains else _AT_A_TIME


def all_logit_bytes(vocabulary: int, tokens: int, targets: float) -> float:
    """Return the bytes that a loss on preferences takes, which has the logits of all `tokens` at once.

    >>> all_logit_bytes(vocabulary=100, tokens=10, targets=4.5)
    7600.0
    """
    return vocabulary * (tokens * _ALL_BYTES + targets * _ANSWER_BYTES)


def logit_bytes(
    model_config: Mapping[str, Any],
    *,
    vocabulary: int,
    hidden: int,
    targets: float,
    compute_bytes: int,
    head_trains: bool,
) -> float:
    """Return the bytes that the loss takes at its peak.

    Parameters
    ----------
    model_config
        The model's ``config.json``.
    vocabulary, hidden
        Logits of a position, and numbers of its hidden state.
    targets
        Positions of a micro-batch that predict a token that is trained.
    compute_bytes
        Bytes of the format that matrices are multiplied in.
    head_trains
        Whether the whole head does; its gradient is then taken with the loss, and added up over the chunks.
    """
    text = text_config(model_config)
    if any(text.get(key) not in (None, 1, 1.0) for key in _CHANGES):
        return targets * vocabulary * _SELECTED_BYTES
    rows = min(targets, max(1, logits_at_a_time(head_trains=head_trains) // vocabulary))
    states = 2 * targets * hidden * compute_bytes
    return (
        rows * vocabulary * _CHUNK_BYTES[compute_bytes]
        + states
        + head_trains * vocabulary * hidden * (8 + compute_bytes)
    )
