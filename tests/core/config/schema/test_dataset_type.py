"""The names of formats, and formats that a config spells out."""

from __future__ import annotations

import pytest
import yaml

from ft_core.config.schema.dataset_type import PromptFormat

TYPES = (
    "use 'chat_template' (conversations), 'alpaca' (instruction, input, output) or 'completion' (plain text)"
)


@pytest.mark.parametrize("name", ["chat_template", "alpaca", "completion"])
def test_accepted(stored, name):
    assert stored(f"type: {name}", "datasets") == name


@pytest.mark.parametrize(
    "name",
    [
        "alpaca:chat",
        "alpaca_chat.load_qa",
        "bradley_terry.chat_template",
        "chat_template.default",
        "chatml",
        "chatml.intel",
        "context_qa",
        "ebft_strided_structured.transform",
        "input_output",
        "llama3.prompt_pairs",
        "my_module.my_format",
        "pretrain",
        "stepwise_supervised",
        "zephyr.nectar",
    ],
)
def test_formats_of_axolotl_are_not_supported_yet(complaint, name):
    assert complaint(f"type: {name}", "datasets") == (f"cannot be '{name}': it is not supported yet", TYPES)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alpca", "cannot be 'alpca'; did you mean 'alpaca'?"),
        ("chat-template", "cannot be 'chat-template'; did you mean 'chat_template'?"),
        ("alpaca.", "cannot be 'alpaca.'; did you mean 'alpaca'?"),
        ("3", "cannot be 3"),
        ("[alpaca]", "cannot be a list"),
    ],
)
def test_other_names(complaint, name, message):
    assert complaint(f"type: {name}", "datasets") == (message, TYPES)


@pytest.mark.parametrize(
    ("written", "message", "fix"),
    [
        ("{field_instruction: q, field_output: a}", "cannot be a map: it is not supported yet", TYPES),
        (
            "{system_prompt: '', format: '{instruction}', field:}",
            "cannot be a map: it is not supported yet",
            TYPES,
        ),
        ("{field_prompt: q, chosen_format: '{chosen}'}", "cannot be a map: it is not supported yet", TYPES),
        ("{}", "cannot be a map: it is not supported yet", TYPES),
        ("{fild_output: a}", "cannot hold 'fild_output'; did you mean 'field_output'?", ""),
        ("{xyzzy: a}", "cannot hold 'xyzzy'", ""),
        (
            "{field_output: 3}",
            "is a map whose 'field_output' must be text, not 3",
            "put it in quotes if it is meant as text",
        ),
    ],
)
def test_a_format_that_is_spelled_out(complaint, written, message, fix):
    assert complaint(f"type: {written}", "datasets") == (message, fix)


def test_what_is_wrong_in_a_format_is_found_at_its_key(errors):
    text = "base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  type:\n    format: x\n    field_output: [a]\n"
    assert errors(text) == [(7, 19, "'type' is a map whose 'field_output' must be text, not a list", "")]


@pytest.mark.parametrize("key", PromptFormat.model_fields)
def test_every_key_of_a_format_is_explained_by_an_example(key):
    text, _, example = (PromptFormat.model_fields[key].description or "").partition("Example: ")
    assert text.rstrip().endswith(".")
    data = yaml.safe_load(example.removesuffix(".").strip("`"))
    assert list(data) == [key]
    assert PromptFormat.model_validate(data)
