"""``type: stepwise_supervised``: an answer in steps, each of which is right or wrong.

The last token of what separates a step from the next has the step's label, 1 or 0, in place of a token to learn.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.data.document import TEMPLATE_ROLE, Chunk, Document, Format, Piece
from ft_core.data.formats.columns import kind_of, list_of, text_of
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format for the columns ``prompt``, ``completions`` and ``labels``."""
    bos = str(tokenizer.bos_token) if tokenizer.bos_token else ""
    separator = dataset.step_separator

    def render(row: Mapping[str, Any]) -> Document:
        prompt = text_of(row, "prompt")
        steps = list_of(row, "completions", "steps")
        labels = list_of(row, "labels", "true or false for each step")
        if len(steps) != len(labels):
            raise DataError(
                f"'labels' has {len(labels):,} entries and 'completions' {len(steps):,}; there must be one for each step."
            )
        chunks = [_masked(prompt, "prompt", None, "masked: prompt")]
        if bos and not prompt.startswith(bos):
            chunks.insert(0, _masked(bos, "prompt", None, "masked: start of text before the prompt"))
        for index, (step, label) in enumerate(zip(steps, labels, strict=True)):
            if not isinstance(step, str):
                raise DataError(f"Step {index + 1} of 'completions' must be text, not {kind_of(step)}.")
            if not isinstance(label, (bool, int)) or label not in (0, 1):
                raise DataError(f"Label {index + 1} of 'labels' must be true or false, not {kind_of(label)}.")
            judged = index + 1 == len(steps) or not dataset.train_on_last_step_only
            chunks.append(_masked(step, "step", index, f"masked: text of step {index + 1}"))
            chunks.append(_end_of_step(separator, index, bool(label), judged=judged))
        return Document(tuple(chunks))

    return Format(fields=("prompt", "completions", "labels"), render=render)


def _masked(text: str, role: str, turn: int | None, rule: str) -> Chunk:
    return Chunk(text, (Piece(0, len(text), role, turn, False, rule),))


def _end_of_step(separator: str, index: int, label: bool, *, judged: bool) -> Chunk:
    """Return what separates a step from the next; its last token has the label."""
    what = f"end of step {index + 1}"
    if not judged:
        return _masked(separator, "step", index, f"masked: {what} (train_on_last_step_only is true)")
    last = len(separator) - 1
    rule = f"trained: {what}, which is {'right' if label else 'wrong'} (label {int(label)})"
    # A token of the whole separator is the step's: text of the template gives way.
    before = Piece(0, last, TEMPLATE_ROLE, index, False, f"masked: {what}")
    return Chunk(separator, (before, Piece(last, last + 1, "step", index, True, rule, int(label))))
