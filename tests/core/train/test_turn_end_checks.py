"""A model that never learns to end its turn is told of in the plan, before transformers is imported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data import resolve_template
from ft_core.data.formats.turn_ends import resolve_turn_ends
from ft_core.models.tokenizer import load_tokenizer
from ft_core.train.light_tokenizer import read_tokenizer
from ft_core.train.turn_end_checks import check_turn_ends

SILENT = "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|endoftext|>{% endfor %}"
"""A template that ends a turn with a token which is not SmolLM2's EOS token."""

NEVER = "The chat template never writes '<|im_end|>', so the model does not learn to end its turn"


@pytest.fixture
def told(make_config: Callable[..., Config], rows: Path, tiny_model: Path) -> Callable[..., list[Any]]:
    """Return what is told of a config with chats, each as key, message, fix and severity."""

    def tell(folder: Path = tiny_model, **keys: Any) -> list[Any]:
        config = make_config(**{"datasets": [{"path": str(rows), "type": "chat_template"}], **keys})
        tokenizer = read_tokenizer(folder)
        assert tokenizer is not None
        return [(it.key, it.message, it.fix, it.severity) for it in check_turn_ends(config, tokenizer)]

    return tell


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, []),
        ({"chat_template": "chatml"}, []),
        (
            {"chat_template_jinja": SILENT},
            [("datasets[0].type", NEVER, "set eot_tokens to ['<|endoftext|>']", "warning")],
        ),
        ({"chat_template_jinja": SILENT, "eot_tokens": ["<|endoftext|>"]}, []),
        ({"chat_template_jinja": SILENT, "special_tokens": {"eos_token": "<|endoftext|>"}}, []),
        (
            {"eot_tokens": ["<|endoftext|>", "<|im_end|>"]},
            [
                (
                    "eot_tokens",
                    "eot_tokens: the chat template never writes '<|endoftext|>', so it is left out",
                    "",
                    "warning",
                )
            ],
        ),
        (
            {"chat_template_jinja": SILENT + "two words", "eot_tokens": ["two words"]},
            [
                (
                    "eot_tokens",
                    "eot_tokens: 'two words' is 2 tokens for this tokenizer, not one",
                    "Name a token that its vocabulary holds whole.",
                    "error",
                )
            ],
        ),
    ],
)
def test_what_the_files_tell(
    told: Callable[..., list[Any]], keys: dict[str, Any], expected: list[Any]
) -> None:
    assert told(**keys) == expected


def test_each_template_is_told_of_once(told: Callable[..., list[Any]], rows: Path) -> None:
    entry = {"path": str(rows), "type": "chat_template", "chat_template_jinja": SILENT}
    found = told(datasets=[entry, {**entry, "split": "train[:1]"}, {"path": str(rows), "type": "completion"}])
    assert [key for key, *_ in found] == ["datasets[0].type"]


def test_a_tokenizer_without_a_template(
    told: Callable[..., list[Any]], tiny_model: Path, tmp_path: Path
) -> None:
    shutil.copy(tiny_model / "tokenizer.json", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"eos_token": {"content": "<|im_end|>"}}))
    assert told(tmp_path) == [
        (
            "datasets[0].type",
            f"The tokenizer '{tmp_path}' has no chat template",
            "Choose one, such as chat_template: chatml, or give its text as chat_template_jinja.",
            "error",
        )
    ]


def test_the_real_tokenizer_is_told_the_same(
    told: Callable[..., list[Any]], make_config: Callable[..., Config], rows: Path
) -> None:
    config = make_config(datasets=[{"path": str(rows), "type": "chat_template"}], chat_template_jinja=SILENT)
    tokenizer = load_tokenizer(config)
    template = resolve_template(config, tokenizer, config.datasets[0])
    ends = resolve_turn_ends(config, config.datasets[0], tokenizer, template)
    ((_, message, fix, _),) = told(chat_template_jinja=SILENT)
    assert ends.warnings == (f"{message}; {fix}.",)


def test_neither_torch_nor_transformers_is_imported() -> None:
    code = "import sys, ft_core.train.turn_end_checks; print({'torch', 'transformers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
