"""Chat templates, and the tokens that end a turn."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "chat_template: jinja",
        4,
        16,
        "'chat_template: jinja' needs the template in 'chat_template_jinja'",
        "add 'chat_template_jinja: template.jinja', or use 'chat_template: tokenizer_default'",
        "chat_template: jinja\nchat_template_jinja: '{{ messages }}'",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, chat_template: jinja}]",
        3,
        60,
        "'chat_template: jinja' needs the template in 'chat_template_jinja'",
        "add 'chat_template_jinja: template.jinja', or use 'chat_template: tokenizer_default'",
        "datasets: [{path: a/b, type: chat_template, chat_template: jinja, chat_template_jinja: '{{ x }}'}]",
    ),
]

WARNINGS = [
    (
        "chat_template: chatml\nchat_template_jinja: '{{ messages }}'",
        4,
        1,
        "'chat_template: chatml' has no effect: 'chat_template_jinja' is used",
        "write 'chat_template: jinja', or remove 'chat_template_jinja'",
        "chat_template_jinja: '{{ messages }}'",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, chat_template: chatml, chat_template_jinja: '{{ x }}'}]",
        3,
        45,
        "'chat_template: chatml' has no effect: 'chat_template_jinja' is used",
        "write 'chat_template: jinja', or remove 'chat_template_jinja'",
        "datasets: [{path: a/b, type: chat_template, chat_template: chatml}]",
    ),
    (
        "datasets: [{path: a/b, type: alpaca}]\neot_tokens: [<end>]",
        4,
        1,
        "'eot_tokens' has no effect on training: no dataset has 'type: chat_template'",
        "remove the line",
        "datasets: [{path: a/b, type: alpaca}, {path: c/d, type: chat_template}]\neot_tokens: [<end>]",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
