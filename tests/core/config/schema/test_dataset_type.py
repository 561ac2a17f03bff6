"""The names of formats, and formats that a config spells out."""

from __future__ import annotations

import pytest
import yaml

from ft_core.config import load_config
from ft_core.config.schema.dataset_type import TYPES, PromptFormat, is_function

ADVICE = (
    "use 'chat_template' (conversations), 'alpaca' (instruction, input, output), 'completion' (plain text) or another "
    "dataset format"
)


@pytest.mark.parametrize("name", TYPES)
def test_named_formats(stored, name):
    assert stored(f"type: {name}", "datasets") == name


@pytest.mark.parametrize(
    "name", ["alpaca_chat", "alpaca_w_system", "chat_template", "completion", "context_qa", "metharme"]
)
def test_load_may_follow_the_name(stored, name):
    assert stored(f"type: {name}.load", "datasets") == name


@pytest.mark.parametrize(
    "name", ["my_module.my_format", "a.b.c", "rows.py:chat", "some folder/rows.py:chat", "messages.py:chat"]
)
def test_functions(stored, name):
    assert stored(f"type: {name}", "datasets") == name
    assert is_function(name)


@pytest.mark.parametrize(
    "name",
    [
        "bradley_terry",
        "chat_template.transform",
        "ebft_strided_structured.transform",
        "user_defined.default",
    ],
)
def test_formats_of_axolotl_that_are_not_supported_yet(complaint, name):
    assert complaint(f"type: {name}", "datasets") == (f"cannot be '{name}': it is not supported yet", ADVICE)


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("creative_acr.load_critique", "its rubric"),
        ("creative_acr.load_revise", "its rubric"),
        ("reflection:chat", "its system prompt"),
        ("reflection:instruct", "its system prompt"),
    ],
)
def test_formats_whose_text_is_axolotls_own(complaint, name, what):
    fix = "write the format as a map, such as '{format: ..., field_output: revision}', or as a function"
    message = f"cannot be '{name}': {what} is a text of Axolotl's own"
    assert complaint(f"type: {name}", "datasets") == (message, fix)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("alpca", "cannot be 'alpca'; did you mean 'alpaca'?"),
        ("chat-template", "cannot be 'chat-template'; did you mean 'chat_template'?"),
        ("alpaca.", "cannot be 'alpaca.'; did you mean 'alpaca'?"),
        ("alpaca:chta", "cannot be 'alpaca:chta'; did you mean 'alpaca:chat' or 'alpaca:chatml'?"),
        (
            "context_qa.load_v3",
            "cannot be 'context_qa.load_v3'; did you mean 'context_qa.load_v2' or 'context_qa.load_404'?",
        ),
        ("3", "cannot be 3"),
        ("[alpaca]", "cannot be a list"),
    ],
)
def test_other_names(complaint, name, message):
    assert complaint(f"type: {name}", "datasets") == (message, ADVICE)


@pytest.mark.parametrize("written", ["", "''", "null", "~"])
def test_an_empty_type_means_rows_that_are_tokenized(written):
    config = load_config(
        f"base_model: a/b\nlearning_rate: 1\ndatasets: [{{path: a/b, type: {written}}}]\n", check_paths=False
    )
    assert config.datasets[0].type == ""
    assert load_config(config.to_yaml()) == config


def test_a_type_that_is_not_there_was_forgotten(errors):
    text = "base_model: a/b\nlearning_rate: 1\ndatasets: [{path: a/b}]\n"
    assert [message for _, _, message, _ in errors(text)] == ["'datasets[0]' has no 'type'"]


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("{}", {}),
        ("{field_instruction: q, field_output: a}", {"field_instruction": "q", "field_output": "a"}),
        ("{system_prompt: '', format: '{instruction}', field:}", {"format": "{instruction}"}),
        ('{format: \'{{"ask": "{instruction}"}}\'}', {"format": '{{"ask": "{instruction}"}}'}),
    ],
)
def test_a_format_that_is_spelled_out(written, kept):
    config = load_config(
        f"base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  type: {written}\n", check_paths=False
    )
    assert config.datasets[0].type == PromptFormat(**kept)
    assert load_config(config.to_yaml()) == config


PLACES = "; write {{ and }} for braces that are text"


@pytest.mark.parametrize(
    ("written", "message", "fix"),
    [
        (
            "{field: body}",
            "is a map whose 'field' is not supported yet",
            "write 'type: completion', and 'field: body' beside it",
        ),
        ("{fild_output: a}", "cannot hold 'fild_output'; did you mean 'field_output'?", ""),
        ("{xyzzy: a}", "cannot hold 'xyzzy'", ""),
        (
            "{field_output: 3}",
            "is a map whose 'field_output' must be text, not 3",
            "put it in quotes if it is meant as text",
        ),
        (
            "{format: '{question}'}",
            "is a map whose 'format' cannot hold '{question}'",
            "in braces may stand instruction or input" + PLACES,
        ),
        (
            "{no_input_format: '{instruction} {input}'}",
            "is a map whose 'no_input_format' cannot hold '{input}'",
            "in braces may stand instruction" + PLACES,
        ),
        (
            "{system_format: '{'}",
            "is a map whose 'system_format' has a brace too many or too few",
            "in braces may stand system" + PLACES,
        ),
    ],
)
def test_what_is_wrong_in_a_format(complaint, written, message, fix):
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
