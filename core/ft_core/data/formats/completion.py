"""``type: completion``: plain text, all of it trained; a long text becomes several samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.data.document import Chunk, Document, Format, Piece
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format for the column ``field`` of `dataset`."""

    def render(row: Mapping[str, Any]) -> Document:
        text: object = row.get(dataset.field)
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise DataError(f"'{dataset.field}' must be text, not {type(text).__name__}.")
        piece = Piece(0, len(text), "text", None, True, "trained: completion text")
        return Document((Chunk(text, (piece,), begins_text=True, ends_text=True),), in_windows=True)

    return Format(fields=(dataset.field,), render=render)
