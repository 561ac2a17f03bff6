"""What a row of a dataset holds: the names of the formats, formats that a config spells out, and functions of the user."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from string import Formatter
from typing import Annotated, Any

from pydantic import ValidationError

from ft_core.config.problems import did_you_mean, shown
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Text, names, rejected

_STYLED = ("alpaca", "explainchoice", "concisechoice", "summarizetldr", "jeopardy", "oasst", "gpteacher")
_STYLES = ("instruct", "chat", "chatml", "phi")

_LOADED = names(
    "alpaca_chat alpaca_instruct alpaca_w_system chat_template completion context_qa input_output llama2_chat metharme "
    "orcamini pygmalion stepwise_supervised"
)
"""Formats whose name Axolotl also takes with ``.load`` behind it."""

TYPES = (
    *names("chat_template alpaca completion"),
    *(f"{base}:{style}" for base in _STYLED for style in _STYLES),
    *_STYLED[1:],
    *(
        f"alpaca_chat{function}"
        for function in ("", ".load_concise", ".load_qa", ".load_camel_ai", ".load_no_prompt")
    ),
    *names("alpaca_instruct alpaca_instruct.load_no_prompt alpaca_w_system"),
    *(
        f"alpaca_w_system.load_{function}"
        for function in ("chat", "instruct", "open_orca", "open_orca_chatml")
    ),
    *names("context_qa context_qa.load_404 context_qa.load_v2 creative_acr.load_answer"),
    *names(
        "input_output llama2_chat messages metharme orcamini pretrain pygmalion reflection stepwise_supervised"
    ),
)
"""The formats that have a name."""

_BASES = frozenset(re.split(r"[.:]", name)[0] for name in TYPES)

_STYLED_PAIRS = tuple(
    f"{style}{variant}"
    for style in ("chatml", "llama3")
    for variant in ("", *names(".default .argilla .argilla_chat .icr .intel .prompt_pairs .ultra"))
)

PREFERENCE_TYPES = (
    *_STYLED_PAIRS,
    *names(
        "chat_template.default chat_template.argilla_chat chat_template.argilla passthrough zephyr.nectar"
    ),
    *(f"bradley_terry.{name}" for name in _STYLED_PAIRS),
    "bradley_terry.chat_template",
)
"""The formats of preference data that have a name, besides ``chat_template``."""

PLANNED_TYPES = names(
    "bradley_terry creative_acr.load_critique creative_acr.load_revise reflection:chat "
    "reflection:instruct synthetic _synthetic user_defined"
)
"""Formats of Axolotl that there are not."""

_PREFERENCE = r"(bradley_terry|chat_template|chatml|ebft_\w+|llama3|user_defined|zephyr)\.[\w.]+"
"""Functions of Axolotl that read preference data."""

FUNCTION = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+|.+\.py:[A-Za-z_]\w*"
"""A function in a module or in a file."""

_THEIR_TEXT = {
    **dict.fromkeys(("creative_acr.load_critique", "creative_acr.load_revise"), "its rubric"),
    **dict.fromkeys(("reflection:chat", "reflection:instruct"), "its system prompt"),
}
"""Formats whose prompt is a long text that Axolotl's authors wrote, and what of it."""

PREFERENCE_FORMAT_KEYS = names(
    "field_prompt field_chosen field_rejected field_completion field_label prompt_format chosen_format rejected_format "
    "completion_format"
)
"""Keys of a format that is spelled out for preference data."""

_PLACES = {
    "system_format": ("system",),
    "format": ("instruction", "input"),
    "no_input_format": ("instruction",),
}
"""What may stand in braces in the texts of a format that is spelled out."""


