from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ft_core.config import Config
from ft_core.data.fingerprint import tokenizer_digest
from ft_core.errors import ModelError
from ft_core.models.added_tokens import TokenChanges, with_new_texts
from ft_core.models.tokenizer import load_tokenizer, load_vocabulary
from ft_core.train.light_tokenizer import read_tokenizer

SIZE = 49152

SPARE = (
    "Use one of its reserved tokens, such as 3 (<repo_name>), 4 (<reponame>), 5 (<file_sep>), 6 (<filename>), "
    "7 (<gh_stars>), 8 (<issue_start>)."
)

CHANGES: list[tuple[dict[str, Any], dict[str, int], dict[str, int]]] = [
    ({}, {}, {}),
    ({"tokens": ["<a>", "<b>"]}, {"<a>": SIZE, "<b>": SIZE + 1}, {}),
    ({"tokens": ["<a>", "<|im_start|>", "<a>"]}, {"<a>": SIZE}, {}),
    ({"special_tokens": {"eos_token": "<|new|>"}}, {"<|new|>": SIZE}, {}),
    ({"special_tokens": {"additional_special_tokens": ["<t>", "<|im_end|>"]}}, {"<t>": SIZE}, {}),
    ({"added_tokens_overrides": {5: "<think>", 6: "</think>"}}, {}, {"<think>": 5, "</think>": 6}),
    (
        {
            "tokens": ["<a>", "<think>"],
            "added_tokens_overrides": {5: "<think>"},
            "special_tokens": {"pad_token": "<p>", "additional_special_tokens": ["<t>"]},
        },
        {"<p>": SIZE, "<a>": SIZE + 1, "<t>": SIZE + 2},
        {"<think>": 5},
    ),
]


@pytest.mark.parametrize(("keys", "added", "replaced"), CHANGES)
def test_tokens_are_added_in_axolotls_order_and_the_plan_knows_their_ids(
    keys: dict[str, Any],
    added: dict[str, int],
    replaced: dict[str, int],
    make_config: Callable[..., Config],
    tiny_model: Path,
) -> None:
    config = make_config(**keys)
    tokenizer, changes = load_vocabulary(config)
    assert changes == TokenChanges(added, replaced, own_rows=SIZE, rows=SIZE + len(added))
    for token, index in {**added, **replaced}.items():
        assert tokenizer(f"a{token}b", add_special_tokens=False)["input_ids"] == [81, index, 82]
    light = read_tokenizer(tiny_model)
    assert light is not None
    fitted, planned = light.with_tokens(config)
    assert planned == changes
    text = "one<a> two<b><think>x</think><|new|><t><p> three"
    assert fitted.ids([text]) == [tokenizer(text, add_special_tokens=False)["input_ids"]]
    # The files of the tokenizer stay as they are.
    assert len(light.vocabulary) == SIZE


def test_a_saved_tokenizer_makes_the_same_ids(make_config: Callable[..., Config], tmp_path: Path) -> None:
    config = make_config(
        tokens=["<a>", "hello"],
        added_tokens_overrides={5: "<think>"},
        special_tokens={"eos_token": "<|new|>", "additional_special_tokens": ["<t>", "<u>"]},
    )
    tokenizer = load_tokenizer(config)
    own = load_tokenizer(make_config()).extra_special_tokens
    assert tokenizer.extra_special_tokens == [*own, "<t>", "<u>"]
    tokenizer.save_pretrained(tmp_path / "saved")
    again = AutoTokenizer.from_pretrained(tmp_path / "saved")
    text = "x<think>hellohello <a><t>y<|new|>"
    assert again(text)["input_ids"] == tokenizer(text)["input_ids"]
    assert (again.eos_token, again.eos_token_id) == ("<|new|>", SIZE)
    assert again.decode([5, SIZE + 1, SIZE + 2, SIZE]) == "<think><a><t><|new|>"
    assert again.decode([5, SIZE + 1, SIZE + 2, SIZE], skip_special_tokens=True) == "<a>"


def test_a_word_of_the_vocabulary_becomes_whole_and_needs_no_row(make_config: Callable[..., Config]) -> None:
    plain, (tokenizer, changes) = (
        load_tokenizer(make_config()),
        load_vocabulary(make_config(tokens=["hello"])),
    )
    assert changes.added == {}
    assert plain("helloing").tokens() == ["hell", "oing"]
    assert tokenizer("helloing").tokens() == ["hello", "ing"]
    assert tokenizer.convert_tokens_to_ids("hello") == plain.convert_tokens_to_ids("hello")


@pytest.mark.parametrize(
    ("overrides", "message", "fix"),
    [
        (
            {50: "<a>"},
            "'added_tokens_overrides' names the id 50, which is no reserved token of this tokenizer.",
            SPARE,
        ),
        (
            {2: "<a>"},
            "'added_tokens_overrides' names the id 2, which is the tokenizer's eos_token.",
            SPARE,
        ),
        (
            {5: "hello"},
            "'added_tokens_overrides' gives the id 5 the text 'hello', which is the id 28120 already.",
            "Use another text, or remove the line.",
        ),
        (
            {5: "<a>", 6: "<a>"},
            "'added_tokens_overrides' gives the ids 5 and 6 the same text, '<a>'.",
            "Use another text for one of them.",
        ),
    ],
)
def test_overrides_that_cannot_be(
    overrides: dict[int, str],
    message: str,
    fix: str,
    make_config: Callable[..., Config],
    tiny_model: Path,
) -> None:
    config = make_config(added_tokens_overrides=overrides)
    with pytest.raises(ModelError) as raised:
        load_tokenizer(config)
    assert (raised.value.message, raised.value.fix) == (message, fix)
    light = read_tokenizer(tiny_model)
    assert light is not None
    assert [f"{said}." for said, _ in light.refused_overrides(config)] == [message]


@pytest.mark.parametrize(
    ("vocabulary", "changed"),
    [
        ('{"a": 0, "<r>": 1}', '{"a": 0, "<x>": 1}'),
        ('[["a", -1.5], ["<r>", 0.0]]', '[["a", -1.5], ["<x>", 0.0]]'),
    ],
)
def test_a_reserved_token_that_the_vocabulary_holds_too_is_renamed_in_both(
    vocabulary: str, changed: str
) -> None:
    head = '{"added_tokens": [{"id": 1, "content": "%s"}], "model": {"vocab": '
    before, after = head.replace("%s", "<r>"), head.replace("%s", "<x>")
    assert with_new_texts(before + vocabulary + "}}", {1: "<x>"}) == after + changed + "}}"


def test_tokenized_rows_are_kept_apart_by_what_was_added(make_config: Callable[..., Config]) -> None:
    digests = {tokenizer_digest(load_tokenizer(make_config(**keys))) for keys, _, _ in CHANGES}
    assert len(digests) == len(CHANGES)
