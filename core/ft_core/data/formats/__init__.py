"""The dataset types: each module turns a row of one kind into a `Document`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ft_core.config.schema.dataset_type import FunctionSource, PromptFormat
from ft_core.data.document import Format
from ft_core.data.formats import (
    chat_template,
    completion,
    dialogues,
    functions,
    instructions,
    messages,
    pretokenized,
    segments,
    stepwise,
    user_defined,
)
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

FORMATS = {
    **dict.fromkeys(instructions.RECIPES, instructions.prepare),
    "chat_template": chat_template.prepare,
    "completion": completion.prepare,
    "input_output": segments.prepare,
    "llama2_chat": dialogues.prepare_llama2,
    "messages": messages.prepare,
    "pretrain": completion.prepare_windows,
    "pygmalion": dialogues.prepare_pygmalion,
    "stepwise_supervised": stepwise.prepare,
    "": pretokenized.prepare,
}
"""By the name of the type."""


def resolve_format(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:
    """Return how rows of `dataset` are read, with everything settled that does not depend on the row.

    Raises
    ------
    DataError
        The options of the type do not fit the tokenizer, a function that reads rows cannot be loaded, or the rows are
        preferences (`ft_core.data.preference`).
    """
    if config.rl or config.reward_model:
        what = "reward_model: true" if config.reward_model else f"rl: {config.rl}"
        raise DataError(
            f"The rows of '{what}' are compared with each other, and cannot be inspected or prepared ahead yet.",
            "Start the run: it reads them, and tells what it leaves out.",
        )
    if isinstance(dataset.type, PromptFormat):
        prepare = user_defined.prepare
    elif isinstance(dataset.type, FunctionSource):
        prepare = functions.prepare
    else:
        prepare = FORMATS.get(dataset.type, functions.prepare)
    return prepare(config, dataset, tokenizer)
