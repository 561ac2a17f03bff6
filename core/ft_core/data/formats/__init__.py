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
        The options of the type do not fit the tokenizer, or a function that reads rows cannot be loaded.
    """
    if isinstance(dataset.type, PromptFormat):
        prepare = user_defined.prepare
    elif isinstance(dataset.type, FunctionSource):
        prepare = functions.prepare
    else:
        prepare = FORMATS.get(dataset.type, functions.prepare)
    return prepare(config, dataset, tokenizer)
