"""A conversation that is laid out is the conversation rendered: text, pieces and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.config import Config
from ft_core.data.document import Document, Pieces, without_gaps
from ft_core.data.formats import chat_template, layouts
from ft_core.data.formats.chat_messages import plain_turns, read_conversation
from ft_core.data.formats.layouts import Layouts
from ft_core.data.opaque import Opaque, prove_opaque
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]
Render = Callable[[Mapping[str, Any]], Document]

WORDS = [
    "Hi",
    "\n",
    " ",
    "\t",
    "\xa0",
    "\u2005",
    "é🦎",
    "<think>",
    "</think>",
    "<|im_end|>",
    "[/INST]",
    "zq0qz",
    "{{",
    "\U000f0000",
]
CONTENT = st.lists(st.sampled_from(WORDS), max_size=4).map("".join)
TRIMS_USERS = (
    "{% for m in messages %}[{{ m.role }}]{{ m.content | trim if m.role == 'user' else m.content }}"
    "{% if not loop.last %}<|im_end|>\n{% endif %}{% endfor %}"
)
LEFT_ONLY = "{% for m in messages %}\n{{ m.role }}:{{ m.content.lstrip() }}<|im_end|>{% endfor %}"
LINES_ONLY = "{% for m in messages %}{{ m.role }}:{{ m.content.strip('\n') }}<|im_end|>\n{% endfor %}"
NO_SYSTEM = (
    "{% for m in messages if m.role != 'system' %}{{ m.role }}: {{ m.content }}<|im_end|>\n{% endfor %}"
)
SYSTEM_LAST = "{% for m in messages[1:] %}{{ m.content }}<|im_end|>{% endfor %}{{ messages[0].content }}"
TWICE = "{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}{{ messages[0].content }}"
REFUSES = (
    "{% for m in messages %}{% if m.role == 'user' and loop.previtem is defined and loop.previtem.role == 'user' %}"
    "{{ raise_exception('Twice: ' + m.content) }}{% endif %}{{ m.content }}<|im_end|>{% endfor %}"
)
TEMPLATES = {
    name: {"chat_template": name}
    for name in ("chatml", "llama3", "gemma3", "mistral_v7_tekken", "deepseek_v3", "phi_4", "alpaca")
} | {
    f"own {number}": {"chat_template_jinja": text}
    for number, text in enumerate(
        (TRIMS_USERS, LEFT_ONLY, LINES_ONLY, NO_SYSTEM, SYSTEM_LAST, TWICE, REFUSES)
    )
}
DATASETS: list[dict[str, Any]] = [
    {},
    {"roles_to_train": []},
    {"train_on_eos": "last"},
    {"train_on_eos": "all"},
]


def rendered(render: Render, row: Mapping[str, Any]) -> object:
    try:
        [chunk] = render(row).chunks
    except DataError as error:
        return error.message
    pieces = chunk.pieces if isinstance(chunk.pieces, Pieces) else without_gaps(chunk.text, chunk.pieces)
    return chunk.text, list(pieces)


@pytest.fixture(scope="module")
def ways(make_config: MakeConfig, tokenizer: Any) -> dict[tuple[str, int], tuple[Render, Render]]:
    """Return, for each template and dataset, the function that lays out and the one that renders."""

    def both(template: Mapping[str, Any], dataset: Mapping[str, Any]) -> tuple[Render, Render]:
        config = make_config({**dataset}, **template)
        entry = config.datasets[0]
        form = chat_template.prepare(config, entry, tokenizer)
        conversation = chat_template.prepare_conversation(config, entry, tokenizer)
        return form.render, conversation.render

    return {
        (name, number): both(template, dataset)
        for name, template in TEMPLATES.items()
        for number, dataset in enumerate(DATASETS)
    }


@pytest.mark.parametrize("number", range(len(DATASETS)))
@pytest.mark.parametrize("name", TEMPLATES)
@settings(max_examples=40, deadline=None)
@given(
    roles=st.sampled_from(["ua", "sua", "uaua", "suaua", "uu"]),
    contents=st.lists(CONTENT, min_size=5, max_size=5),
)
def test_it_is_what_rendering_gives(
    name: str,
    number: int,
    roles: str,
    contents: list[str],
    ways: dict[tuple[str, int], tuple[Render, Render]],
) -> None:
    names = {"s": "system", "u": "user", "a": "assistant"}
    row = {"messages": [{"role": names[r], "content": c} for r, c in zip(roles, contents, strict=False)]}
    lays_out, renders = ways[name, number]
    # The first conversation of its roles is rendered.
    for _ in range(2):
        assert rendered(lays_out, row) == rendered(renders, row)


def conversation(*contents: str) -> list[tuple[str, str]]:
    return [("user" if number % 2 == 0 else "assistant", text) for number, text in enumerate(contents)]


class Counting:
    """Renders by a template of its own, and counts how often it is asked."""

    def __init__(self, make_config: MakeConfig, tokenizer: Any, template: str) -> None:
        config = make_config(chat_template_jinja=template)
        self.form = chat_template.prepare_conversation(config, config.datasets[0], tokenizer)
        self.count = 0

    def __call__(self, turns: Any) -> Document:
        self.count += 1
        return self.form.render({"messages": [{"role": role, "content": text} for role, text in turns]})


def test_a_sequence_of_roles_is_rendered_once_and_learned_once(
    make_config: MakeConfig, tokenizer: Any
) -> None:
    counting = Counting(make_config, tokenizer, TRIMS_USERS)
    laid_out = Layouts(Opaque((), strips_some=False), counting, counting)

    for text in ("a", " b\n", "c"):
        laid_out.document(conversation(text, text))
    assert counting.count == 2
    laid_out.document(conversation("a", "b", "c", "d"))
    assert counting.count == 4


def test_blank_contents_are_rendered(make_config: MakeConfig, tokenizer: Any) -> None:
    counting = Counting(make_config, tokenizer, TRIMS_USERS)
    laid_out = Layouts(Opaque((), strips_some=False), counting, counting)
    for _ in range(3):
        laid_out.document(conversation("a", " "))
    assert counting.count == 3


def test_what_was_proven_is_seen_before_it_is_used(make_config: MakeConfig, tokenizer: Any) -> None:
    template = "{% for m in messages %}{{ m.content | upper }}<|im_end|>{% endfor %}"
    assert prove_opaque(template) is None
    counting = Counting(make_config, tokenizer, template)
    laid_out = Layouts(Opaque((), strips_some=False), counting, counting)

    texts = [laid_out.document(conversation("a", "b")).chunks[0].text for _ in range(2)]

    assert texts == ["A<|im_end|>B<|im_end|>"] * 2


def test_the_date_is_that_of_the_conversation(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    counting = Counting(make_config, tokenizer, TRIMS_USERS)
    laid_out = Layouts(Opaque(("%d",), strips_some=False), counting, counting)
    for day in ("1", "1", "2"):
        monkeypatch.setattr(layouts, "written_now", lambda _, day=day: day)
        laid_out.document(conversation("a", "b"))
    assert counting.count == 4


def test_only_so_many_are_kept(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layouts, "MOST", 1)
    counting = Counting(make_config, tokenizer, TRIMS_USERS)
    laid_out = Layouts(Opaque((), strips_some=False), counting, counting)
    for roles in (("a", "b"), ("a", "b"), ("a", "b", "c", "d"), ("a", "b", "c", "d")):
        laid_out.document(conversation(*roles))
    assert counting.count == 4


def test_a_prompt_that_begins_the_text_by_chance_is_seen(
    ways: dict[tuple[str, int], tuple[Render, Render]],
) -> None:
    name = f"own {[TRIMS_USERS, LEFT_ONLY, LINES_ONLY, NO_SYSTEM, SYSTEM_LAST].index(SYSTEM_LAST)}"
    lays_out, renders = ways[name, 1]
    roles = ("system", "user", "assistant", "user")
    for contents in ("abcd", "abcd", "aaaa"):
        row = {"messages": [{"role": r, "content": c} for r, c in zip(roles, contents, strict=True)]}
        assert rendered(lays_out, row) == rendered(renders, row)


SHAREGPT = {
    "field_messages": "conversations",
    "message_property_mappings": {"role": "from", "content": "value"},
}


@pytest.mark.parametrize(
    ("dataset", "row"),
    [
        ({}, {"messages": [{"role": "human", "content": " Hi "}, {"role": "gpt", "content": ""}]}),
        ({}, {"messages": [{"role": "user", "content": "Hi", "name": None, "train": None}], "tools": None}),
        (SHAREGPT, {"conversations": [{"from": "human", "value": "Hi"}, {"value": "Yo", "from": "gpt"}]}),
        ({"drop_system_message": True}, {"messages": [{"role": "user", "content": "Hi"}], "system": ""}),
    ],
)
def test_plain_messages_are_read_as_any_are(
    dataset: dict[str, Any], row: dict[str, Any], make_config: MakeConfig
) -> None:
    entry = make_config(dataset).datasets[0]
    read = plain_turns(entry)
    assert read is not None
    assert read(row) == [(m.message["role"], m.message["content"]) for m in read_conversation(row, entry)]


@pytest.mark.parametrize(
    ("dataset", "row"),
    [
        ({}, {"messages": []}),
        ({}, {"messages": None}),
        ({}, {"messages": "[]"}),
        ({}, {"messages": [5]}),
        ({}, {"messages": [{"role": "user", "content": None}]}),
        ({}, {"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}),
        ({}, {"messages": [{"role": 5, "content": "Hi"}]}),
        ({}, {"messages": [{"role": "user", "content": "Hi", "name": "Bo"}]}),
        ({}, {"messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "f"}]}),
        ({}, {"messages": [{"role": "user", "content": "Hi"}], "system": "Be kind."}),
        ({"drop_system_message": True}, {"messages": [{"role": "system", "content": "Hi"}]}),
        (SHAREGPT, {"conversations": [{"role": "human", "content": "Hi"}]}),
    ],
)
def test_others_are_left_to_the_reader_of_all(
    dataset: dict[str, Any], row: dict[str, Any], make_config: MakeConfig
) -> None:
    read = plain_turns(make_config(dataset).datasets[0])
    assert read is not None
    assert read(row) is None


@pytest.mark.parametrize(
    "dataset",
    [
        {"split_thinking": True},
        {"message_property_mappings": {"name": "role"}},
        {"message_field_training": "role"},
        {"message_field_training_detail": "content"},
    ],
)
def test_some_datasets_have_no_plain_messages(dataset: dict[str, Any], make_config: MakeConfig) -> None:
    assert plain_turns(make_config(dataset).datasets[0]) is None
