"""Whatever gives other samples gives another key, and nothing else does."""

from __future__ import annotations

import ast
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import ft_core
from ft_core.config import Config, Dataset
from ft_core.data import fingerprint
from ft_core.data.fingerprint import (
    CONFIG_KEYS,
    DATASET_ELSEWHERE,
    DATASET_KEYS,
    ELSEWHERE,
    LATER,
    samples_key,
    tokenizer_digest,
)

MakeConfig = Callable[..., Config]

DIGEST = cache(tokenizer_digest)


@pytest.fixture(autouse=True)
def cheap_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at a tokenizer once: hundreds of keys are asked for."""
    monkeypatch.setattr(fingerprint, "tokenizer_digest", DIGEST)


def key_of(config: Config, tokenizer: Any, content: str = "content") -> str:
    with warnings.catch_warnings():
        # Values that no config could hold are enough here.
        warnings.simplefilter("ignore")
        return samples_key(config, tokenizer, config.datasets[0], content)


def another(value: object) -> object:
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case dict():
            return {**value, "another": "value"}
        case tuple():
            return (*value, "another")
        case _:
            return f"another {value}"


@pytest.mark.parametrize("key", CONFIG_KEYS)
def test_a_key_that_matters(key: str, make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config()
    changed = config.model_copy(update={key: another(getattr(config, key))})
    assert key_of(changed, tokenizer) != key_of(config, tokenizer)


@pytest.mark.parametrize("key", sorted(set(Config.model_fields) - {*CONFIG_KEYS, *ELSEWHERE, "datasets"}))
def test_a_key_that_does_not_matter(key: str, make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config()
    changed = config.model_copy(update={key: another(getattr(config, key))})
    assert key_of(changed, tokenizer) == key_of(config, tokenizer)


@pytest.mark.parametrize("key", DATASET_KEYS)
def test_a_key_of_a_dataset_that_matters(key: str, make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config()
    entry = config.datasets[0]
    changed = entry.model_copy(update={key: another(getattr(entry, key))})
    assert key_of(config.model_copy(update={"datasets": (changed,)}), tokenizer) != key_of(config, tokenizer)


@pytest.mark.parametrize("keys", [{"path": "other/rows"}, {"data_files": ("a.jsonl",)}])
def test_where_the_rows_are_does_not_matter(
    keys: dict[str, Any], make_config: MakeConfig, tokenizer: Any
) -> None:
    config = make_config()
    changed = config.datasets[0].model_copy(update=keys)
    assert key_of(config.model_copy(update={"datasets": (changed,)}), tokenizer) == key_of(config, tokenizer)


def test_what_the_rows_are_matters(make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config()
    assert key_of(config, tokenizer, "one") != key_of(config, tokenizer, "two")


def test_the_seed_matters_where_rows_are_drawn_by_it(make_config: MakeConfig, tokenizer: Any) -> None:
    one, two = make_config(seed=1), make_config(seed=2)
    assert key_of(one, tokenizer) == key_of(two, tokenizer)
    drawn = [
        config.model_copy(update={"datasets": (config.datasets[0].model_copy(update={"weight": 0.5}),)})
        for config in (one, two)
    ]
    assert key_of(drawn[0], tokenizer) != key_of(drawn[1], tokenizer)


class TestTemplate:
    def test_its_text_matters_and_not_its_name(
        self, make_config: MakeConfig, tokenizer: Any, tmp_path: Path
    ) -> None:
        text = "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
        one, two = tmp_path / "one.jinja", tmp_path / "two.jinja"
        one.write_text(text)
        two.write_text(text)
        keys = [
            key_of(make_config(chat_template_jinja=given), tokenizer) for given in (text, str(one), str(two))
        ]
        assert len(set(keys)) == 1
        two.write_text(text + " ")
        assert key_of(make_config(chat_template_jinja=str(two)), tokenizer) != keys[0]

    def test_that_of_the_dataset_matters(self, make_config: MakeConfig, tokenizer: Any) -> None:
        names = ("chatml", "llama3")
        keys = [key_of(make_config({"chat_template": name}), tokenizer) for name in names]
        assert keys[0] != keys[1]
        assert keys == [key_of(make_config(chat_template=name), tokenizer) for name in names]


class TestTokenizer:
    def test_it_matters(self, make_config: MakeConfig, tokenizer: Any, demo_model: Path) -> None:
        changed = AutoTokenizer.from_pretrained(demo_model)
        changed.add_tokens(["<think>"])
        assert key_of(make_config(), changed) != key_of(make_config(), tokenizer)

    def test_it_is_the_same_when_it_is_loaded_again(self, tokenizer: Any, demo_model: Path) -> None:
        again = AutoTokenizer.from_pretrained(demo_model)
        again(["pad", "me now"], padding=True, truncation=True, max_length=2)
        assert tokenizer_digest(again) == tokenizer_digest(tokenizer)

    @pytest.mark.parametrize(
        "change",
        [
            lambda tokenizer: tokenizer.add_tokens(["<think>"]),
            lambda tokenizer: tokenizer.add_special_tokens({"eos_token": "<|endoftext|>"}),
            lambda tokenizer: setattr(tokenizer, "pad_token", "<|endoftext|>"),
            lambda tokenizer: setattr(tokenizer, "split_special_tokens", True),
        ],
    )
    def test_a_change_is_seen(self, change: Any, tokenizer: Any, demo_model: Path) -> None:
        changed = AutoTokenizer.from_pretrained(demo_model)
        change(changed)
        assert tokenizer_digest(changed) != tokenizer_digest(tokenizer)

    def test_it_is_the_same_in_another_process(self, tokenizer: Any, demo_model: Path) -> None:
        script = (
            "import sys; from transformers import AutoTokenizer; from ft_core.data.fingerprint import tokenizer_digest\n"
            "print(tokenizer_digest(AutoTokenizer.from_pretrained(sys.argv[1])))"
        )
        printed = subprocess.run(
            [sys.executable, "-c", script, str(demo_model)], capture_output=True, text=True, check=True
        )
        assert printed.stdout.strip() == tokenizer_digest(tokenizer)


@pytest.mark.parametrize("name", fingerprint.LIBRARIES)
def test_the_version_of_a_library_matters(
    name: str, make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    before = key_of(config, tokenizer)
    installed = fingerprint.metadata.version
    monkeypatch.setattr(
        fingerprint.metadata, "version", lambda asked: "0.0" if asked == name else installed(asked)
    )
    assert key_of(config, tokenizer) != before


def test_our_own_code_matters(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = make_config()
    before = key_of(config, tokenizer)
    monkeypatch.setattr(fingerprint, "code_digest", lambda: "of a later version")
    assert key_of(config, tokenizer) != before


def test_our_own_code_is_all_modules_and_templates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "__file__", str(tmp_path / "fingerprint.py"))
    (tmp_path / "templates").mkdir()
    digests: set[str] = set()
    for name, text in (
        ("a.py", "1"),
        ("a.py", "2"),
        ("b.py", "2"),
        ("templates/c.jinja", "3"),
        ("d.txt", "4"),
    ):
        (tmp_path / name).write_text(text)
        digests.add(fingerprint.code_digest.__wrapped__())
    assert len(digests) == 4


def test_the_lists_name_keys_that_there_are() -> None:
    assert set(LATER) | set(ELSEWHERE) <= set(Config.model_fields)
    assert set(DATASET_ELSEWHERE) <= set(Dataset.model_fields)


def test_what_makes_samples_reads_no_key_that_does_not_matter() -> None:
    """A key that the code of the formats begins to read must not be one of those that are left out."""
    folder = Path(ft_core.__file__).parent / "data"
    files = [
        *(folder / "formats").rglob("*.py"),
        *(folder / f"{name}.py" for name in ("tokenize", "given", "sieve")),
    ]
    read = {
        node.attr
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "config"
    }
    # By the last two a type is refused, and nothing is made otherwise.
    known = {*CONFIG_KEYS, *ELSEWHERE, "datasets", "rl", "reward_model"}
    assert read & set(Config.model_fields) <= known
    assert "sequence_len" in read
