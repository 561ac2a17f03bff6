"""What a row of a dataset holds: the names of the formats, and formats that a config spells out itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import ValidationError

from ft_core.config.problems import did_you_mean, shown
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Text, names, rejected

DatasetType = Literal["chat_template", "alpaca", "completion"]

PLANNED_TYPES = names(
    "alpaca_chat alpaca_instruct alpaca_w_system bradley_terry chatml concisechoice context_qa creative_acr "
    "explainchoice gpteacher input_output jeopardy llama2_chat llama3 messages metharme oasst orcamini "
    "passthrough pretrain pygmalion reflection stepwise_supervised summarizetldr synthetic _synthetic user_defined"
)
"""Formats of Axolotl; a style or a function may follow, as in ``alpaca:chat`` and ``chatml.intel``."""


class PromptFormat(Topic):
    """A prompt in the config's own words: which columns a row has and how they become text.

    For instructions the keys are system_prompt, system_format, format, no_input_format and the fields of instruction,
    input and output; preference data has prompt, chosen and rejected or completion and label in their place.
    """

    system_prompt: Annotated[str | None, Text()] = None
    """System prompt of rows that have none of their own. Example: ``system_prompt: You are a helpful assistant``."""

    system_format: Annotated[str | None, Text()] = None
    """How the system prompt is written; ``{system}`` stands for it. Example: ``system_format: '{system}'``."""

    format: Annotated[str | None, Text()] = None
    """How a row with an input is written; ``{instruction}`` and ``{input}`` stand for its columns.
    Example: ``format: '[INST] {instruction} {input} [/INST]'``."""

    no_input_format: Annotated[str | None, Text()] = None
    """How a row without an input is written; ``{instruction}`` stands for its column.
    Example: ``no_input_format: '[INST] {instruction} [/INST]'``."""

    field: Annotated[str | None, Text()] = None
    """In older configs: the column with text that is a whole sample. Example: ``field: text``."""

    field_system: Annotated[str | None, Text()] = None
    """The column with the system prompt. Default: system. Example: ``field_system: context``."""

    field_instruction: Annotated[str | None, Text()] = None
    """The column with the instruction. Default: instruction. Example: ``field_instruction: question``."""

    field_input: Annotated[str | None, Text()] = None
    """The column with further input. Default: input. Example: ``field_input: article``."""

    field_output: Annotated[str | None, Text()] = None
    """The column with the answer, which is trained on. Default: output. Example: ``field_output: answer``."""

    field_prompt: Annotated[str | None, Text()] = None
    """For preference data: the column with the prompt. Default: prompt. Example: ``field_prompt: question``."""

    field_chosen: Annotated[str | None, Text()] = None
    """For preference data: the column with the better answer. Default: chosen. Example: ``field_chosen: winner``."""

    field_rejected: Annotated[str | None, Text()] = None
    """For preference data: the column with the worse answer. Default: rejected. Example: ``field_rejected: loser``."""

    field_completion: Annotated[str | None, Text()] = None
    """For KTO: the column with the answer. Default: completion. Example: ``field_completion: answer``."""

    field_label: Annotated[str | None, Text()] = None
    """For KTO: the column that says, true or false, whether the answer is a good one. Default: label.
    Example: ``field_label: good``."""

    prompt_format: Annotated[str | None, Text()] = None
    """For preference data: how the prompt is written; ``{prompt}`` and ``{system}`` stand for its columns.
    Example: ``prompt_format: '[INST] {prompt} [/INST]'``."""

    chosen_format: Annotated[str | None, Text()] = None
    """For preference data: how the better answer is written. Example: ``chosen_format: '{chosen}</s>'``."""

    rejected_format: Annotated[str | None, Text()] = None
    """For preference data: how the worse answer is written. Example: ``rejected_format: '{rejected}</s>'``."""

    completion_format: Annotated[str | None, Text()] = None
    """For KTO: how the answer is written. Example: ``completion_format: '{completion}</s>'``."""


@dataclass(frozen=True)
class TypeChoice(Choice):
    """The name of a format; a map that spells one out is understood, and not supported yet."""

    def check(self, value: object) -> str | bool:
        """Return the name."""
        if isinstance(value, dict):
            _check_format(value)
            raise rejected("cannot be a map: it is not supported yet", self.fix)
        return super().check(value)


def _check_format(value: dict[str, Any]) -> None:
    """Raise where `value` spells out no format."""
    for key in value:
        if key not in PromptFormat.model_fields:
            guess = did_you_mean(key, PromptFormat.model_fields)
            raise rejected(f"cannot hold {shown(key)}{guess}", "", key)
    try:
        PromptFormat.model_validate({key: item for key, item in value.items() if item not in (None, "")})
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        key = details["loc"][0]
        context = details.get("ctx", {})
        raise rejected(f"is a map whose '{key}' {context['message']}", context["fix"], key) from error


TYPE_CHOICE = TypeChoice(
    get_args(DatasetType),
    PLANNED_TYPES,
    "use 'chat_template' (conversations), 'alpaca' (instruction, input, output) or 'completion' (plain text)",
    planned_pattern=r"[\w-]+([.:][\w-]+)+",
)
