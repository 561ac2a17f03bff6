"""Conversations with reasoning, tools, parts and details; SmolLM2's tokenizer, whose ends of turn are ChatML's."""

from __future__ import annotations

import doctest
import json
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from ft_core.config import Config
from ft_core.data import Sample, tokenize_rows
from ft_core.data.formats import content_parts, thinking, training_detail
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]
Render = Callable[..., Sample]

ASK = {"role": "user", "content": "Why?"}
CALL = {"type": "function", "function": {"name": "look", "arguments": '{"at": "sky"}'}}
CALLED = '<tool_call>\n{"name": "look", "arguments": {"at": "sky"}}\n</tool_call>'
NEVER = "The chat template never writes '{}', so the model does not learn to end its turn; set eot_tokens to "
NEEDLESS = "masked: parts of the message are marked, and this is none"


def answer(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


@pytest.fixture(scope="session")
def sample(make_config: MakeConfig, tokenizer: Any) -> Render:
    """Return a function from messages, the dataset's keys and the config's to the sample."""

    def make(messages: Any, dataset: dict[str, Any] | None = None, row: Any = None, **keys: Any) -> Sample:
        config = make_config(dataset, **{"chat_template": "qwen3", **keys})
        [made] = tokenize_rows(config, [{"messages": messages, **(row or {})}], tokenizer)
        return made

    return make


def trained(sample: Sample) -> list[str]:
    """Return the text of each stretch that is trained."""
    return [span.text for span in sample.spans if span.trained]


def spans_of(sample: Sample, turn: int) -> list[tuple[str, str]]:
    """Return text and rule of each span of a message."""
    return [(span.text, span.rule) for span in sample.spans if span.turn == turn]


@pytest.mark.parametrize("module", [content_parts, thinking, training_detail])
def test_the_examples_of_docstrings(module: Any) -> None:
    failed, attempted = doctest.testmod(module)

    assert (failed, attempted) == (0, 1)


class TestReasoning:
    """CORRECTNESS 11: what a template drops is not looked for, and what it writes is trained with the answer."""

    def test_reasoning_is_trained_where_the_template_writes_it(self, sample: Render) -> None:
        messages = [
            ASK,
            answer("So.", reasoning_content="hm"),
            ASK,
            answer("Thus.", reasoning_content="hm hm"),
        ]

        assert trained(sample(messages)) == [
            "So.", "<|im_end|>", "hm hm\n</think>\n\nThus.", "<|im_end|>",
        ]  # fmt: skip

    def test_reasoning_within_the_content_is_the_same(self, sample: Render) -> None:
        apart = sample(
            [ASK, answer("So.", reasoning_content="a"), ASK, answer("Thus.", reasoning_content="b")]
        )
        within = sample(
            [ASK, answer("<think>\na\n</think>\n\nSo."), ASK, answer("<think>\nb\n</think>\n\nThus.")]
        )

        assert within.input_ids.tolist() == apart.input_ids.tolist()
        assert within.labels.tolist() == apart.labels.tolist()

    def test_an_answer_without_reasoning_trains_no_empty_tags(self, sample: Render) -> None:
        made = sample([ASK, answer("So.")])

        assert [(span.text, span.trained) for span in made.spans[3:]] == [
            ("\n<|im_start|>assistant\n<think>\n\n</think>\n\n", False),
            ("So.", True), ("<|im_end|>", True), ("\n", False),
        ]  # fmt: skip

    @pytest.mark.parametrize(
        "content",
        [
            "<think>hm</think>So.",
            "\n<think>\nhm\n</think>\n\nSo.",
            "<reasoning>hm</reasoning> So.",
            "<|begin_of_thought|>hm<|end_of_thought|>\n<|begin_of_solution|>\nSo.\n<|end_of_solution|>",
            "<|begin_of_thought|>hm<|end_of_thought|>So.",
        ],
    )
    def test_reasoning_in_tags_can_be_split_off(self, content: str, sample: Render) -> None:
        template = (
            "{% for m in messages %}{{ m.role }}: {% if m.why %}({{ m.why }}) {% endif %}{{ m.content }}<|im_end|>\n"
            "{% endfor %}"
        )
        made = sample(
            [ASK, answer(content)],
            {"split_thinking": True, "template_thinking_key": "why"},
            chat_template="jinja",
            chat_template_jinja=template,
        )

        assert trained(made) == [" (hm) So.", "<|im_end|>"]

    def test_what_does_not_begin_with_reasoning_is_left_alone(self, sample: Render) -> None:
        content = "Let me see. <think>hm</think>So."
        made = sample([ASK, answer(content)], {"split_thinking": True}, chat_template="chatml")

        assert trained(made) == [content, "<|im_end|>"]

    def test_the_data_may_name_it_otherwise(self, sample: Render) -> None:
        made = sample([ASK, answer("So.", thoughts="hm")], {"field_thinking": "thoughts"})

        assert trained(made) == ["hm\n</think>\n\nSo.", "<|im_end|>"]

    def test_a_template_that_keeps_no_reasoning_still_trains_the_answer(self, sample: Render) -> None:
        made = sample([ASK, answer("So.", reasoning_content="hm")], chat_template="chatml")

        assert trained(made) == ["So.", "<|im_end|>"]


class TestTools:
    def test_a_call_is_trained_with_its_tags_and_what_a_tool_says_is_not(self, sample: Render) -> None:
        tools = json.dumps(
            [{"type": "function", "function": {"name": "look", "parameters": '{"type": "object"}'}}]
        )
        messages = [
            ASK, answer("", tool_calls=[CALL]), {"role": "tool", "content": "blue"},
            answer("Hm.", tool_calls=[CALL, CALL]), {"role": "tool", "content": "red"}, answer("So."),
        ]  # fmt: skip
        made = sample(messages, row={"tools": tools})

        assert trained(made) == [
            CALLED, "<|im_end|>", f"Hm.\n{CALLED}\n{CALLED}", "<|im_end|>", "So.", "<|im_end|>",
        ]  # fmt: skip
        assert (
            '{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}'
            in made.spans[0].text
        )
        assert spans_of(made, 2)[0] == ("blue", "masked: role tool is not in roles_to_train")

    def test_the_column_of_tools_may_have_another_name(self, sample: Render) -> None:
        tools = [{"type": "function", "function": {"name": "look"}}]
        [here, there] = (
            sample([ASK, answer("So.")], row={"tools": tools}),
            sample(
                [ASK, answer("So.")], {"field_tools": "functions"}, {"functions": tools, "tools": "no JSON"}
            ),
        )

        assert here.input_ids.tolist() == there.input_ids.tolist()

    @pytest.mark.parametrize(
        ("message", "tools", "complaint"),
        [
            (answer("", tool_calls=[{"function": {"name": "f", "arguments": "x"}}]), None,
             "'arguments' is text that is not valid JSON (Expecting value: line 1 column 1 (char 0))."),
            (answer("", tool_calls={"name": "f"}), None, "'tool_calls' must be a list of objects, not an object."),
            (answer("So."), {"name": "f"}, "'tools' must be a list of objects, not an object."),
            (answer("So."), "[", "'tools' is text that is not valid JSON (Expecting value: line 1 column 2 (char 1))."),
        ],
    )  # fmt: skip
    def test_what_is_no_tool_is_told(self, message: Any, tools: Any, complaint: str, sample: Render) -> None:
        with pytest.raises(DataError) as caught:
            sample([ASK, message], row={"tools": tools})

        assert caught.value.message == f"some/rows, row 1: {complaint}"

    def test_a_template_without_a_form_for_calls_says_so(self, sample: Render) -> None:
        with pytest.raises(DataError) as caught:
            sample([ASK, answer("", tool_calls=[CALL])], chat_template="chatml")

        assert caught.value.message == (
            "some/rows, row 1: The chat template of chat_template 'chatml' of the config refuses this conversation: "
            "chat_template 'chatml' has no form for tool calls"
        )


class TestParts:
    def test_parts_without_flags_are_one_text(self, sample: Render) -> None:
        parts = [{"type": "text", "text": "So"}, {"content": " it"}, {"value": " is."}]

        assert trained(sample([ASK, answer(parts)])) == ["So it is.", "<|im_end|>"]
        assert trained(sample([{**ASK, "content": parts}, answer("So.")])) == ["So.", "<|im_end|>"]

    def test_each_part_may_say_whether_it_is_trained(self, sample: Render) -> None:
        parts = [
            {"text": "Let me think..."},
            {"text": " No.", "weight": 0},
            {"text": " Four.", "train": True},
        ]
        made = sample([ASK, answer(parts)])

        assert spans_of(made, 1) == [
            ("Let me think...", "trained: this part is marked"),
            (" No.", "masked: this part is not marked to train"),
            (" Four.", "trained: this part is marked"),
            ("<|im_end|>", "trained: end of turn (train_on_eos: turn)"),
        ]

    def test_a_part_makes_a_message_of_any_role_trained(self, sample: Render) -> None:
        asked = {"role": "user", "content": [{"text": "Why", "train": True}, {"text": "?", "train": False}]}

        assert trained(sample([asked, answer("So.")])) == ["Why", "<|im_end|>", "So.", "<|im_end|>"]

    def test_reasoning_may_come_in_parts(self, sample: Render) -> None:
        parts = [{"text": "hm"}, {"text": " no", "train": False}]
        made = sample([ASK, answer([{"text": "So.", "train": True}], reasoning_content=parts)])

        assert spans_of(made, 1) == [
            ("hm", "trained: this part is marked"),
            (" no", "masked: this part is not marked to train"),
            ("\n</think>\n\n", NEEDLESS),
            ("So.", "trained: this part is marked"),
            ("<|im_end|>", "trained: end of turn (train_on_eos: turn)"),
        ]

    @pytest.mark.parametrize(
        ("parts", "complaint"),
        [
            (["So."], "'content' of message 2: part 1 must be an object with a 'text', not 'So.'."),
            ([{"text": "a"}, {"type": "image", "url": "x"}],
             "'content' of message 2: part 2 holds 'image', and only text can be trained on."),
        ],
    )  # fmt: skip
    def test_a_part_that_is_no_text_is_told(self, parts: Any, complaint: str, sample: Render) -> None:
        with pytest.raises(DataError) as caught:
            sample([ASK, answer(parts)])

        assert caught.value.message == f"some/rows, row 1: {complaint}"


class TestDetails:
    DETAIL: ClassVar = {"message_field_training_detail": "marks"}

    def marked(self, content: str, *marks: tuple[int, int, bool]) -> dict[str, Any]:
        names = ("begin_offset", "end_offset", "train")
        return answer(content, marks=[dict(zip(names, mark, strict=True)) for mark in marks])

    @pytest.mark.parametrize(
        ("marks", "found"),
        [
            # The end is part of it, and characters that nothing is said of are masked.
            ([(0, 14, False), (15, 31, True)], [" Second sentence."]),
            ([(0, 13, True)], ["First sentence"]),
            # A token is taken whole where two of its characters are marked, and left where one is.
            ([(16, 21, True)], [" Second"]),
            ([(20, 21, True)], [" Second"]),
            ([(21, 22, True)], []),
            ([(3, 5, True)], ["First"]),
            ([(0, 15, True), (16, 31, False)], ["First sentence."]),
            ([(0, 15, False), (16, 31, True)], [" Second sentence."]),
            ([(0, 1000, True)], ["First sentence. Second sentence."]),
            ([(0, 31, False)], []),
            ([(14, 14, True)], ["."]),
        ],
    )
    def test_characters_say_what_is_trained(self, marks: Any, found: list[str], sample: Render) -> None:
        made = sample([ASK, self.marked("First sentence. Second sentence.", *marks)], self.DETAIL)

        assert trained(made) == [*found, "<|im_end|>"]

    def test_they_count_in_the_content_that_a_template_trims(self, sample: Render) -> None:
        trims = "{% for m in messages %}{{ m.content | trim }}<|im_end|>{% endfor %}"
        made = sample(
            [ASK, self.marked("  One two.  ", (5, 9, True))],
            self.DETAIL,
            chat_template="jinja",
            chat_template_jinja=trims,
        )

        assert trained(made) == [" two.", "<|im_end|>"]

    def test_they_count_in_the_content_that_a_template_takes_apart(self, sample: Render) -> None:
        content = "<think>\nhm hm\n</think>\n\nSo it is."
        made = sample([ASK, self.marked(content, (8, 9, True), (26, 28, True))], self.DETAIL)

        assert trained(made) == ["hm", " it", "<|im_end|>"]

    def test_a_text_that_the_template_changes_has_no_place_for_them(self, sample: Render) -> None:
        shouts = "{% for m in messages %}{{ m.content | upper }}<|im_end|>{% endfor %}"
        made = sample(
            [ASK, self.marked("So it is.", (0, 1, True))],
            self.DETAIL,
            chat_template="jinja",
            chat_template_jinja=shouts,
        )

        rule = "masked: the template changed the text, so the parts of message 2 have no place"
        assert spans_of(made, 1)[0] == ("SO IT IS.", rule)

    def test_no_details_train_nothing_and_the_message_goes_before_them(self, sample: Render) -> None:
        keys = {**self.DETAIL, "message_field_training": "train"}

        assert trained(sample([ASK, answer("So.", marks=[])], keys)) == []
        assert trained(sample([ASK, {**self.marked("So.", (0, 2, True)), "train": False}], keys)) == []

    @pytest.mark.parametrize(
        ("marks", "complaint"),
        [
            ("all", "'marks' of message 2 must be a list of begin_offset, end_offset and train, not 'all'."),
            (["all"],
             "'marks' of message 2 must hold objects with begin_offset, end_offset and train, not 'all'."),
            ([{"begin_offset": 0, "end_offset": "3", "train": True}],
             "'marks' of message 2: 'end_offset' must be the number of a character, from 0, not '3'."),
            ([{"begin_offset": -1, "end_offset": 3, "train": True}],
             "'marks' of message 2: 'begin_offset' must be the number of a character, from 0, not -1."),
            ([{"begin_offset": 3, "end_offset": 2, "train": True}],
             "'marks' of message 2: end_offset 2 is before begin_offset 3."),
            ([{"begin_offset": 0, "end_offset": 3}], "'marks' of message 2: 'train' must be true or false, not None."),
        ],
    )  # fmt: skip
    def test_what_is_no_detail_is_told(self, marks: Any, complaint: str, sample: Render) -> None:
        with pytest.raises(DataError) as caught:
            sample([ASK, answer("So.", marks=marks)], self.DETAIL)

        assert caught.value.message == f"some/rows, row 1: {complaint}"


class TestSystemMessages:
    SYSTEM: ClassVar = {"role": "system", "content": "Be brief."}

    def test_they_can_be_dropped(self, sample: Render) -> None:
        dropped = sample([self.SYSTEM, ASK, answer("So.")], {"drop_system_message": True})

        assert dropped.input_ids.tolist() == sample([ASK, answer("So.")]).input_ids.tolist()
        assert [span.turn for span in dropped.spans if span.text == "So."] == [1]

    def test_a_row_with_nothing_else_is_told(self, sample: Render) -> None:
        with pytest.raises(DataError) as caught:
            sample([self.SYSTEM], {"drop_system_message": True})

        assert caught.value.message == (
            "some/rows, row 1: 'messages' holds nothing but a system message, and drop_system_message is true."
        )

    def test_conversations_without_one_may_have_a_default(self, sample: Render) -> None:
        default = sample([ASK, answer("So.")], default_system_message="Be brief.")

        assert default.input_ids.tolist() == sample([self.SYSTEM, ASK, answer("So.")]).input_ids.tolist()
        own = sample([{**self.SYSTEM, "content": "Be long."}, ASK], default_system_message="Be brief.")
        assert own.spans[1].text == "Be long."

    @pytest.mark.parametrize(
        ("template", "text"),
        [
            ("mistral_v1", ["Be brief.", "Why?", "So.", "Why?", "Thus."]),
            ("mistral_v2v3", ["Why?", "So.", "Be brief.", "Why?", "Thus."]),
            ("gemma3", ["Be brief.", "Why?", "So.", "Why?", "Thus."]),
        ],
    )
    def test_one_that_stands_in_a_users_turn_is_told_from_it(
        self, template: str, text: list[str], sample: Render
    ) -> None:
        messages = [self.SYSTEM, ASK, answer("So."), ASK, answer("Thus.")]
        made = sample(messages, {"train_on_eos": "none"}, chat_template=template)

        # A mark that is no token of this tokenizer begins in the token that ends a text.
        said = [(span.text.strip(" <"), span.role) for span in made.spans if span.turn is not None]
        assert [words for words, _ in said if "im_end" not in words] == text
        assert ("Be brief.", "system") in said
        assert [words.strip(" <") for words in trained(made)] == ["So.", "Thus."]

    def test_a_template_that_knows_none_refuses_the_row(self, sample: Render) -> None:
        with pytest.raises(DataError) as caught:
            sample([self.SYSTEM, ASK, answer("So.")], chat_template="gemma")

        assert caught.value.message == (
            "some/rows, row 1: The chat template of chat_template 'gemma' of the config refuses this conversation: "
            "chat_template 'gemma' has no form for a system message"
        )


class TestTheLastMessageAlone:
    MESSAGES: ClassVar = [ASK, answer("So."), ASK, answer("Thus.")]

    def test_all_that_follows_its_prompt_is_trained(self, sample: Render) -> None:
        made = sample(self.MESSAGES, {"roles_to_train": []})

        assert trained(made) == ["<think>\n\n</think>\n\nThus.<|im_end|>\n"]
        assert [(span.role, span.rule) for span in made.spans] == [
            ("prompt", "masked: prompt of the last message"),
            ("assistant", "trained: last message (roles_to_train is empty)"),
        ]

    def test_train_on_inputs_trains_the_prompt(self, sample: Render) -> None:
        made = sample(self.MESSAGES, {"roles_to_train": []}, train_on_inputs=True)

        assert made.labels.tolist() == made.input_ids.tolist()

    def test_where_the_prompt_does_not_begin_the_text_nothing_is_trained(self, sample: Render) -> None:
        template = "{{ messages | length }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}"
        made = sample(
            self.MESSAGES, {"roles_to_train": []}, chat_template="jinja", chat_template_jinja=template
        )

        assert trained(made) == []


def test_a_message_that_the_template_leaves_out_has_no_span(sample: Render) -> None:
    template = "{% for m in messages[1:] %}{{ m.content }}<|im_end|>{% endfor %}"
    made = sample([ASK, answer("So.")], chat_template="jinja", chat_template_jinja=template)

    assert {span.turn for span in made.spans} == {1}


@pytest.mark.parametrize(
    ("template", "eot_tokens", "warnings"),
    [
        ("<|im_end|>", None, ()),
        ("{{ eos_token }}", None, ()),
        ("<|endoftext|>", ["<|endoftext|>"], ()),
        ("<|im_end|>", ["<|im_end|>", "<|endoftext|>"],
         ("eot_tokens: the chat template never writes '<|endoftext|>', so it is left out.",)),
        # What is left out may be several tokens.
        ("<|im_end|>", ["<|im_end|>", "<|endofturn|>"],
         ("eot_tokens: the chat template never writes '<|endofturn|>', so it is left out.",)),
        ("<|endoftext|>", None,
         (NEVER.format("<|im_end|>") + "['<|endoftext|>'].",)),
        ("END", ["<|endoftext|>"],
         (NEVER.format("<|endoftext|>") + "the token that does end a turn in this template.",)),
    ],
)  # fmt: skip
def test_ends_of_turn_that_are_never_written_are_told(
    template: str, eot_tokens: Any, warnings: tuple[str, ...], make_config: MakeConfig, tokenizer: Any
) -> None:
    """CORRECTNESS 7: a stop token that is not trained is a warning that names the one to train."""
    from ft_core.data.formats import resolve_format

    jinja = "{% for m in messages %}{{ m.content }}" + template + "{% endfor %}"
    config = make_config(chat_template="jinja", chat_template_jinja=jinja, eot_tokens=eot_tokens)

    assert resolve_format(config, config.datasets[0], tokenizer).warnings == warnings
