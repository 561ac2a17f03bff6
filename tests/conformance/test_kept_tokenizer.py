"""A kept tokenizer makes the same samples as the one it stands for, and asks it only where a conversation is not plain."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft_core.config import load_config
from ft_core.data import Sample, read_rows, tokenize_rows
from ft_core.data.template import ChatTemplate, builtin_template, render
from ft_core.errors import DataError
from ft_core.models.kept_tokenizer import KeptTokenizer, facts_to_keep

NAMES = ("smollm2", "qwen3", "llama3_1", "gemma3", "deepseek_v3")
CASES = [
    json.loads(line) for line in Path(__file__).with_name("sft_tokenization.jsonl").read_text().splitlines()
]
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}
CALL = {"type": "function", "function": {"name": "look", "arguments": {"for": 'é "x" <b>', "n": 1}}}
PLAIN = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": " Why\n"},
    {"role": "assistant", "content": "So."},
]
CALLS = [
    *PLAIN,
    {"role": "user", "content": "a"},
    {"role": "assistant", "content": "b", "tool_calls": [CALL]},
]
THOUGHT = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "hm"}]
NOTHING = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "tool_calls": None}]
TEXTS = ["", " a", "  The  quick\n\n fox\t1234 é日本🦎", "<|im_start|>user\n<|im_end|></s><eos>", "x" * 3000]


class Counted:
    """Gives the real tokenizer, and counts how often."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.loads = tokenizer, 0

    def __call__(self) -> Any:
        self.loads += 1
        return self.tokenizer


@pytest.fixture(scope="session")
def kept_facts(real_tokenizer: Callable[[str], Any]) -> Callable[[str], dict[str, Any]]:
    """Return a function that returns what is kept of a real tokenizer, through JSON as a file has it."""

    @cache
    def keep(name: str) -> dict[str, Any]:
        return json.loads(json.dumps(facts_to_keep(real_tokenizer(name)), ensure_ascii=False))

    return keep


@pytest.fixture(scope="session")
def kept(
    real_tokenizer: Callable[[str], Any], kept_facts: Callable[[str], dict[str, Any]]
) -> Callable[[str], tuple[Any, Counted]]:
    """Return a function that returns a kept tokenizer, and what counts how often it asks the one that it stands for."""

    @cache
    def opened(name: str) -> Any:
        return KeptTokenizer(kept_facts(name), Counted(real_tokenizer(name)))

    def open_one(name: str) -> tuple[Any, Counted]:
        other, load = copy(opened(name)), Counted(real_tokenizer(name))
        other._load = load
        return other, load

    return open_one


def facts(sample: Sample) -> tuple[Any, ...]:
    ids, labels = sample.input_ids.tolist(), sample.labels.tolist()
    return ids, labels, sample.spans, sample.row, sample.source, sample.cut


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_samples_are_the_same(
    case: dict[str, Any],
    real_tokenizer: Callable[[str], Any],
    kept: Callable[[str], tuple[Any, Counted]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in case["rows"]))
    config = load_config(
        {"base_model": "HuggingFaceTB/SmolLM2-135M", "learning_rate": 1e-4, **case["config"]}
    )
    tokenizer, load = kept(case["tokenizer"])

    rows = [row for _, row in read_rows(config.datasets[0])]
    samples = tokenize_rows(config, rows, tokenizer)

    expected = tokenize_rows(config, rows, real_tokenizer(case["tokenizer"]))
    assert [facts(sample) for sample in samples] == [facts(sample) for sample in expected]
    thoughts = "reasoning" in json.dumps(case["rows"]) or "thinking" in json.dumps(case["rows"])
    assert bool(load.loads) <= thoughts


@pytest.mark.parametrize("name", NAMES)
def test_ids_offsets_and_names_are_the_same(
    name: str, real_tokenizer: Callable[[str], Any], kept: Callable[[str], tuple[Any, Counted]]
) -> None:
    (tokenizer, _), real = kept(name), real_tokenizer(name)
    for keys in ({}, {"add_special_tokens": False}, {"return_offsets_mapping": True}):
        assert dict(tokenizer(TEXTS, **keys)) == {
            key: value for key, value in real(TEXTS, **keys).items() if key in ("input_ids", "offset_mapping")
        }
        assert tokenizer(TEXTS[2], **keys)["input_ids"] == real(TEXTS[2], **keys)["input_ids"]
    ids = real(TEXTS[2])["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids) == real.convert_ids_to_tokens(ids)
    assert tokenizer.convert_ids_to_tokens(ids[0]) == real.convert_ids_to_tokens(ids[0])
    plain = {"skip_special_tokens": False, "clean_up_tokenization_spaces": False}
    assert tokenizer.decode(np.array(ids), **plain) == real.decode(ids, **plain)
    assert len(tokenizer) == len(real)
    for attribute in (
        "eos_token", "eos_token_id", "bos_token", "bos_token_id", "pad_token_id", "unk_token_id", "name_or_path", "is_fast",
        "all_special_ids", "special_tokens_map", "split_special_tokens", "added_tokens_decoder", "model_max_length",
    ):  # fmt: skip
        assert getattr(tokenizer, attribute) == getattr(real, attribute), attribute
    assert tokenizer.get_vocab() == real.get_vocab()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("messages", "tools", "asks"),
    [
        pytest.param(PLAIN, None, False, id="plain"),
        pytest.param(CALLS, [TOOL], False, id="calls"),
        pytest.param(THOUGHT, None, True, id="a thought goes by three names"),
        pytest.param(NOTHING, None, True, id="a key without a value is left out"),
    ],
)
def test_conversations_are_the_same(
    name: str,
    messages: list[dict[str, Any]],
    tools: list[dict[str, Any]] | None,
    asks: bool,
    real_tokenizer: Callable[[str], Any],
    kept: Callable[[str], tuple[Any, Counted]],
) -> None:
    (tokenizer, load), real = kept(name), real_tokenizer(name)
    own = ChatTemplate(
        real.chat_template or builtin_template("chatml"), "the tokenizer", {"enable_thinking": True}
    )
    for template in (own, ChatTemplate(builtin_template("llama3"), "llama3")):
        for begins in (False, True):
            keys: dict[str, Any] = {"tools": tools, "add_generation_prompt": begins}
            assert written(tokenizer, template, messages, **keys) == written(real, template, messages, **keys)
    assert bool(load.loads) == asks


def written(tokenizer: Any, template: ChatTemplate, messages: list[dict[str, Any]], **keys: Any) -> str:
    """Return what a template writes, or how it refuses."""
    try:
        return render(tokenizer, template, messages, **keys)
    except DataError as error:
        return error.message
