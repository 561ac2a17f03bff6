"""Bugs of this field that must not exist here, on the tokenizers and templates of real models.

The numbers are the rows of docs/explanation/silent-bugs.md, which names the tests of them all.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.data import Sample, render_prompt, resolve_template, tokenize_rows
from ft_core.data.template import render

NAMES = ("smollm2", "qwen3", "llama3_1")
END = {"smollm2": "<|im_end|>", "qwen3": "<|im_end|>", "llama3_1": "<|eot_id|>"}
CHAT = [
    ("user", "Hi\n"),
    ("assistant", "Yo  "),
    ("user", "4"),
    ("assistant", "4"),
    ("user", "4"),
    ("assistant", "44"),
]

RealTokenizer = Callable[[str], Any]


def config(**dataset: Any) -> Config:
    entry = {"path": "some/rows", "type": "chat_template", **dataset}
    return load_config(
        {"base_model": "some/model", "learning_rate": 1e-4, "sequence_len": 2048, "datasets": [entry]}
    )


def messages(turns: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"role": role, "content": text} for role, text in turns]


def trained(sample: Sample, tokenizer: Any) -> str:
    return tokenizer.decode(sample.labels[sample.labels >= 0])


class TestBos:
    """Row 5: a template that writes BOS, and a tokenizer that adds one, must not give two."""

    def test_a_chat_has_one(self, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer("llama3_1")
        [sample] = tokenize_rows(config(), [{"messages": messages(CHAT)}], tokenizer)

        ids = sample.input_ids.tolist()
        assert (ids[0], ids.count(tokenizer.bos_token_id)) == (tokenizer.bos_token_id, 1)

    @pytest.mark.parametrize("text", ["Once upon a time", "<|begin_of_text|>Once upon a time"])
    def test_a_text_has_one_even_where_it_brings_its_own(
        self, text: str, real_tokenizer: RealTokenizer
    ) -> None:
        tokenizer = real_tokenizer("llama3_1")
        [sample] = tokenize_rows(config(type="completion"), [{"text": text}], tokenizer)

        assert tokenizer.decode(sample.input_ids) == "<|begin_of_text|>Once upon a time<|eot_id|>"

    def test_a_prompt_has_one_and_its_response_none(self, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer("llama3_1")
        [sample] = tokenize_rows(config(type="alpaca"), [{"instruction": "Add.", "output": "4"}], tokenizer)

        ids = sample.input_ids.tolist()
        assert (ids[0], ids.count(tokenizer.bos_token_id)) == (tokenizer.bos_token_id, 1)
        assert sample.spans[0].rule == "masked: start of text before the prompt"
        assert trained(sample, tokenizer) == "4<|eot_id|>"

    @pytest.mark.parametrize("name", NAMES)
    def test_a_chat_is_asked_with_the_ids_of_training(self, name: str, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer(name)
        [sample] = tokenize_rows(config(), [{"messages": messages(CHAT[:2])}], tokenizer)
        prompt = render_prompt(config(), messages(CHAT[:1]), tokenizer)

        assert sample.input_ids[: len(prompt)].tolist() == prompt
        assert prompt.count(tokenizer.convert_tokens_to_ids("<|begin_of_text|>")) == (name == "llama3_1")


class TestEndOfTurn:
    """Row 7: a model that never saw the end of its turn never stops."""

    @pytest.mark.parametrize("name", NAMES)
    def test_every_trained_turn_ends_in_it(self, name: str, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer(name)
        [sample] = tokenize_rows(config(), [{"messages": messages(CHAT)}], tokenizer)

        first = "Yo" if name == "llama3_1" else "Yo  "  # Llama's template trims.
        assert trained(sample, tokenizer) == f"{first}{END[name]}4{END[name]}44{END[name]}"

    @pytest.mark.parametrize("name", ["smollm2", "qwen3"])
    def test_so_with_chatml(self, name: str, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer(name)
        [sample] = tokenize_rows(config(chat_template="chatml"), [{"messages": messages(CHAT)}], tokenizer)

        assert trained(sample, tokenizer) == "Yo  <|im_end|>4<|im_end|>44<|im_end|>"


class TestWholeConversation:
    """Row 10: the ids are those of the whole text; prompt and answer are never tokenised apart and glued."""

    @pytest.mark.parametrize("name", NAMES)
    def test_ids_are_those_of_the_render(self, name: str, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer(name)
        [sample] = tokenize_rows(config(), [{"messages": messages(CHAT)}], tokenizer)
        text = render(tokenizer, resolve_template(None, tokenizer), messages(CHAT))

        assert sample.input_ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
        assert "".join(span.text for span in sample.spans) == text

    def test_a_token_across_the_border_stays_whole_and_is_trained(
        self, real_tokenizer: RealTokenizer
    ) -> None:
        tokenizer = real_tokenizer("smollm2")
        turns = messages([("user", "Hi"), ("assistant", "  Yo")])
        [sample] = tokenize_rows(config(chat_template="chatml"), [{"messages": turns}], tokenizer)

        # The newline that ends the header and the first space of the answer are one token here.
        assert tokenizer.tokenize("assistant\n") + tokenizer.tokenize("  Yo") != tokenizer.tokenize(
            "assistant\n  Yo"
        )
        text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n  Yo<|im_end|>\n"
        assert sample.input_ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
        assert trained(sample, tokenizer) == "\n  Yo<|im_end|>"


class TestThinking:
    """Row 11: templates that drop or add thoughts of earlier turns."""

    TURNS = (
        ("user", "One?"),
        ("assistant", "<think>\nfirst thought\n</think>\n\nOne."),
        ("user", "Two?"),
        ("assistant", "<think>\nsecond thought\n</think>\n\nTwo."),
    )

    def test_the_template_drops_the_first_and_both_answers_are_found(
        self, real_tokenizer: RealTokenizer
    ) -> None:
        tokenizer = real_tokenizer("qwen3")
        [sample] = tokenize_rows(config(), [{"messages": messages(list(self.TURNS))}], tokenizer)

        text = tokenizer.decode(sample.input_ids)
        assert (text.count("first thought"), text.count("second thought")) == (0, 1)
        assert trained(sample, tokenizer) == "One.<|im_end|>second thought\n</think>\n\nTwo.<|im_end|>"

    def test_a_thought_in_its_own_field_is_trained_too(self, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer("qwen3")
        turns = [
            {"role": "user", "content": "Two?"},
            {"role": "assistant", "content": "Two.", "reasoning_content": "second thought"},
        ]
        [sample] = tokenize_rows(config(), [{"messages": turns}], tokenizer)

        assert trained(sample, tokenizer) == "second thought\n</think>\n\nTwo.<|im_end|>"

    def test_an_answer_without_a_thought_gets_an_empty_one_that_is_masked(
        self, real_tokenizer: RealTokenizer
    ) -> None:
        tokenizer = real_tokenizer("qwen3")
        [sample] = tokenize_rows(
            config(), [{"messages": messages([("user", "Hi"), ("assistant", "Yo")])}], tokenizer
        )

        assert "<think>\n\n</think>\n\nYo" in tokenizer.decode(sample.input_ids)
        assert trained(sample, tokenizer) == "Yo<|im_end|>"

    def test_chatml_keeps_both(self, real_tokenizer: RealTokenizer) -> None:
        tokenizer = real_tokenizer("qwen3")
        row = {"messages": messages(list(self.TURNS))}
        [sample] = tokenize_rows(config(chat_template="chatml"), [row], tokenizer)

        assert trained(sample, tokenizer) == (
            "<think>\nfirst thought\n</think>\n\nOne.<|im_end|>"
            "<think>\nsecond thought\n</think>\n\nTwo.<|im_end|>"
        )  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_ids_are_ids(name: str, real_tokenizer: RealTokenizer) -> None:
    """Row 12: apply_chat_template returns a dict by default since transformers 5, of length 2."""
    tokenizer = real_tokenizer(name)
    prompt = render_prompt(None, messages(CHAT[:1]), tokenizer)

    assert all(type(token) is int for token in prompt)
    assert len(prompt) == len(tokenizer(tokenizer.decode(prompt), add_special_tokens=False)["input_ids"]) > 5
