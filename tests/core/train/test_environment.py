"""CORRECTNESS 22: a run tells what it was made with, so that a default or a template that changed can be found."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from transformers import AutoTokenizer

from ft_core.config import Config
from ft_core.data.template import builtin_template
from ft_core.runs import Run
from ft_core.train.environment import template_digests, versions


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def test_versions() -> None:
    found = versions()
    assert found["python"] == platform.python_version()
    for name in ("ft-jupyter", "torch", "transformers", "tokenizers", "datasets", "peft", "accelerate"):
        assert found[name] == importlib.metadata.version(name)


def test_each_template_that_a_dataset_is_written_with(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_model)
    chat = {"path": str(tmp_path), "type": "chat_template"}
    text = {"path": str(tmp_path), "type": "completion"}
    config = make_config(datasets=[chat, {**chat, "chat_template": "chatml"}, text])
    own, chatml = template_digests(config, tokenizer).values()
    assert own == digest(tokenizer.chat_template)
    assert chatml == digest(builtin_template("chatml"))
    assert template_digests(make_config(datasets=[text]), tokenizer) == {}


def test_a_run_keeps_them_and_every_default(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    dictionary: Path,
) -> None:
    chats = [{"path": str(dictionary), "type": "chat_template", "chat_template": "chatml"}]
    run = train(make_config(datasets=chats, max_steps=1, sequence_len=128))
    [told] = events(run, "environment")
    assert told["versions"] == versions()
    assert list(told["chat_templates"].values()) == [digest(builtin_template("chatml"))]
    resolved = yaml.safe_load((run.directory / "resolved.yaml").read_text())
    # Neither is in the config that was given.
    assert (resolved["adam_beta2"], resolved["seed"], resolved["lora_alpha"]) == (0.999, 42, 8)
