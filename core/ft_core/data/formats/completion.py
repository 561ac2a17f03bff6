"""``type: completion`` and ``type: pretrain``: plain text, all of it trained; a long text becomes several samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.data.document import Chunk, Document, Format, Piece, Windows
from ft_core.data.formats.columns import kind_of
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset
    from ft_core.config.schema.dataset import PretrainingDataset

# How many tokens a window of `pretrain` repeats of the one before it, as in Axolotl.
_OVERLAP = 256


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format for the column ``field`` of `dataset`: windows that follow each other without a gap."""
    return _plain(dataset.field, "completion text", Windows())


def prepare_windows(
    config: Config,
    dataset: Dataset | PretrainingDataset,
    tokenizer: PreTrainedTokenizerBase,  # noqa: ARG001
) -> Format:
    """Return the format for ``text_column``: windows that overlap, each of which begins and ends as a text."""
    overlap = min(_OVERLAP, (config.sequence_len - 1) // 2)
    return _plain(dataset.text_column, "text", Windows(overlap, closed=True))


def _plain(column: str, what: str, windows: Windows) -> Format:
    def render(row: Mapping[str, Any]) -> Document:
        text: object = row.get(column)
        if text is None:
            text = ""
        if not isinstance(text, str):
            raise DataError(f"'{column}' must be text, not {kind_of(text)}.")
        piece = Piece(0, len(text), "text", None, True, f"trained: {what}")
        return Document((Chunk(text, (piece,), begins_text=True, ends_text=True),), windows)

    return Format(fields=(column,), render=render)
