"""A type that the config spells out: which columns a row has, and how they become a prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from ft_core.data.document import Document, Format
from ft_core.data.formats.columns import text_of
from ft_core.data.formats.instructions import prompt_and_response
from ft_core.data.formats.styles import Style, write_prompt

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset
    from ft_core.config.schema.dataset_type import PromptFormat


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format; a row's own system prompt wins over the config's."""
    form = cast("PromptFormat", dataset.type)
    style = Style(
        form.format or "{instruction} {input} ",
        form.no_input_format or "{instruction} ",
        form.system_format or "{system}",
    )
    instruction, output = form.field_instruction or "instruction", form.field_output or "output"
    given, system = form.field_input or "input", form.field_system or "system"

    def render(row: Mapping[str, Any]) -> Document:
        own = (form.system_prompt or "") if row.get(system) is None else text_of(row, system)
        prompt = write_prompt(style, text_of(row, instruction), text_of(row, given), own)
        return prompt_and_response(prompt, text_of(row, output), train_on_inputs=config.train_on_inputs)

    return Format(fields=(instruction, output), render=render)
