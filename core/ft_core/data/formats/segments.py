"""``type: input_output``: pieces of text, each of which says whether it is trained; nothing is added to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ft_core.data.document import Chunk, Document, Format, Piece
from ft_core.data.formats.columns import flag_in, list_of, object_in, text_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format for the column ``segments``: a list of ``{text: ..., label: true or false}``."""

    def render(row: Mapping[str, Any]) -> Document:
        segments = list_of(row, "segments", "segments with text and label")
        return segments_document(segments, flag="label", train_on_inputs=config.train_on_inputs)

    return Format(fields=("segments",), render=render)


def segments_document(segments: Sequence[object], *, flag: str, train_on_inputs: bool) -> Document:
    """Return segments, each tokenised on its own.

    Parameters
    ----------
    segments
        Objects with ``text`` and with `flag`.
    flag
        The name of what says whether a segment is trained.
    train_on_inputs
        Whether all of them are.

    Raises
    ------
    DataError
        A segment is no object, or lacks its text or flag.
    """
    chunks: list[Chunk] = []
    for number, segment in enumerate(segments, 1):
        what = f"segment {number}"
        entry = object_in(segment, what.capitalize())
        text, given = text_in(entry, "text", what), flag_in(entry, flag, what)
        if train_on_inputs and not given:
            rule = f"trained: {what} (train_on_inputs is true)"
        else:
            rule = f"{'trained' if given else 'masked'}: {what} says {flag}: {str(given).lower()}"
        piece = Piece(0, len(text), "output" if given else "input", None, given or train_on_inputs, rule)
        chunks.append(Chunk(text, (piece,)))
    return Document(tuple(chunks))
