"""Samples to the tensors of a batch. The only module of the data path that needs torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ft_core.data.packing_rows import assemble_pack
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
        """Return ``input_ids``, ``labels`` (-100 in the padding) and ``attention_mask``, int64 of ``[batch, length]``.

        Of no samples it makes one row of padding, which has a token that attends to itself and no target.
        """
        length = max((len(sample) for sample in samples), default=1)
        length = max(length, self.pad_to_sequence_len or 0)
        if self.pad_to_multiple_of:
            length = -(-length // self.pad_to_multiple_of) * self.pad_to_multiple_of
        shape = (max(len(samples), 1), length)
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
        if not samples:
            batch["attention_mask"][0, 0] = 1
        return batch


@dataclass(frozen=True)
class PackCollator:
    """Lays the samples of each row end to end (see `ft_core.data.packing_rows.assemble_pack`).

    Attributes
    ----------
    pad_token_id
        The id that fills a row up.
    length
        Makes every row this many tokens long, or as long as the longest of the batch where that is longer.
    """

    pad_token_id: int
    length: int = 0

    def __call__(self, rows: Sequence[Sequence[Sample]]) -> dict[str, torch.Tensor]:
        """Return ``input_ids``, ``labels``, ``position_ids`` and ``document_ids``, int64 of ``[rows, length]``.

        Of no rows it makes one of padding. There is no attention_mask: it would let documents see each other.
        """
        filled = rows or [()]
        length = max(self.length, 1, *(sum(map(len, row)) for row in filled))
        packs = [
            assemble_pack(row, range(len(row)), pad_token_id=self.pad_token_id, length=length)
            for row in filled
        ]
        return {
            name: torch.from_numpy(np.stack([getattr(pack, name) for pack in packs]).astype(np.int64))
            for name in ("input_ids", "labels", "position_ids", "document_ids")
        }


@dataclass(frozen=True)
class FlatCollator:
    """Lays all samples of a batch end to end in one row, as `PackCollator` does."""

    packs: PackCollator

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return the tensors of `PackCollator`, of ``[1, length]``."""
        return self.packs([samples])


def document_mask(document_ids: torch.Tensor) -> torch.Tensor:
    """Return an additive mask in which a token sees those before it in its own document; fp32 of ``[rows, 1, n, n]``.

    >>> document_mask(torch.tensor([[1, 1, 2]]))[0, 0].tolist()
    [[0.0, -inf, -inf], [0.0, 0.0, -inf], [-inf, -inf, 0.0]]
    """
    same = document_ids[:, :, None] == document_ids[:, None, :]
    seen = same.tril()[:, None]
    return torch.zeros(seen.shape, device=seen.device).masked_fill(~seen, float("-inf"))
