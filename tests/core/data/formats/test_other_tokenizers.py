"""Tokenizers of other families: BOS added or not, BOS that is EOS, a space before each text, no chat template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.config import Config
from ft_core.data import Sample, tokenize_rows
from ft_core.errors import DataError
from tests.core.data.formats.conftest import OTHERS

MakeConfig = Callable[..., Config]
MakeSamples = Callable[..., list[Sample]]

TEXTS = st.text(alphabet="abehl Q:.\n", max_size=12)
LOSSLESS = [name for name in OTHERS if name.startswith("bytes")]


def part(tokenizer: Any, text: str, *, eos: bool, strip_bos: bool) -> list[int]:
    """Return the ids of a part of a row as Axolotl makes them, less the EOS that some tokenizers end each text in."""
    if not text:
        return []
    ids = tokenizer(text)["input_ids"]
    if tokenizer("a")["input_ids"][-1] == tokenizer.eos_token_id:
        ids = ids[:-1]
    if eos and ids and ids[-1] != tokenizer.eos_token_id:
        ids = [*ids, tokenizer.eos_token_id]
    if strip_bos and ids and ids[0] == tokenizer.bos_token_id:
        ids = ids[1:]
    return ids


@pytest.mark.parametrize("train_on_inputs", [False, True])
@settings(max_examples=40, deadline=None)
@given(instruction=TEXTS, given_=TEXTS, output=TEXTS)
@pytest.mark.parametrize("name", OTHERS)
def test_prompt_and_response_are_tokenised_apart(
    name: str, train_on_inputs: bool, instruction: str, given_: str, output: str, samples: MakeSamples
) -> None:
    tokenizer = OTHERS[name]
    row = {"instruction": instruction, "input": given_, "output": output}
    [sample] = samples(
        "alpaca_instruct.load_no_prompt", row, other=tokenizer, train_on_inputs=train_on_inputs
    )

    middle = f"\n\n### Input:\n{given_}" if given_ else ""
    prompt = part(
        tokenizer, f"### Instruction:\n{instruction}{middle}\n\n### Response:\n", eos=False, strip_bos=False
    )
    response = part(tokenizer, output, eos=True, strip_bos=True)
    assert sample.input_ids.tolist() == prompt + response
    assert sample.labels.tolist() == (prompt if train_on_inputs else [-100] * len(prompt)) + response


@pytest.mark.parametrize("name", LOSSLESS)
@settings(max_examples=40, deadline=None)
@given(output=st.text(min_size=1, max_size=20))
def test_the_trained_part_is_the_response_and_eos(name: str, output: str, samples: MakeSamples) -> None:
    tokenizer = OTHERS[name]
    [sample] = samples("alpaca", {"instruction": "Add.", "output": output}, other=tokenizer)

    assert tokenizer.decode(sample.labels[sample.labels >= 0]) == output + "</s>"


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=40, deadline=None)
@given(text=TEXTS)
def test_plain_text_in_windows(name: str, text: str, samples: MakeSamples) -> None:
    tokenizer = OTHERS[name]
    cut = samples("completion", {"text": text}, other=tokenizer, sequence_len=4)

    ids = part(tokenizer, text, eos=True, strip_bos=False)
    assert [sample.input_ids.tolist() for sample in cut] == (
        [ids[start : start + 4] for start in range(0, len(ids), 4)] or [[]]
    )


@pytest.mark.parametrize("name", OTHERS)
@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.tuples(TEXTS, st.booleans()), min_size=1, max_size=4))
def test_segments_get_nothing_added(name: str, texts: list[tuple[str, bool]], samples: MakeSamples) -> None:
    tokenizer = OTHERS[name]
    segments = [{"text": text, "label": label} for text, label in texts]
    [sample] = samples("input_output", {"segments": segments}, other=tokenizer)

    parts = [(tokenizer(text, add_special_tokens=False)["input_ids"], label) for text, label in texts]
    assert sample.input_ids.tolist() == [token for ids, _ in parts for token in ids]
    assert sample.labels.tolist() == [token if label else -100 for ids, label in parts for token in ids]


def test_the_response_begins_with_the_mark_of_a_space(samples: MakeSamples) -> None:
    tokenizer = OTHERS["prefix space, adds BOS"]
    [sample] = samples(
        "context_qa.load_v2", {"context": "a", "question": "Q", "answer": "hell"}, other=tokenizer
    )

    tokens = tokenizer.convert_ids_to_tokens(sample.input_ids)
    trained = tokenizer.convert_ids_to_tokens(sample.labels[sample.labels >= 0])
    assert tokens[:2] == ["<s>", "▁"]
    assert trained == ["▁", *"Answer:", "▁", "he", "ll", "</s>"]
    assert [(span.role, span.trained) for span in sample.spans] == [
        ("prompt", False), ("prompt", False), ("response", True), ("response", True),
    ]  # fmt: skip


def test_bos_that_a_response_brings_is_left_out(samples: MakeSamples) -> None:
    for name in ("bytes", "bytes, adds BOS"):
        [sample] = samples("alpaca", {"instruction": "Add.", "output": "<s>4"}, other=OTHERS[name])
        assert OTHERS[name].decode(sample.labels[sample.labels >= 0]) == "4</s>"


def test_a_chat_needs_a_template(make_config: MakeConfig) -> None:
    row = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    with pytest.raises(DataError, match="chat template"):
        tokenize_rows(make_config({"type": "chat_template"}), [row], OTHERS["bytes"])


ROWS: dict[str, dict[str, Any]] = {
    "alpaca": {"instruction": "a", "input": "b", "output": "hell"},
    "reflection": {"instruction": "a", "output": "b", "reflection": "c", "corrected": "d"},
    "metharme": {"prompt": "a", "generation": "b"},
    "completion": {"text": "hello hell"},
    "pretrain": {"text": "hello hell"},
    "input_output": {"segments": [{"text": "a", "label": False}, {"text": "b", "label": True}]},
    "llama2_chat": {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]},
    "pygmalion": {"conversations": [{"role": "human", "value": "a"}, {"role": "bot", "value": "b"}]},
    "messages": {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]},
    "stepwise_supervised": {"prompt": "a", "completions": ["b", "c"], "labels": [True, False]},
    "''": {"input_ids": [3, 4, 5], "labels": [-100, 4, 5], "attention_mask": [1, 1, 1]},
}


@pytest.mark.parametrize("kind", ROWS)
def test_spans_part_the_ids_and_explain_the_labels(kind: str, other: Any, samples: MakeSamples) -> None:
    for sample in samples(kind.strip("'"), ROWS[kind], other=other, sequence_len=400):
        assert [0, *(span.end for span in sample.spans)] == [
            *(span.start for span in sample.spans),
            len(sample),
        ]
        for span in sample.spans:
            ids, labels = sample.input_ids[span.start : span.end], sample.labels[span.start : span.end]
            assert span.rule.split(":")[0] == ("trained" if span.trained else "masked")
            if not span.trained:
                assert set(labels.tolist()) == {-100}
            elif kind == "stepwise_supervised":
                assert labels.tolist()[-1] in (0, 1)
            else:
                assert np.array_equal(ids, labels)
