"""Samples to the tensors of a batch. The only module of the data path that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from ft_core.data.sample import IGNORE, Sample


@dataclass(frozen=True)
class Collator:
    """Lays samples of different length side by side, padded on the right.

    Padding is masked by each sample's length, never by looking for the padding id: where a model pads with its
    end-of-sequence token, the last token of an answer keeps its label, and the model learns to stop
    (https://github.com/huggingface/transformers/issues/23530).

    Attributes
    ----------
    pad_token_id
        The id that fills a row up.
    pad_to_multiple_of
        Rounds the batch's length up to a multiple of this many tokens.
    pad_to_sequence_len
        Makes every batch this many tokens long, or longer where a sample is.
    """

    pad_token_id: int
    pad_to_multiple_of: int | None = None
    pad_to_sequence_len: int | None = None

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return ``input_ids``, ``labels`` (-100 in the padding) and ``attention_mask``, int64 of ``[batch, length]``."""
        length = max(len(sample) for sample in samples)
        length = max(length, self.pad_to_sequence_len or 0)
        if self.pad_to_multiple_of:
            length = -(-length // self.pad_to_multiple_of) * self.pad_to_multiple_of
        shape = (len(samples), length)
        batch = {
            "input_ids": torch.full(shape, self.pad_token_id, dtype=torch.int64),
            "labels": torch.full(shape, IGNORE, dtype=torch.int64),
            "attention_mask": torch.zeros(shape, dtype=torch.int64),
        }
        for row, sample in enumerate(samples):
            size = len(sample)
            # as_tensor would share the read-only memory of the sample and warn; tensor copies.
            batch["input_ids"][row, :size] = torch.tensor(sample.input_ids)
            batch["labels"][row, :size] = torch.tensor(sample.labels)
            batch["attention_mask"][row, :size] = 1
        return batch
