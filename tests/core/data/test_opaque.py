"""A template is proven to copy what is said only where it does nothing else with it."""

from __future__ import annotations

import pytest

from ft_core.data.opaque import Opaque, prove_opaque
from ft_core.data.template import builtin_template

COPIES = Opaque((), strips_some=False)


def each(body: str) -> str:
    """Return a template that does `body` for each message."""
    return "{% for m in messages %}" + body + "{% endfor %}"


@pytest.mark.parametrize(
    "template",
    [
        each("{{ m['role'] + ': ' + m['content'] + '\n' }}"),
        each("{{ m.role ~ m.content | trim }}"),
        each("{{ m.content.strip() }}{{ m.get('content') }}"),
        each("{% if m.role == 'user' %}{{ m.content }}{% elif 'tool_calls' in m %}!{% endif %}"),
        each("{% if m.content %}{{ m.content }}{% endif %}"),
        each("{% if m.content is string %}{{ m.content }}{% else %}{{ m.content[0].text }}{% endif %}"),
        each("{% if m.content is not string and m.content | length > 5 %}!{% endif %}"),
        each("{{ m.content if m.content is string else m.content | join }}"),
        each(
            "{% if m.content != '' and m.content is not none and m.content != none %}{{ m.content }}{% endif %}"
        ),
        each("{% set c = m.content %}{% set c = 'a' + c %}{% if c is string %}{{ c }}{% endif %}"),
        each("{% generation %}{{ m.content }}{% endgeneration %}"),
        each("{% if loop.first %}{% continue %}{% endif %}{{ m.content }}{{ loop.previtem.role }}"),
        "{% set messages = messages[1:] %}{{ messages[0]['content'] }}{{ messages[-1].role }}{{ messages | length }}",
        "{% for m in messages | reverse if m.role != 'system' %}{{ m.content }}{% endfor %}{{ (messages | last).content }}",
        "{% set ns = namespace(said='', n=0) %}"
        + each(
            "{% set ns.said = m.content %}{% set ns.n = ns.n + 1 %}{% if ns.n > 2 %}{{ ns.said }}{% endif %}"
        ),
        "{% macro say(m, end='.') %}{{ m.content }}{{ end }}{% endmacro %}" + each("{{ say(m, end='!') }}"),
        each("{% set c %}{{ m.content }}{% endset %}{{ c }}"),
        each("{% if m.role not in ['user'] %}{{ raise_exception('no ' + m.content) }}{% endif %}"),
    ],
)
def test_what_copies_is_opaque(template: str) -> None:
    assert prove_opaque(template) == COPIES


@pytest.mark.parametrize(
    "body",
    [
        "{{ m.content.split('</think>')[-1] }}",
        "{{ m.content.replace('a', 'b') }}",
        "{{ m.content[:5] }}",
        "{{ m.content | upper }}",
        "{{ m.content | length }}",
        "{{ m.content | tojson }}",
        "{{ m.content * 2 }}",
        "{{ '%s' % m.content }}",
        "{{ 'x'.join([m.content]) }}",
        "{{ 'abc'.startswith(m.content) }}",
        "{{ {'a': 1}[m.content] }}",
        "{{ m.content.strip('a') }}",
        "{{ m.content | trim('a') }}",
        "{% if 'a' in m.content %}a{% endif %}",
        "{% if m.content in 'abc' %}a{% endif %}",
        "{% if m.content == 'a' %}a{% endif %}",
        "{% if m.content > '' %}a{% endif %}",
        "{% if m.content is lower %}a{% endif %}",
        "{% if m.content is eq 'a' %}a{% endif %}",
        "{% if (m.content + 'a') == 'a' %}a{% endif %}",
        "{% if m.content is string and 'a' in m.content %}a{% endif %}",
        "{% if m.content is not string %}a{% else %}{{ m.content[0] }}{% endif %}",
        "{% for c in m.content %}{{ c }}{% endfor %}",
        "{% for k in m %}{{ m[k] }}{% endfor %}",
        "{{ m[m.role] }}",
        "{{ m }}",
        "{{ m | tojson }}",
        "{{ m.items() }}",
        "{{ dict(m) }}",
        "{{ [m] | first }}",
        "{% if m == messages[0] %}a{% endif %}",
        "{% if m.content == messages[0].content %}a{% endif %}",
        "{{ messages }}",
        "{{ messages | map(attribute='content') }}",
        "{{ loop.changed(m.content) }}",
        "{% if loop.previtem.content == 'a' %}a{% endif %}",
        "{% set c = m.content %}{% if 'a' in c %}a{% endif %}",
        "{% set c %}{{ m.content }}{% endset %}{% if 'a' in c %}a{% endif %}",
        "{% set n = namespace(c=m.content) %}{% if 'a' in n.c %}a{% endif %}",
        "{% set c = '' if m.role else m.content %}{% if c is string %}a{% else %}{{ c[0] }}{% endif %}",
        "{% macro f(x) %}{{ x[0] }}{% endmacro %}{{ f(m.content) }}",
        "{% macro f(x) %}{{ x.content }}{% endmacro %}{{ f(m) | length }}",
        "{% macro f(x) %}{{ varargs[0][0] }}{% endmacro %}{{ f('a', m.content) }}",
        "{% call f() %}{{ m.content }}{% endcall %}",
        "{% filter upper %}{{ m.content }}{% endfilter %}",
        "{% with c = m.content %}{{ c[0] }}{% endwith %}",
        "{% include 'a' %}",
        "{{ strftime_now(m.role) }}",
    ],
)
def test_what_does_more_is_not(body: str) -> None:
    assert prove_opaque(each(body)) is None


def test_a_variable_may_be_what_it_is_set_to_further_down() -> None:
    assert prove_opaque(each("{% if c and 'a' in c %}{% endif %}{% set c = m.content %}")) is None


def test_what_is_no_template_is_not() -> None:
    assert prove_opaque("{% if %}") is None


def test_dates_are_named() -> None:
    template = "{{ strftime_now('%d %b') }}{{ strftime_now('%Y') }}{{ strftime_now('%d %b') }}" + each(
        "{{ m.content }}"
    )

    assert prove_opaque(template) == Opaque(("%d %b", "%Y"), strips_some=False)


@pytest.mark.parametrize("taken", ["m.content.rstrip('\n')", "m.content | trim(' ')"])
def test_taking_off_some_white_space_is_named(taken: str) -> None:
    assert prove_opaque(each("{{ " + taken + " }}")) == Opaque((), strips_some=True)


@pytest.mark.parametrize(
    ("name", "opaque"),
    [
        ("chatml", True),
        ("llama3", True),
        ("gemma3", True),
        ("qwen_25", True),
        ("qwen3", False),
        ("exaone4", False),
    ],
)
def test_the_templates_that_come_along(name: str, opaque: bool) -> None:
    assert (prove_opaque(builtin_template(name)) is not None) == opaque
