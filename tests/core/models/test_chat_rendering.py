"""Templates written without transformers: what they can use, and which conversations are left to it."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Any

import pytest
from jinja2 import TemplateError
from jinja2.exceptions import SecurityError
from transformers.utils.chat_template_utils import render_jinja_template

from ft_core.models.chat_rendering import is_plain, render_chat

USER = {"role": "user", "content": "Why <b>?"}


class Word(str, Enum):
    WHY = "why"


@pytest.mark.parametrize(
    "template",
    [
        "{%- for message in messages %}\n    {{- message.role }}\n{%- endfor %}\n",
        "  {% if tools %}\n{{ tools | tojson(indent=2) }}\n  {% endif %}\nend",
        "{{ messages | tojson }}{{ {'b': 1, 'a': 'é'} | tojson(sort_keys=true, ensure_ascii=true, separators=(',', ':')) }}",
        "{% for x in [1, 2, 3] %}{% if x == 2 %}{% continue %}{% endif %}{{ x }}{% if loop.last %}{% break %}{% endif %}{% endfor %}",
        "{% generation %}\n{{ messages[0].content }}\n{% endgeneration %}{{ bos_token }}{{ nothing }}",
        "{% set seen = namespace(n=0) %}{% for x in messages %}{% set seen.n = seen.n + 1 %}{% endfor %}{{ seen.n }}{{ dict(a=1) }}",
        "{{ strftime_now('%Y') }}{{ add_generation_prompt }}{{ documents is none }}{{ tools is defined }}",
    ],
)
def test_as_transformers_writes_it(template: str) -> None:
    keys: dict[str, Any] = {"bos_token": "<s>"}
    tools = [{"type": "function", "function": {"name": "é <look>"}}]
    assert is_plain(template, [USER], tools, keys)
    for given in (None, tools):
        [expected], _ = render_jinja_template([[USER]], tools=given, chat_template=template, **keys)
        assert render_chat(template, [USER], given, keys, add_generation_prompt=False) == expected


def test_the_year_is_this_one() -> None:
    found = render_chat("{{ strftime_now('%Y') }}", [USER], None, {}, add_generation_prompt=False)
    assert found == str(datetime.now().year)


def test_a_template_refuses() -> None:
    with pytest.raises(TemplateError, match=r"^no system$"):
        render_chat("{{ raise_exception('no system') }}", [USER], None, {}, add_generation_prompt=False)


@pytest.mark.parametrize("template", ["{{ messages.append(1) }}", "{{ ''.__class__.__mro__ }}"])
def test_a_template_cannot_reach_out(template: str) -> None:
    with pytest.raises(SecurityError):
        render_chat(template, [USER], None, {}, add_generation_prompt=False)


@pytest.mark.parametrize(
    ("messages", "tools", "variables", "plain"),
    [
        ([USER], None, {}, True),
        ([USER], [{"a": [1, 2.5, None, True]}], {"think": False}, True),
        ([USER | {"parts": [{"text": None}]}], None, {}, True),
        ([], None, {}, False),
        ((USER,), None, {}, False),
        (["Why?"], None, {}, False),
        ([USER | {"content": None}], None, {}, False),
        ([USER | {"reasoning_content": "hm"}], None, {}, False),
        ([USER | {"thinking": "hm"}], None, {}, False),
        ([USER | {"reasoning": ""}], None, {}, False),
        ([USER | {"content": Word.WHY}], None, {}, False),
        ([USER | {"content": ("a", "b")}], None, {}, False),
        ([USER | {1: "a"}], None, {}, False),
        ([USER], [len], {}, False),
        ([USER], None, {"now": datetime(2026, 1, 1)}, False),
    ],
)
def test_plain_conversations(messages: Any, tools: Any, variables: dict[str, Any], plain: bool) -> None:
    assert is_plain("{{ messages }}", messages, tools, variables) == plain


@pytest.mark.parametrize(
    ("template", "plain"),
    [
        ("{{ a_b }}{{ strftime_now('%d') }}", True),
        ("{% set ns = namespace(_a=1) %}", False),
        ("{% set ns._a = 1 %}", False),
        ("{{ dict.fromkeys('ab') }}", False),
    ],
)
def test_templates_whose_names_transformers_guards(template: str, plain: bool) -> None:
    assert is_plain(template, [USER], None, {}) == plain
