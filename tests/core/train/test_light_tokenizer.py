from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data import resolve_template
from ft_core.data.template import render
from ft_core.models.tokenizer import load_tokenizer
from ft_core.train.light_tokenizer import LightTokenizer, read_tokenizer, turns

ROW = {
    "from": "there",
    "talk": [{"who": "human", "says": "Define love."}, {"who": "gpt", "says": "A temporary insanity."}, 3],
}
NAMES = {
    "type": "chat_template",
    "field_messages": "talk",
    "message_property_mappings": {"role": "who", "content": "says"},
}
MESSAGES = [
    {"role": "user", "content": "Define love."},
    {"role": "assistant", "content": "A temporary insanity."},
]


def light(folder: Path) -> LightTokenizer:
    tokenizer = read_tokenizer(folder)
    assert tokenizer is not None
    return tokenizer


@pytest.fixture
def chats(make_config: Callable[..., Config], rows: Path) -> Callable[..., Config]:
    """Return a function that makes a config on chats whose properties have names of their own."""

    def make(**keys: Any) -> Config:
        return make_config(datasets=[{"path": str(rows), **NAMES, **keys}])

    return make


def test_the_ids_are_those_of_the_real_tokenizer(
    make_config: Callable[..., Config], tiny_model: Path
) -> None:
    tokenizer = read_tokenizer(tiny_model)
    real: Any = load_tokenizer(make_config())
    texts = ["Define love.", "naïve 🦊\n", ""]
    assert tokenizer is not None
    assert tokenizer.ids(texts) == [real(text, add_special_tokens=False)["input_ids"] for text in texts]


@pytest.mark.parametrize("content", [None, "", "{}", "no json"])
def test_no_tokenizer(content: str | None, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "tokenizer.json").write_text(content)
    assert read_tokenizer(tmp_path) is None
    assert read_tokenizer(None) is None


@pytest.mark.parametrize(
    "keys", [{}, {"chat_template": "chatml"}, {"chat_template_jinja": "{{ messages[1]['content'] }}"}]
)
def test_a_chat_is_what_its_template_writes(
    keys: dict[str, Any], chats: Callable[..., Config], tiny_model: Path
) -> None:
    config = chats(**keys)
    (dataset,) = config.datasets
    tokenizer = load_tokenizer(config)
    expected = render(tokenizer, resolve_template(config, tokenizer, dataset), MESSAGES)
    assert turns(ROW, dataset) == [
        {"role": "human", "content": "Define love."},
        {"role": "gpt", "content": "A temporary insanity."},
    ]
    assert light(tiny_model).render_chat(ROW, dataset, config) == expected


@pytest.mark.parametrize(
    "template",
    [
        "{{ raise_exception('no') }}",
        "{% if %}",
        "{{ messages.__class__.__mro__[1].__subclasses__() }}",
        "{{ 1 + 'a' }}",
    ],
)
def test_a_template_that_cannot_be_rendered_here_writes_nothing(
    template: str, chats: Callable[..., Config], tiny_model: Path
) -> None:
    config = chats(chat_template_jinja=template)
    assert light(tiny_model).render_chat(ROW, config.datasets[0], config) == ""


def test_the_template_may_stand_in_the_tokenizers_settings(
    chats: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_model / "tokenizer.json", tmp_path)
    settings = {"chat_template": "{{ bos_token }}{{ messages[0]['role'] }}{{ eos_token }}", "bos_token": "<s>",
                "eos_token": {"content": "</s>"}}  # fmt: skip
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    config = chats()
    assert light(tmp_path).render_chat(ROW, config.datasets[0], config) == "<s>user</s>"
    (tmp_path / "tokenizer_config.json").write_text("[]")
    assert light(tmp_path).render_chat(ROW, config.datasets[0], config) == ""
