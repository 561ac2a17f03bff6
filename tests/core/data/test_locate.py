from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ft_core.data.locate import Render, locate_messages
from ft_core.data.template import Message
from ft_core.errors import DataError

PLAIN = "{% for m in messages %}<{{ m.role }}>{{ m.content }}</s>{% endfor %}"
TRIMS = "{% for m in messages %}<{{ m.role }}>{{ m.content | trim }}</s>{% endfor %}"
# Earlier thoughts are dropped, as reasoning models' templates do; the last answer always gets a thought.
THINKS = (
    "{% for m in messages %}<{{ m.role }}>"
    "{% if m.role == 'assistant' and loop.last %}"
    "<think>{{ m.reasoning_content or (m.content.split('</think>')[0].split('<think>')[-1] if '</think>' in m.content else '') }}</think>"
    "{% endif %}"
    "{{ m.content.split('</think>')[-1] }}</s>{% endfor %}"
)
CALLS = (
    "{% for m in messages %}<{{ m.role }}>{{ m.content }}"
    "{% for call in m.tool_calls or [] %}{{ '\\n' if m.content }}[{{ call.name }}]{% endfor %}</s>{% endfor %}"
)
ONLY_LAST = "<{{ messages[-1].role }}>{{ messages[-1].content }}</s>"
TWICE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}|{{ m.content }}</s>{% endfor %}"
# The first message decides how all others are written.
SHOUTS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ '!' if 'loud' in messages[0].content }}</s>{% endfor %}"
# What follows a message depends on it.
ASKS = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{{ '?' if 'Why' in m.content else '.' }}</s>{% endfor %}"
# A message that begins with a tag is written with another header.
STARTS = "{% for m in messages %}<{{ 'tool' if m.content.startswith('<tool>') else m.role }}>{{ m.content }}</s>{% endfor %}"
MEASURES = "{% for m in messages %}<{{ m.content | length }}>{{ m.content }}</s>{% endfor %}"
ESCAPES = "{% for m in messages %}<{{ m.role }}>{{ m.content | tojson if m.role == 'user' else m.content }}{% endfor %}"
SHOUTED = "{% for m in messages %}<{{ m.role }}>{{ m.content | upper }}</s>{% endfor %}"
STRIPS_LINES = "{% for m in messages %}<{{ m.role }}>{{ m.content.strip('\\n') }}</s>{% endfor %}"


def template(text: str) -> Render:
    compiled = ImmutableSandboxedEnvironment().from_string(text)
    return lambda messages: compiled.render(messages=messages)