class PromptFormat(Topic):
    """A prompt in the config's own words: which columns a row has and how they become text.

    For instructions the keys are system_prompt, system_format, format, no_input_format and the fields of system,
    instruction, input and output. Preference data has prompt, chosen and rejected or completion and label in their place.
    """

    system_prompt: Annotated[str | None, Text()] = None
    """System prompt of rows that have none of their own. Example: ``system_prompt: You are a helpful assistant``."""

    system_format: Annotated[str | None, Text()] = None
    """How the system prompt is written; ``{system}`` stands for it. Default: as it is.
    Example: ``system_format: '{system}'``."""

    format: Annotated[str | None, Text()] = None
    """How a row with an input is written; ``{instruction}`` and ``{input}`` stand for its columns. Default: the two, with a
    space after each. Example: ``format: '[INST] {instruction} {input} [/INST]'``."""

    no_input_format: Annotated[str | None, Text()] = None
    """How a row without an input is written; ``{instruction}`` stands for its column. Default: the instruction and a space.
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


class FunctionSource(Topic):
    """A function that reads a row, as text."""

    python: Annotated[str, Text()]
    """Python code whose last function takes a row and returns what it becomes.
    Example: ``python: 'def ask(row): return row["q"], row["a"]'``."""

    @property
    def name(self) -> str:
        """The name of the function."""
        return function_names(self.python)[-1]


@dataclass(frozen=True)
class TypeChoice(Choice):
    """The name of a format, a map that spells one out, a function of the user, or nothing for rows of ids."""

    def check(self, value: object) -> Any:
        """Return the name, or the map."""
        if isinstance(value, dict):
            return _check_code(value) if "python" in value else _check_format(value)
        if not isinstance(value, str):
            return super().check(value)
        name = value.removesuffix(".load") if value.removesuffix(".load") in _LOADED else value
        if what := _THEIR_TEXT.get(name):
            raise rejected(
                f"cannot be {shown(name)}: {what} is a text of Axolotl's own",
                "write the format as a map, such as '{format: ..., field_output: revision}', or as a function",
            )
        if name == "" or (name not in self.options and is_function(name)):
            return name
        return super().check(name)

    @property
    def words(self) -> str:
        """What is accepted."""
        return "the name of a format, a map that spells one out, or a function"


def function_names(code: str) -> list[str]:
    """Return the names of the functions that Python code defines at its top level, in order.

    Raises
    ------
    SyntaxError, ValueError
        It is no Python code.
    """
    return [node.name for node in ast.parse(code).body if isinstance(node, ast.FunctionDef)]


def is_function(name: str) -> bool:
    """Whether the type `name` is a function of the user's.

    >>> is_function("my_module.my_function"), is_function("rows.py:chat"), is_function("alpaca:chat")
    (True, True, False)
    """
    known = (
        re.split(r"[.:]", name)[0] in _BASES
        or name in (*PLANNED_TYPES, *PREFERENCE_TYPES)
        or re.fullmatch(_PREFERENCE, name)
    )
    return not (known and ".py:" not in name) and re.fullmatch(FUNCTION, name) is not None


def _check_code(value: dict[str, Any]) -> dict[str, Any]:
    """Return the map of a function's code; raise where that is none."""
    fix = "write 'def ask(row): ...' under 'python: |'"
    for key in value:
        if key != "python":
            raise rejected(f"cannot hold {shown(key)} beside 'python'", "keep one of the two", key)
    code = value["python"]
    if not isinstance(code, str):
        raise rejected(f"is a map whose 'python' must be text, not {shown(code)}", fix, "python")
    try:
        found = function_names(code)
    except (SyntaxError, ValueError) as error:
        where = f" (line {error.lineno} of it)" if isinstance(error, SyntaxError) else ""
        said = error.msg if isinstance(error, SyntaxError) else str(error)
        raise rejected(f"is a map whose 'python' is no Python code: {said}{where}", fix, "python") from error
    if not found:
        raise rejected("is a map whose 'python' defines no function", fix, "python")
    return value


def _check_format(value: dict[str, Any]) -> dict[str, Any]:
    """Return the keys of a format that hold something; raise where `value` spells out none."""
    for key in value:
        if key not in PromptFormat.model_fields:
            guess = did_you_mean(key, PromptFormat.model_fields)
            raise rejected(f"cannot hold {shown(key)}{guess}", "", key)
    given = {key: item for key, item in value.items() if item not in (None, "")}
    try:
        PromptFormat.model_validate(given)
    except ValidationError as error:
        details = error.errors(include_url=False)[0]
        key = details["loc"][0]
        context = details.get("ctx", {})
        raise rejected(f"is a map whose '{key}' {context['message']}", context["fix"], key) from error
    if "field" in given:
        raise rejected(
            "is a map whose 'field' is not supported yet",
            f"write 'type: completion', and 'field: {given['field']}' beside it",
            "field",
        )
    for key, places in _PLACES.items():
        _check_places(key, given.get(key, ""), places)
    return given


def _check_places(key: str, text: str, places: tuple[str, ...]) -> None:
    """Raise where `text` names in braces what is not there."""
    fix = f"in braces may stand {' or '.join(places)}; write {{{{ and }}}} for braces that are text"
    try:
        found = [place for _, place, _, _ in Formatter().parse(text) if place is not None]
    except ValueError as error:
        raise rejected(f"is a map whose '{key}' has a brace too many or too few", fix, key) from error
    for place in found:
        if place not in places:
            raise rejected(f"is a map whose '{key}' cannot hold '{{{place}}}'", fix, key)


TYPE_CHOICE = TypeChoice(
    (*TYPES, *PREFERENCE_TYPES),
    PLANNED_TYPES,
    "use 'chat_template' (conversations), 'alpaca' (instruction, input, output), 'completion' (plain text) or another "
    "dataset format",
    planned_pattern=_PREFERENCE,
)
