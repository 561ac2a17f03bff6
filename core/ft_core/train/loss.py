"""The one training loss: summed over target tokens, divided by all of them.

Dividing each micro-batch by its own count of targets and then averaging weighs a token by how few others share its
micro-batch, which trains another objective (https://github.com/huggingface/transformers/issues/34191). The divisor here
is the number of target tokens of the whole optimizer step: every accumulated micro-batch, on every rank.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it

from ft_core.data import IGNORE


def summed_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of every target token, summed, in fp32.

    Only the logits that predict a target are taken, so a masked token costs no memory here.

    Parameters
    ----------
    logits
        ``[batch, length, vocabulary]``; position ``i`` predicts token ``i + 1``.
    labels
        ``[batch, length]``, -100 where nothing is trained.
    """
    targets = F.pad(labels[:, 1:], (0, 1), value=IGNORE).flatten()
    # index_select and not a boolean mask: its backward adds whole rows, several times faster on a CPU.
    trained = (targets != IGNORE).nonzero().squeeze(1)
    predicted = logits.flatten(0, 1).index_select(0, trained)
    return F.cross_entropy(predicted.float(), targets[trained], reduction="sum")


def perplexity(loss: float) -> float:
    """Return e to the power of a mean loss: among how many tokens, all alike, the model would choose as badly.

    >>> round(perplexity(2.302585), 4), perplexity(1e9)
    (10.0, inf)
    """
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def count_targets(labels: torch.Tensor) -> torch.Tensor:
    """Return how many tokens of a batch are predicted and trained; the first of a row is predicted by none."""
    return (labels[:, 1:] != IGNORE).sum()


def count_tokens(batch: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """Return how many tokens of a batch are not padding.

    A row without a target is one of padding alone, which a rank takes where there is no row left for it.
    """
    if "document_ids" in batch:
        return (batch["document_ids"] > 0).sum()
    real = (batch["labels"] != IGNORE).any(dim=1)
    return batch["attention_mask"][real].sum()


def token_mean_loss(
    summed: torch.Tensor, labels: torch.Tensor, num_items_in_batch: torch.Tensor
) -> torch.Tensor:
    """Return a micro-batch's share of the step's loss, in the signature that ``Trainer`` calls.

    Parameters
    ----------
    summed
        The loss of every target token of the micro-batch, summed (`ft_core.train.targets`).
    labels
        ``[batch, length]``; what is in them is in `summed` already.
    num_items_in_batch
        Target tokens of the whole optimizer step, over all ranks.
    """
    del labels
    return summed / num_items_in_batch
