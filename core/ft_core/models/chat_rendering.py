"""What a chat template writes, without transformers: the same text for conversations of plain values.

Transformers takes a second to be imported, torch beside it as long again, and a template is Jinja. What the installed version
does to a conversation before its template sees it (reasoning under other names, values that are missing) changes between
versions, so a conversation with anything of that kind is not rendered here: `is_plain` says which.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.nodes import Node
    from jinja2.parser import Parser

_REASONING = ("reasoning_content", "reasoning", "thinking")
"""Keys of a message that transformers gives further names."""

_GUARDED = re.compile(r"(?<!\w)_\w|\bdict\s*\.")
"""Names that its sandbox forbids, and with them some that it does not."""


def is_plain(template: str, messages: object, tools: object, variables: Mapping[str, Any]) -> bool:
    """Say whether `render_chat` writes what transformers writes.

    >>> is_plain("{{ messages }}", [{"role": "user", "content": "Why?"}], None, {})
    True
    >>> is_plain("{{ messages }}", [{"role": "user", "content": None}], None, {})
    False
    """
    if not isinstance(messages, list) or not messages or _GUARDED.search(template):
        return False
    for message in cast("list[Any]", messages):
        if type(message) is not dict:
            return False
        turn = cast("dict[Any, Any]", message)
        if any(turn.get(key) is None for key in turn) or any(key in turn for key in _REASONING):
            return False
    return _is_json(messages) and (tools is None or _is_json(tools)) and _is_json(dict(variables))


def render_chat(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    tools: Sequence[Mapping[str, Any]] | None,
    variables: Mapping[str, Any],
    *,
    add_generation_prompt: bool,
) -> str:
    """Return the text of a conversation.

    Parameters
    ----------
    template
        The text of the template; it is compiled once.
    messages, tools
        What it is about.
    variables
        What the template may read besides: the special tokens among them.
    add_generation_prompt
        Whether the text ends where an answer begins.

    Raises
    ------
    jinja2.TemplateError
        The template is none, or refuses the conversation; as transformers raises it.
    """
    return _compiled(template).render(
        messages=messages,
        tools=tools,
        documents=None,
        add_generation_prompt=add_generation_prompt,
        **variables,
    )


@lru_cache(maxsize=64)
def _compiled(template: str) -> Template:
    """Return a template in the sandbox that chat templates are written for."""
    from jinja2.exceptions import TemplateError
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """``{% generation %}`` marks what the model says, and writes it as it is."""

        tags = {"generation"}  # noqa: RUF012 - as Jinja declares it

        def parse(self, parser: Parser) -> Node | list[Node]:
            from jinja2.nodes import CallBlock

            line = next(parser.stream).lineno
            body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return CallBlock(self.call_method("_said"), [], [], body).set_lineno(line)

        def _said(self, caller: Any) -> str:
            return caller()

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def strftime_now(form: str) -> str:
        return datetime.now().strftime(form)

    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    functions: dict[str, Any] = cast("Any", environment.globals)
    functions.update(raise_exception=raise_exception, strftime_now=strftime_now)
    return environment.from_string(template)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """Write a value as JSON; Jinja's own filter would write some characters as HTML."""
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )


def _is_json(value: object) -> bool:
    """Say whether a value is what JSON can hold, and of no class of its own."""
    if type(value) is dict:
        return all(type(key) is str and _is_json(item) for key, item in cast("dict[Any, Any]", value).items())
    if type(value) is list:
        return all(map(_is_json, cast("list[Any]", value)))
    return value is None or type(value) in (str, int, float, bool)
