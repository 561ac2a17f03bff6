"""A sample whose spans are arrays, as a file holds them: half the work for a set of a million rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ft_core.data.document import TEMPLATE_ROLE, Authors
from ft_core.data.sample import Sample, Span


@dataclass(frozen=True, eq=False)
class Labelled:
    """One sequence to train on, and its spans as arrays.

    Attributes
    ----------
    input_ids, labels, row, source, cut
        As in `Sample`.
    span_ends
        Where each span ends, in tokens; int32 of shape ``[spans]``. It begins where the one before it ends.
    span_owners
        For each span the index of its author; int32 of shape ``[spans]``.
    authors
        Whom the spans are of, and others maybe.
    text_lengths
        Characters of each span; int32 of shape ``[spans]``.
    text
        The texts of all spans, end to end.
    """

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    span_ends: NDArray[np.int32]
    span_owners: NDArray[np.int32]
    authors: Authors
    text_lengths: NDArray[np.int32]
    text: str
    row: int
    source: str
    cut: int = 0

    def __len__(self) -> int:
        return len(self.input_ids)

    def rules(self) -> set[str]:
        """Return the rules of the spans that somebody said."""
        authors = [self.authors.each[owner] for owner in set(self.span_owners.tolist())]
        return {author.rule for author in authors if author.role != TEMPLATE_ROLE}

    def sample(self) -> Sample:
        """Return the same with its spans as values."""
        spans: list[Span] = []
        start = position = 0
        columns = zip(
            self.span_ends.tolist(), self.span_owners.tolist(), self.text_lengths.tolist(), strict=True
        )
        for end, owner, length in columns:
            author = self.authors.each[owner]
            text = self.text[position : position + length]
            spans.append(Span(start, end, author.role, author.turn, author.trained, author.rule, text))
            start, position = end, position + length
        return Sample(self.input_ids, self.labels, tuple(spans), self.row, self.source, self.cut)
