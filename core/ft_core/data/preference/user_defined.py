"""A map in place of a type: which columns a row has, and how they become text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from string import Formatter
from typing import Any

from pydantic import ValidationError

from ft_core.config.problems import listed
from ft_core.config.schema.dataset_type import PromptFormat
from ft_core.data.preference.columns import read_system, read_text
from ft_core.data.preference.task import Example, Row, Task, Transform
from ft_core.errors import DataError

_COMMON_KEYS = ("field_system", "field_prompt", "prompt_format")
_KTO_KEYS = ("field_completion", "field_label", "completion_format")
_PAIR_KEYS = ("field_chosen", "field_rejected", "chosen_format", "rejected_format")


def prepare_user_defined(task: Task, spelled_out: PromptFormat | Mapping[str, Any]) -> Transform:
    """Return how rows become text by the map `spelled_out`.

    Raises
    ------
    DataError
        The map has a key that this method does not use, or a format a placeholder that nothing fills.
    """
    keys = _read_map(task, spelled_out)
    prompt_field = keys.field_prompt or "prompt"
    system_field = keys.field_system or "system"
    write_prompt = _compile(
        "prompt_format", keys.prompt_format, "prompt", prompt_field, "system", system_field
    )
    fields: dict[str, str] = {}
    writers: dict[str, Callable[[Mapping[str, str]], str]] = {}
    for name in task.responses:
        fields[name] = getattr(keys, f"field_{name}") or name
        key = f"{name}_format"
        writers[name] = _compile(key, getattr(keys, key), name, fields[name])

    def transform(row: Row) -> Example:
        asked, system = read_text(row, prompt_field), read_system(row, system_field)
        prompt = write_prompt({system_field: system, "system": system, prompt_field: asked, "prompt": asked})
        texts: list[str] = []
        for name in task.responses:
            answer = read_text(row, fields[name])
            texts.append(writers[name]({fields[name]: answer, name: answer}))
        return task.example(row, prompt, texts, label=keys.field_label or "label")

    return transform


def _read_map(task: Task, spelled_out: PromptFormat | Mapping[str, Any]) -> PromptFormat:
    """Return the map with its keys checked."""
    try:
        keys = (
            spelled_out
            if isinstance(spelled_out, PromptFormat)
            else PromptFormat.model_validate({key: item for key, item in spelled_out.items() if item})
        )
    except ValidationError as error:
        key = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
        raise DataError(
            f"The type of {task.dataset.path} is a map whose '{key}' is not understood.",
            f"Its keys are texts: {', '.join(_keys_of(task))}.",
        ) from error
    for key in keys.model_fields_set:
        if getattr(keys, key) is not None and key not in _keys_of(task):
            raise DataError(
                f"The type of {task.dataset.path} is a map with '{key}', which '{task.method}' does not use.",
                f"Use: {', '.join(_keys_of(task))}.",
            )
    return keys


def _keys_of(task: Task) -> tuple[str, ...]:
    return _COMMON_KEYS + (_KTO_KEYS if task.method == "kto" else _PAIR_KEYS)


def _compile(key: str, text: str | None, first: str, *others: str) -> Callable[[Mapping[str, str]], str]:
    """Return a function that fills the placeholders of a format, read by the rules of ``str.format``.

    Columns' text is never read as a format, so braces in it stay braces.
    """
    known = dict.fromkeys((first, *others))
    try:
        parts = list(Formatter().parse(text or f"{{{first}}}"))
    except ValueError as error:
        raise DataError(
            f"{key}: '{text}' is no format: {error}.", "Write a brace that stands for itself twice: {{ or }}."
        ) from error
    for _, name, spec, conversion in parts:
        if name is not None and (name not in known or spec or conversion):
            written = name + (f"!{conversion}" if conversion else "") + (f":{spec}" if spec else "")
            places = listed([f"{{{place}}}" for place in known])
            raise DataError(
                f"{key}: nothing is known for the placeholder {{{written}}}.",
                f"Use {places}; write a brace that stands for itself twice: {{{{ or }}}}.",
            )

    def write(values: Mapping[str, str]) -> str:
        return "".join(literal + (values[name] if name is not None else "") for literal, name, _, _ in parts)

    return write
