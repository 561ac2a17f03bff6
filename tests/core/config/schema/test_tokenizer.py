"""What the keys of the tokenizer and the chat template accept."""

from __future__ import annotations

import pytest

from ft_core.config.schema.tokenizer import BUILTIN_TEMPLATES, PLANNED_TEMPLATES

TEMPLATE = (
    "use 'tokenizer_default' for the template that comes with the tokenizer, or give the template's text or file as "
    "chat_template_jinja"
)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("chat_template: chatml", "chatml"),
        ("chat_template: llama3", "llama3"),
        ("chat_template: tokenizer_default_fallback_llama3", "tokenizer_default_fallback_llama3"),
        ("eot_tokens: ['<|im_end|>']", ("<|im_end|>",)),
        ("tokens: ['<think>', '</think>']", ("<think>", "</think>")),
        ("added_tokens_overrides: {128041: <think>}", {128041: "<think>"}),
        ("chat_template_kwargs: {enable_thinking: false}", {"enable_thinking": False}),
        ("tokenizer_use_fast: false", False),
        ("default_system_message: You are kind", "You are kind"),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


def test_special_tokens(stored):
    assert stored("pad_token: <pad>", "special_tokens") == "<pad>"
    assert stored("additional_special_tokens: ['<tool>']", "special_tokens") == ("<tool>",)


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("chat_template: gemma4", "cannot be 'gemma4': it is not supported yet", TEMPLATE),
        (
            "chat_template: tokenizer_default_fallback_gemma4",
            "cannot be 'tokenizer_default_fallback_gemma4': it is not supported yet",
            TEMPLATE,
        ),
        (
            "chat_template: tokenizer_default_fallback_",
            "cannot be 'tokenizer_default_fallback_'; did you mean 'tokenizer_default'?",
            TEMPLATE,
        ),
        ("chat_template: chatlm", "cannot be 'chatlm'; did you mean 'chatml'?", TEMPLATE),
        ("chat_template: []", "cannot be a list", TEMPLATE),
        ("eot_tokens: [3]", "must hold text only, not 3", "put it in quotes"),
        ("added_tokens_overrides: {think: x}", "must map ids of tokens, and 'think' is none", ""),
        ("added_tokens_overrides: {128041: 3}", "must hold text only, not 3", "put it in quotes"),
        ("added_tokens_overrides: [x]", "must be a map of 'name: value' lines, not a list", ""),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


def test_every_template_of_axolotl_is_known():
    known = {*BUILTIN_TEMPLATES, *PLANNED_TEMPLATES}

    # Axolotl names 37 with tokenizer_default and jinja, and has a file for phi_4 that it does not name.
    assert len(known) == len(BUILTIN_TEMPLATES) + len(PLANNED_TEMPLATES) == 37 - 2 + 1


@pytest.mark.parametrize(
    ("line", "key", "fix"),
    [
        (
            "tokenizer_use_fast: true",
            "tokenizer_use_fast",
            "remove it: the tokenizer's own files say how it is loaded",
        ),
        (
            "tokenizer_use_mistral_common: true",
            "tokenizer_use_mistral_common",
            "remove it: Transformers' own is used",
        ),
    ],
)
def test_not_supported_yet(errors, required, line, key, fix):
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]
