"""``type: alpaca``: an instruction, an optional input, and the output to learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ft_core.data.document import Chunk, Document, Format, Piece

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

# The prompts of Stanford Alpaca (https://github.com/tatsu-lab/stanford_alpaca), which the datasets were made with.
_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Input:\n{input}\n\n### Response:\n"
)
_WITHOUT_INPUT = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
    "### Instruction:\n{instruction}\n\n### Response:\n"
)


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format; the prompt is trained on only where train_on_inputs says so."""

    def render(row: Mapping[str, Any]) -> Document:
        instruction, given, output = (_text(row.get(field)) for field in ("instruction", "input", "output"))
        prompt = (_WITH_INPUT if given else _WITHOUT_INPUT).format(instruction=instruction, input=given)
        return prompt_and_response(prompt, output, train_on_inputs=config.train_on_inputs)

    return Format(fields=("instruction", "output"), render=render)


def prompt_and_response(prompt: str, response: str, *, train_on_inputs: bool) -> Document:
    """Return a prompt and the response to it, tokenised apart as Axolotl does, so that no token crosses the border."""
    if train_on_inputs:
        asked = Piece(0, len(prompt), "prompt", None, True, "trained: prompt (train_on_inputs is true)")
    else:
        asked = Piece(0, len(prompt), "prompt", None, False, "masked: prompt (train_on_inputs is false)")
    answered = Piece(0, len(response), "response", None, True, "trained: response")
    return Document((Chunk(prompt, (asked,), begins_text=True), Chunk(response, (answered,), ends_text=True)))


def _text(value: object) -> str:
    """Return a column's value as text: a null is empty, a number is written out."""
    return "" if value is None else str(value)
