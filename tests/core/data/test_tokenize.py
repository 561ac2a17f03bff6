from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ft_core.config import Config
from ft_core.data import Sample, render_prompt, tokenize_rows
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]
Explained = list[tuple[str, str, "int | None", str]]

ASK = "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
ASK_WITH_INPUT = (
    "Below is an instruction that describes a task, paired with an input that provides further context. "
    "Write a response that appropriately completes the request.\n\n"
)


def explained(sample: Sample) -> Explained:
    """Return text, role, turn and rule of each span."""
    return [(span.text, span.role, span.turn, span.rule) for span in sample.spans]


def trained_text(sample: Sample, tokenizer: Any) -> str:
    return tokenizer.decode(sample.labels[sample.labels >= 0])


class TestAlpaca:
    def test_the_prompt_is_masked_and_the_response_trained(
        self, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        row = {"instruction": "Add 2 and 2.", "input": "", "output": "4"}
        [sample] = tokenize_rows(make_config({"type": "alpaca"}), [row], tokenizer)

        prompt = ASK + "### Instruction:\nAdd 2 and 2.\n\n### Response:\n"
        assert explained(sample) == [
            (prompt, "prompt", None, "masked: prompt (train_on_inputs is false)"),
            ("4", "response", None, "trained: response"),
            ("<|im_end|>", "response", None, "trained: end of text after the response"),
        ]
        assert tokenizer.decode(sample.input_ids) == prompt + "4<|im_end|>"
        assert trained_text(sample, tokenizer) == "4<|im_end|>"
        assert (sample.row, sample.source, sample.cut) == (0, "some/rows", 0)

    def test_an_input_has_its_own_paragraph(self, make_config: MakeConfig, tokenizer: Any) -> None:
        row = {"instruction": "Add.", "input": "2 {x}", "output": "4"}
        [sample] = tokenize_rows(make_config({"type": "alpaca"}), [row], tokenizer)

        prompt = ASK_WITH_INPUT + "### Instruction:\nAdd.\n\n### Input:\n2 {x}\n\n### Response:\n"
        assert sample.spans[0].text == prompt

    def test_train_on_inputs_trains_the_prompt(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = make_config({"type": "alpaca"}, train_on_inputs=True)
        [sample] = tokenize_rows(config, [{"instruction": "Add.", "output": "4"}], tokenizer)

        assert sample.labels.tolist() == sample.input_ids.tolist()
        assert sample.spans[0].rule == "trained: prompt (train_on_inputs is true)"

    @pytest.mark.parametrize("output", ["", None])
    def test_an_empty_response_trains_nothing(
        self, output: object, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        row = {"instruction": "Add.", "output": output}
        [sample] = tokenize_rows(make_config({"type": "alpaca"}), [row], tokenizer)

        assert sample.trained == 0
        assert [span.role for span in sample.spans] == ["prompt"]

    def test_a_response_that_ends_in_eos_gets_no_second_one(
        self, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        row = {"instruction": "Add.", "output": "4<|im_end|>"}
        [sample] = tokenize_rows(make_config({"type": "alpaca"}), [row], tokenizer)

        assert trained_text(sample, tokenizer) == "4<|im_end|>"


class TestCompletion:
    def test_all_of_it_is_trained(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = make_config({"type": "completion", "field": "body"})
        [sample] = tokenize_rows(config, [{"body": "Once upon a time"}], tokenizer)

        assert explained(sample) == [
            ("Once upon a time", "text", None, "trained: completion text"),
            ("<|im_end|>", "text", None, "trained: end of text after the text"),
        ]
        assert sample.labels.tolist() == sample.input_ids.tolist()

    def test_a_long_text_becomes_windows_without_loss(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = make_config({"type": "completion"}, sequence_len=4)
        whole = make_config({"type": "completion"})
        rows = [{"text": "One two three four five six seven eight nine."}, {"text": "Short."}]

        samples = tokenize_rows(config, rows, tokenizer)

        [first, second] = tokenize_rows(whole, rows, tokenizer)
        assert [(sample.row, len(sample)) for sample in samples] == [(0, 4), (0, 4), (0, 3), (1, 3)]
        assert (
            np.concatenate([sample.input_ids for sample in samples[:3]]).tolist() == first.input_ids.tolist()
        )
        assert samples[3].input_ids.tolist() == second.input_ids.tolist()
        assert [sample.spans[0].text for sample in samples[:3]] == [
            "One two three four", " five six seven eight", " nine.",
        ]  # fmt: skip

    def test_text_must_be_text(self, make_config: MakeConfig, tokenizer: Any) -> None:
        with pytest.raises(DataError) as caught:
            tokenize_rows(make_config({"type": "completion"}), [{"text": "a"}, {"text": ["b"]}], tokenizer)

        assert caught.value.message == "some/rows, row 2: 'text' must be text, not a list."


class TestChat:
    ROW: ClassVar = {
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Hi"},
            {"role": "assistant", "content": "Yo"},
        ]
    }

    def test_every_token_has_its_reason(self, make_config: MakeConfig, tokenizer: Any) -> None:
        [sample] = tokenize_rows(make_config(), [self.ROW], tokenizer)

        template = ("template", None, "masked: text of the chat template")
        untrained_end = "masked: end of turn (train_on_eos: turn, and this turn is not trained)"
        assert explained(sample) == [
            ("<|im_start|>system\n", *template),
            ("Be brief.", "system", 0, "masked: role system is not in roles_to_train"),
            ("<|im_end|>", "system", 0, untrained_end),
            ("\n<|im_start|>user\n", *template),
            ("Hi", "user", 1, "masked: role user is not in roles_to_train"),
            ("<|im_end|>", "user", 1, untrained_end),
            ("\n<|im_start|>assistant\n", *template),
            ("Yo", "assistant", 2, "trained: role assistant is in roles_to_train"),
            ("<|im_end|>", "assistant", 2, "trained: end of turn (train_on_eos: turn)"),
            ("\n", *template),
        ]
        assert trained_text(sample, tokenizer) == "Yo<|im_end|>"

    @pytest.mark.parametrize(
        ("keys", "trained"),
        [
            ({}, "A<|im_end|>B<|im_end|>"),
            ({"train_on_eos": "none"}, "AB"),
            ({"train_on_eos": "last"}, "AB<|im_end|>"),
            ({"train_on_eos": "all"}, "<|im_end|>A<|im_end|><|im_end|>B<|im_end|>"),
            ({"roles_to_train": ["user"]}, "x<|im_end|>y<|im_end|>"),
            ({"roles_to_train": ["human"]}, "x<|im_end|>y<|im_end|>"),
            ({"roles_to_train": []}, "B<|im_end|>\n"),
        ],
    )
    def test_roles_and_ends_of_turn(
        self, keys: dict[str, Any], trained: str, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        texts = [("human", "x"), ("gpt", "A"), ("human", "y"), ("gpt", "B")]
        row = {"messages": [{"role": role, "content": text} for role, text in texts]}
        [sample] = tokenize_rows(make_config(keys), [row], tokenizer)

        assert trained_text(sample, tokenizer) == trained

    def test_train_on_inputs_trains_contents_and_never_headers(
        self, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        [sample] = tokenize_rows(make_config(train_on_inputs=True), [self.ROW], tokenizer)

        assert trained_text(sample, tokenizer) == "Be brief.<|im_end|>Hi<|im_end|>Yo<|im_end|>"
        assert sample.spans[1].rule == "trained: train_on_inputs is true"

    def test_a_message_may_decide_for_itself(self, make_config: MakeConfig, tokenizer: Any) -> None:
        marked = [
            {"role": "user", "content": "Hi", "train": True},
            {"role": "assistant", "content": "Yo", "train": False},
            {"role": "assistant", "content": "Ok", "train": None},
        ]
        [sample] = tokenize_rows(
            make_config({"message_field_training": "train"}), [{"messages": marked}], tokenizer
        )

        assert trained_text(sample, tokenizer) == "Hi<|im_end|>Ok<|im_end|>"
        assert [span.rule for span in sample.spans if span.text in ("Hi", "Yo", "Ok")] == [
            "trained: the message says train: true",
            "masked: the message says train: false",
            "trained: role assistant is in roles_to_train",
        ]

    def test_names_of_columns_and_roles_are_the_datas(self, make_config: MakeConfig, tokenizer: Any) -> None:
        keys = {
            "field_messages": "turns",
            "message_property_mappings": {"role": "who", "content": "what"},
            "roles": {"user": ["person"], "assistant": ["bot"]},
        }
        row = {"turns": [{"who": "person", "what": "Hi"}, {"who": "bot", "what": "Yo"}]}
        [sample] = tokenize_rows(make_config(keys), [row], tokenizer)

        assert [(span.role, span.text) for span in sample.spans if span.turn is not None] == [
            ("user", "Hi"), ("user", "<|im_end|>"), ("assistant", "Yo"), ("assistant", "<|im_end|>"),
        ]  # fmt: skip

    def test_a_system_column_comes_first(self, make_config: MakeConfig, tokenizer: Any) -> None:
        row = {"messages": self.ROW["messages"][1:], "system": "Be brief."}
        [with_column] = tokenize_rows(make_config(), [row], tokenizer)
        [with_message] = tokenize_rows(make_config(), [self.ROW], tokenizer)

        assert with_column.input_ids.tolist() == with_message.input_ids.tolist()
        assert with_column.labels.tolist() == with_message.labels.tolist()

    def test_messages_may_be_json_text(self, make_config: MakeConfig, tokenizer: Any) -> None:
        row = {"messages": '[{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]'}
        [sample] = tokenize_rows(make_config(), [row], tokenizer)

        assert trained_text(sample, tokenizer) == "Yo<|im_end|>"

    def test_a_turn_that_cannot_be_found_is_masked_and_says_so(
        self, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        twice = "{% for m in messages %}<|im_start|>{{ m.content }}/{{ m.content }}<|im_end|>{% endfor %}"
        config = make_config(chat_template="jinja", chat_template_jinja=twice, train_on_inputs=True)
        row = {"messages": [{"role": "user", "content": "Hi"}]}
        [sample] = tokenize_rows(config, [row], tokenizer)

        assert explained(sample) == [
            (
                "<|im_start|>Hi/Hi<|im_end|>",
                "user",
                0,
                "masked: message 1 cannot be told from the template's own text",
            ),
        ]

    @pytest.mark.parametrize(
        ("messages", "message"),
        [
            (None, "'messages' must be a list of messages, not null."),
            ([], "'messages' must be a list of messages, not an empty list."),
            ({"role": "user"}, "'messages' must be a list of messages, not an object."),
            (["Hi"], "Message 1 of 'messages' must be an object, not text."),
            ([{"from": "human", "value": "Hi"}], "Message 1 has no 'role'; it has 'from', 'value'."),
            ([{"role": "user"}], "Message 1 has no 'content'; it has 'role'."),
            ([{"role": "user", "content": 4}], "'content' of message 1 must be text, not a number."),
        ],
    )
    def test_a_row_that_makes_no_sense_is_named(
        self, messages: object, message: str, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        with pytest.raises(DataError) as caught:
            tokenize_rows(make_config(), [self.ROW, {"messages": messages}], tokenizer)

        assert caught.value.message == f"some/rows, row 2: {message}"


class TestEndsOfTurn:
    TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}<|endoftext|>\n{% endfor %}"
    ROW: ClassVar = {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]}

    def config(self, make_config: MakeConfig, dataset: dict[str, Any] | None = None, **keys: Any) -> Config:
        return make_config(dataset, chat_template="jinja", chat_template_jinja=self.TEMPLATE, **keys)

    def test_the_token_of_eot_tokens_ends_a_turn(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = self.config(make_config, eot_tokens=["<|endoftext|>"])
        [sample] = tokenize_rows(config, [self.ROW], tokenizer)

        # The space before the answer is part of its first token.
        assert trained_text(sample, tokenizer) == " Yo<|endoftext|>"
        assert "trained: end of turn (train_on_eot: turn)" in [span.rule for span in sample.spans]

    def test_it_has_its_own_option(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = self.config(
            make_config, {"train_on_eot": "all", "train_on_eos": "none"}, eot_tokens=["<|endoftext|>"]
        )
        [sample] = tokenize_rows(config, [self.ROW], tokenizer)

        assert trained_text(sample, tokenizer) == "<|endoftext|> Yo<|endoftext|>"

    def test_one_token_cannot_have_two_options(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = make_config(
            {"train_on_eot": "all", "train_on_eos": "none"},
            chat_template="jinja",
            chat_template_jinja=self.TEMPLATE + "<|im_end|>",
            eot_tokens=["<|im_end|>", "<|endoftext|>"],
        )

        with pytest.raises(DataError, match=r"disagree about '<\|im_end\|>'"):
            tokenize_rows(config, [self.ROW], tokenizer)

    def test_it_must_be_one_token(self, make_config: MakeConfig, tokenizer: Any) -> None:
        template = "{% for m in messages %}{{ m.content }}<|endofturn|>{% endfor %}"
        config = make_config(
            chat_template="jinja", chat_template_jinja=template, eot_tokens=["<|endofturn|>"]
        )

        with pytest.raises(DataError, match=r"'<\|endofturn\|>' is 7 tokens for this tokenizer, not one"):
            tokenize_rows(config, [self.ROW], tokenizer)

    @pytest.mark.parametrize(
        ("between", "trained"), [("", "Yo<|im_end|>"), (" - - -", "Yo<|im_end|>"), (" - - - -", "Yo")]
    )
    def test_it_must_be_near(
        self, between: str, trained: str, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        template = f"{{% for m in messages %}}[{{{{ m.content }}}}{between}<|im_end|>{{% endfor %}}"
        config = make_config(chat_template="jinja", chat_template_jinja=template)
        [sample] = tokenize_rows(config, [self.ROW], tokenizer)

        assert trained_text(sample, tokenizer) == trained

    def test_a_turn_without_one_does_not_take_the_next_turns(
        self, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        template = (
            "{% for m in messages %}{{ m.content }}{{ '<|im_end|>' if m.role == 'assistant' }}{% endfor %}"
        )
        config = make_config(
            {"roles_to_train": ["user"]}, chat_template="jinja", chat_template_jinja=template
        )
        [sample] = tokenize_rows(config, [self.ROW], tokenizer)

        assert explained(sample)[-1] == (
            "<|im_end|>",
            "assistant",
            1,
            "masked: end of turn (train_on_eos: turn, and this turn is not trained)",
        )


class TestRows:
    def test_a_missing_field_is_named_with_those_that_are_there(
        self, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        rows = [{"question": "Why?", "answer": "So."}, {"question": "How?", "answer": "Thus."}]

        with pytest.raises(DataError) as caught:
            tokenize_rows(make_config({"type": "alpaca"}), rows, tokenizer)

        assert caught.value.message == (
            "some/rows, rows 1 to 2: there is no field 'instruction', which type: alpaca needs; "
            "the fields are 'question', 'answer'."
        )

    def test_rows_count_from_the_first(self, make_config: MakeConfig, tokenizer: Any) -> None:
        rows = [{"text": "a"}, {"text": "b"}]
        samples = tokenize_rows(make_config({"type": "completion"}), rows, tokenizer, first_row=7)

        assert [sample.row for sample in samples] == [7, 8]

    def test_the_dataset_may_be_named(self, make_config: MakeConfig, tokenizer: Any) -> None:
        entries = [{"path": "some/rows", "type": "alpaca"}, {"path": "other/rows", "type": "completion"}]
        config = make_config(datasets=entries)
        [sample] = tokenize_rows(config, [{"text": "a"}], tokenizer, dataset=config.datasets[1])

        assert (sample.source, trained_text(sample, tokenizer)) == ("other/rows", "a<|im_end|>")

    def test_many_rows_are_as_each_alone(self, make_config: MakeConfig, tokenizer: Any) -> None:
        config = make_config({"type": "completion"})
        rows = [{"text": f"Number {number}."} for number in range(600)]
        together = tokenize_rows(config, rows, tokenizer)

        assert [sample.row for sample in together] == list(range(600))
        for number in (0, 255, 256, 599):
            [alone] = tokenize_rows(config, [rows[number]], tokenizer)
            assert alone.input_ids.tolist() == together[number].input_ids.tolist()


class TestTruncation:
    def test_the_end_is_cut_off_and_counted(self, make_config: MakeConfig, tokenizer: Any) -> None:
        """CORRECTNESS 25: what is cut is known, and no special token is cut in half."""
        row = {
            "messages": [
                {"role": "user", "content": "Hi"},
                {"role": "assistant", "content": "One two three four"},
            ]
        }
        [whole] = tokenize_rows(make_config(chat_template="chatml"), [row], tokenizer)
        config = make_config(chat_template="chatml", excess_length_strategy="truncate", sequence_len=12)
        [sample] = tokenize_rows(config, [row], tokenizer)

        assert (len(whole), len(sample), sample.cut) == (16, 12, 4)
        assert sample.input_ids.tolist() == whole.input_ids[:12].tolist()
        assert sample.labels.tolist() == whole.labels[:12].tolist()
        assert sample.spans[-1].text == "One two"
        assert sample.spans[-1].end == 12

    @pytest.mark.parametrize("strategy", ["drop", "raise"])
    def test_other_strategies_cut_nothing(
        self, strategy: str, make_config: MakeConfig, tokenizer: Any
    ) -> None:
        config = make_config({"type": "alpaca"}, excess_length_strategy=strategy, sequence_len=11)
        [sample] = tokenize_rows(config, [{"instruction": "Add.", "output": "4"}], tokenizer)

        assert (len(sample) > 11, sample.cut) == (True, 0)


class TestPrompt:
    def test_chat_asks_in_the_words_of_training(self, make_config: MakeConfig, tokenizer: Any) -> None:
        """CORRECTNESS 5 and 10: what chat sends is what the model saw up to its answer."""
        config = make_config({"chat_template": "chatml"})
        messages = [{"role": "user", "content": "Hi"}]
        [sample] = tokenize_rows(
            config, [{"messages": [*messages, {"role": "assistant", "content": "Yo"}]}], tokenizer
        )

        prompt = render_prompt(config, messages, tokenizer)

        assert prompt == sample.input_ids[: len(prompt)].tolist()
        assert sample.labels[len(prompt)] == sample.input_ids[len(prompt)]
        assert sample.trained == len(sample) - len(prompt) - 1

    def test_without_a_config_the_tokenizers_template_asks(self, tokenizer: Any) -> None:
        prompt = render_prompt(None, [{"role": "user", "content": "Hi"}], tokenizer)

        assert tokenizer.decode(prompt).endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")


TEXTS = st.text(alphabet=st.sampled_from("abc  \n\t.é🦎日本<|>{}"), max_size=12)
MESSAGES = st.lists(
    st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), TEXTS), min_size=1, max_size=4
)


def check(sample: Sample, text: str, tokenizer: Any) -> None:
    """Assert what holds for every sample: `text` is conserved, labels are ids or -100, spans hold each token once."""
    assert sample.input_ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
    edges = [(span.start, span.end) for span in sample.spans]
    assert all(start < end for start, end in edges)
    assert [token for start, end in edges for token in range(start, end)] == list(range(len(sample)))
    for span in sample.spans:
        expected = (
            sample.input_ids[span.start : span.end] if span.trained else [-100] * (span.end - span.start)
        )
        assert sample.labels[span.start : span.end].tolist() == list(expected)
        assert span.rule.startswith("trained: " if span.trained else "masked: ")


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(messages=MESSAGES, roles=st.sets(st.sampled_from(["system", "user", "assistant"]), min_size=1))
def test_chats_conserve_ids_and_spans_part_them(
    messages: list[tuple[str, str]], roles: set[str], make_config: MakeConfig, tokenizer: Any
) -> None:
    config = make_config({"chat_template": "chatml", "roles_to_train": sorted(roles)})
    row = {"messages": [{"role": role, "content": text} for role, text in messages]}
    [sample] = tokenize_rows(config, [row], tokenizer)

    check(sample, "".join(f"<|im_start|>{role}\n{text}<|im_end|>\n" for role, text in messages), tokenizer)
    for turn, (role, text) in enumerate(messages):
        contents = [span for span in sample.spans if span.turn == turn and "end of turn" not in span.rule]
        assert [span.role for span in contents] == ([role] if text else [])
        assert all(span.trained == (role in roles) for span in contents)
        # A token may hold the last character before the content, such as a newline, and never loses any of it.
        assert all(text in span.text for span in contents)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=TEXTS, length=st.integers(2, 9))
def test_windows_conserve_ids(text: str, length: int, make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config({"type": "completion"}, sequence_len=length)
    samples = tokenize_rows(config, [{"text": text}], tokenizer)

    whole = np.concatenate([sample.input_ids for sample in samples]).tolist()
    assert whole == tokenizer(text + "<|im_end|>" if text else "", add_special_tokens=False)["input_ids"]
    assert all(len(sample) <= length for sample in samples)
    assert all(sample.labels.tolist() == sample.input_ids.tolist() for sample in samples)
