"""What a row became: ids, labels, and the reason for each label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

IGNORE = -100
"""The label of a token that is not trained on: what PyTorch's cross entropy leaves out by default."""


@dataclass(frozen=True)
class Span:
    """Neighbouring tokens with one author and one reason for their labels.

    Attributes
    ----------
    start, end
        Token range ``[start, end)`` in the sample. The spans of a sample hold each of its tokens once, in order.
    role
        Who speaks (``user``, ``assistant``, ``prompt``, ``response``, ``text``), or ``template`` for what the chat
        template wrote around them.
    turn
        Which message this belongs to, counted from 0; None outside messages.
    trained
        Whether the labels are the ids (True) or -100; for what else they may be see `Sample.labels`.
    rule
        Why, in words, such as ``masked: role user is not in roles_to_train``.
    text
        The characters these tokens cover. A character that is cut by a span's edge is in both texts.
    """

    start: int
    end: int
    role: str
    turn: int | None
    trained: bool
    rule: str
    text: str


@dataclass(frozen=True, eq=False)
class Sample:
    """One sequence to train on, as the training step receives it.

    Attributes
    ----------
    input_ids
        Token ids, int32 of shape ``[n]``, read-only.
    labels
        For each token its id, or -100 where it is not trained on; int32 of shape ``[n]``, read-only. Of a row of
        ``stepwise_supervised`` it is the last token of each step that has a label, 1 for a right step and 0 for a wrong
        one. A row that came tokenized has the labels it came with.
    spans
        The reason for each label.
    row
        Which row of the source it came from, counted from 0.
    source
        The path of the dataset, as the config writes it.
    cut
        How many tokens were cut off its end to fit in sequence_len.
    """

    input_ids: NDArray[np.int32]
    labels: NDArray[np.int32]
    spans: tuple[Span, ...]
    row: int
    source: str
    cut: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_ids", _read_only(self.input_ids))
        object.__setattr__(self, "labels", _read_only(self.labels))

    def __len__(self) -> int:
        return len(self.input_ids)

    @property
    def trained(self) -> int:
        """How many tokens are trained on."""
        return int(np.count_nonzero(self.labels != IGNORE))


def _read_only(values: ArrayLike) -> NDArray[np.int32]:
    """Return an int32 view that cannot be written through; the caller's own array stays as it is."""
    view = np.asarray(values, dtype=np.int32).view()
    view.setflags(write=False)
    return view
