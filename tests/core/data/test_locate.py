from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ft_core.data import locate
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


def template(text: str) -> Render:
    compiled = ImmutableSandboxedEnvironment().from_string(text)
    return lambda messages: compiled.render(messages=messages)


def chat(*contents: str) -> list[dict[str, object]]:
    return [
        {"role": "user" if at % 2 == 0 else "assistant", "content": text} for at, text in enumerate(contents)
    ]


def located(render: Render, messages: Sequence[Message]) -> list[str | None]:
    text = render(messages)
    return [found and text[slice(*found)] for found in locate_messages(render, messages, text)]


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
        (ONLY_LAST, ["Hi", "Yo"], [None, "Yo"]),
        (TWICE, ["Hi", "Yo"], [None, None]),
        (SHOUTS, ["be loud", "Yo", "Hi"], [None, "Yo", "Hi"]),
        (ASKS, ["Why", "So"], [None, "So"]),
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


@given(CONTENTS, st.sampled_from([PLAIN, TRIMS]))
def test_both_ways_to_find_messages_agree(contents: list[str], jinja: str) -> None:
    render, messages = template(jinja), chat(*contents)
    text = render(messages)

    at_once = locate._by_markers(render, messages, text)
    one_by_one = locate._by_difference(render, messages, text)

    assert at_once is not None
    # An empty message has no characters that could differ, so only its place is left open.
    assert [a for a in at_once if a[0] < a[1]] == [b for b in one_by_one if b and b[0] < b[1]]


@given(CONTENTS, st.sampled_from([PLAIN, TRIMS, THINKS]))
def test_what_is_found_is_what_the_message_says(contents: list[str], jinja: str) -> None:
    for content, found in zip(contents, located(template(jinja), chat(*contents)), strict=True):
        assert found is not None
        assert found.strip() in content or found.removeprefix("</think>") in content
