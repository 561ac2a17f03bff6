from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from ft_core.config import Config
from ft_core.data import resolve_template
from ft_core.data.template import ChatTemplate, builtin_template, render
from ft_core.errors import DataError

HELLO = [{"role": "user", "content": "Hello."}]
DEFAULT_SYSTEM = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
)
ONE = "{{ 'one' }}"
TWO = "{{ 'two' }}"

MakeConfig = Callable[..., Config]


@pytest.mark.parametrize(
    ("of_dataset", "of_config", "text"),
    [
        ({}, {}, DEFAULT_SYSTEM + "<|im_start|>user\nHello.<|im_end|>\n"),
        ({}, {"chat_template": "chatml"}, "<|im_start|>user\nHello.<|im_end|>\n"),
        ({"chat_template": "chatml"}, {}, "<|im_start|>user\nHello.<|im_end|>\n"),
        ({}, {"chat_template": "jinja", "chat_template_jinja": ONE}, "one"),
        ({"chat_template": "jinja", "chat_template_jinja": TWO}, {"chat_template": "jinja", "chat_template_jinja": ONE},
         "two"),
        ({"chat_template": "tokenizer_default"}, {"chat_template": "jinja", "chat_template_jinja": ONE}, "one"),
        ({}, {"chat_template": "tokenizer_default_fallback_llama3"}, DEFAULT_SYSTEM + "<|im_start|>user\nHello.<|im_end|>\n"),
    ],
)  # fmt: skip
def test_the_dataset_goes_before_the_config_and_that_before_the_tokenizer(
    of_dataset: dict[str, str], of_config: dict[str, str], text: str, make_config: MakeConfig, tokenizer: Any
) -> None:
    config = make_config(of_dataset, **of_config)

    assert render(tokenizer, resolve_template(config, tokenizer, config.datasets[0]), HELLO) == text


def test_without_a_config_the_tokenizer_decides(tokenizer: Any) -> None:
    assert resolve_template(None, tokenizer) == ChatTemplate(tokenizer.chat_template, "the tokenizer")


def test_a_template_may_stand_in_a_file(tmp_path: Path, make_config: MakeConfig, tokenizer: Any) -> None:
    file = tmp_path / "mine.jinja"
    file.write_text(ONE)
    config = make_config(chat_template="jinja", chat_template_jinja=str(file))

    assert resolve_template(config, tokenizer) == ChatTemplate(ONE, "chat_template_jinja of the config")


def test_chatml_asks_for_the_assistant(make_config: MakeConfig, tokenizer: Any) -> None:
    template = resolve_template(make_config(chat_template="chatml"), tokenizer)

    assert render(tokenizer, template, HELLO, add_generation_prompt=True) == (
        "<|im_start|>user\nHello.<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_tokenizer_without_a_template_is_refused(make_config: MakeConfig) -> None:
    bare = PreTrainedTokenizerBase(name_or_path="some/base-model")

    with pytest.raises(DataError) as caught:
        resolve_template(make_config(), bare)

    assert caught.value.message == "The tokenizer 'some/base-model' has no chat template."
    assert "chat_template: chatml" in caught.value.fix


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ raise_exception('roles must alternate') }}", "roles must alternate"),
        ("{{ messages[0]['content'] + 1 }}", 'can only concatenate str (not "int") to str'),
        ("{{ messages[0].nothing.at.all }}", "'dict object' has no attribute 'nothing'"),
        ("{{ ''.__class__.__mro__ }}", "access to attribute '__class__' of 'str' object is unsafe."),
    ],
)
def test_a_refusal_of_the_template_is_a_sentence(text: str, reason: str, tokenizer: Any) -> None:
    with pytest.raises(DataError) as caught:
        render(tokenizer, ChatTemplate(text, "the config"), HELLO)

    assert caught.value.message == f"The chat template of the config refuses this conversation: {reason}"


@pytest.mark.parametrize("owner", ["dataset", "config"])
def test_a_fallback_is_used_where_the_tokenizer_has_no_template(owner: str, make_config: MakeConfig) -> None:
    keys = {"chat_template": "tokenizer_default_fallback_chatml"}
    config = make_config(keys if owner == "dataset" else {}, **(keys if owner == "config" else {}))
    bare = PreTrainedTokenizerBase(name_or_path="some/base-model")

    assert resolve_template(config, bare, config.datasets[0]) == ChatTemplate(
        builtin_template("chatml"), f"chat_template 'chatml' of the {owner}"
    )


def test_variables_reach_the_template(make_config: MakeConfig, tokenizer: Any) -> None:
    jinja = "{{ 'aloud' if loud else 'softly' }}"
    config = make_config(
        chat_template="jinja", chat_template_jinja=jinja, chat_template_kwargs={"loud": True}
    )

    assert render(tokenizer, resolve_template(config, tokenizer), HELLO) == "aloud"


@pytest.mark.parametrize("name", ["tools", "messages", "add_generation_prompt", "tokenize"])
def test_what_the_conversation_brings_is_no_variable(
    name: str, make_config: MakeConfig, tokenizer: Any
) -> None:
    with pytest.raises(DataError) as caught:
        resolve_template(make_config(chat_template_kwargs={name: True}), tokenizer)

    assert caught.value.message == f"chat_template_kwargs: '{name}' is not a variable of the template's own."


@pytest.mark.parametrize(
    ("messages", "text"),
    [
        ([], "<|im_start|>system\nBe kind.<|im_end|>\n"),
        (HELLO, "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nHello.<|im_end|>\n"),
        ([{"role": "system", "content": "Be."}], "<|im_start|>system\nBe.<|im_end|>\n"),
    ],
)
def test_a_default_system_message_stands_where_there_is_none(
    messages: list[Any], text: str, make_config: MakeConfig, tokenizer: Any
) -> None:
    config = make_config(chat_template="chatml", default_system_message="Be kind.")

    assert render(tokenizer, resolve_template(config, tokenizer), messages) == text