def chat(*contents: str) -> list[dict[str, object]]:
    return [
        {"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(contents)
    ]


def located(render: Render, messages: Sequence[Message]) -> list[str | None]:
    text = render(messages)
    return [body and text[body.start : body.end] for body in locate_messages(render, messages, text)]


@pytest.mark.parametrize(
    ("jinja", "contents", "found"),
    [
        (PLAIN, ["Hi", "Yo"], ["Hi", "Yo"]),
        (PLAIN, ["4", "4", "4"], ["4", "4", "4"]),
        (PLAIN, [" padded ", "\n"], [" padded ", "\n"]),
        (PLAIN, ["Hi", ""], ["Hi", ""]),
        (PLAIN, ["[[a]]", "zebra vz"], ["[[a]]", "zebra vz"]),
        (TRIMS, [" Hi ", "\nYo\n"], ["Hi", "Yo"]),
        (TRIMS, ["Hi", "  "], ["Hi", ""]),
        (THINKS, ["Hi", "<think>a</think>Yo", "Bye"], ["Hi", "Yo", "Bye"]),
        (THINKS, ["Hi", "<think>a</think>Yo"], ["Hi", "a</think>Yo"]),
        (THINKS, ["Hi", "Yo"], ["Hi", "Yo"]),
        (THINKS, ["Hi", "\n<think>\na\n</think>\n\nYo\n"], ["Hi", "a\n</think>\n\nYo\n"]),
        (PLAIN, ["Hi", "<think>a</think>Yo"], ["Hi", "<think>a</think>Yo"]),
        (TRIMS, ["Hi", " <think>a</think> "], ["Hi", "<think>a</think>"]),
        (ONLY_LAST, ["Hi", "Yo"], ["", "Yo"]),
        (TWICE, ["Hi", "Yo"], [None, None]),
        (SHOUTS, ["be loud", "Yo", "Hi"], ["be loud", "Yo", "Hi"]),
        (ASKS, ["Why", "So"], ["Why", "So"]),
        (STARTS, ["<tool>x</tool>", "Yo", "x"], ["<tool>x</tool>", "Yo", "x"]),
        (MEASURES, ["Hi", "Yo"], ["Hi", "Yo"]),
        (ESCAPES, ['a "b"\n', "Yo"], ['a \\"b\\"\\n', "Yo"]),
        (SHOUTED, ["Hi", "Yo"], ["HI", "YO"]),
        (STRIPS_LINES, [" Hi \n", "\n\n Yo \n"], [" Hi ", " Yo "]),
        (ASKS, ["Look", "So"], ["Look", "So"]),
        (SHOUTS, ["be quiet", "Yo", "Hi"], ["be quiet", "Yo", "Hi"]),
    ],
)  # fmt: skip
def test_each_message_is_found_or_said_to_be_lost(
    jinja: str, contents: list[str], found: list[str | None]
) -> None:
    assert located(template(jinja), chat(*contents)) == found


def test_thinking_in_its_own_field_belongs_to_the_message() -> None:
    messages = [*chat("Hi"), {"role": "assistant", "content": "Yo", "reasoning_content": "polite"}]

    assert located(template(THINKS), messages) == ["Hi", "polite</think>Yo"]


def test_each_text_of_a_message_is_told() -> None:
    messages = [*chat("Hi"), {"role": "assistant", "content": " Yo", "reasoning_content": "polite"}]
    render = template(THINKS)
    [_, body] = locate_messages(render, messages, text := render(messages))

    assert body is not None
    assert {key: text[part.start : part.end] for key, part in body.parts.items()} == {
        "reasoning_content": "polite", "content": " Yo",
    }  # fmt: skip
    assert [(part.start, part.end) for part in body.parts["content"].stretches] == [(0, 3)]


def test_thinking_may_have_another_name() -> None:
    jinja = "{% for m in messages %}<{{ m.role }}>{% if m.why %}({{ m.why }}){% endif %}{{ m.content }}</s>{% endfor %}"
    messages = [*chat("Hi"), {"role": "assistant", "content": "Yo", "why": "polite"}]
    render = template(jinja)
    text = render(messages)

    [_, body] = locate_messages(render, messages, text, thinking_key="why")

    # The brackets are there for the thinking's sake, and so are part of the message.
    assert body is not None
    assert text[body.start : body.end] == "(polite)Yo"


def test_a_tool_call_belongs_to_the_message() -> None:
    call = {"role": "assistant", "content": "", "tool_calls": [{"name": "look"}]}

    assert located(template(CALLS), [*chat("Hi"), call]) == ["Hi", "[look]"]
    assert located(template(CALLS), [*chat("Hi"), {**call, "content": "So:"}]) == ["Hi", "So:\n[look]"]


def test_a_template_that_refuses_the_markers_leaves_what_it_can_find() -> None:
    plain = template(PLAIN)

    def picky(messages: Sequence[Message]) -> str:
        if messages[0]["content"] != "yes":
            raise DataError("The first message must be yes.")
        return plain(messages)

    assert located(picky, chat("yes", "Yo")) == [None, "Yo"]


CONTENTS = st.lists(st.text(alphabet="ab <>/s[z]\n", max_size=6), min_size=1, max_size=5)


@given(CONTENTS, st.sampled_from([PLAIN, TRIMS, STRIPS_LINES, STARTS, SHOUTS]))
def test_what_is_found_is_what_the_message_says(contents: list[str], jinja: str) -> None:
    for content, found in zip(contents, located(template(jinja), chat(*contents)), strict=True):
        assert found is not None
        assert found.strip() == content.strip()
        assert found in content


@given(CONTENTS)
def test_a_text_that_is_not_trimmed_is_found_whole(contents: list[str]) -> None:
    assert located(template(PLAIN), chat(*contents)) == contents


def test_many_messages_take_few_renderings() -> None:
    """What a template writes is found in renderings that do not grow with the messages."""
    plain, calls = template(CALLS), 0

    def counted(messages: Sequence[Message]) -> str:
        nonlocal calls
        calls += 1
        return plain(messages)

    messages = [
        {**message, "tool_calls": [{"name": f"look{at}"}]} if at % 10 == 1 else message
        for at, message in enumerate(chat(*(f"message {at}" for at in range(200))))
    ]
    found = located(counted, messages)

    assert found[1] == "message 1\n[look1]"
    assert found[2] == "message 2"
    assert calls == 1 + 1 + 2


def test_one_odd_message_among_many_is_found_by_halving() -> None:
    calls = 0
    odd = template(STARTS)

    def counted(messages: Sequence[Message]) -> str:
        nonlocal calls
        calls += 1
        return odd(messages)

    contents = ["<tool>" if at == 77 else f"message {at}" for at in range(200)]
    assert located(counted, chat(*contents)) == contents
    assert calls < 40
