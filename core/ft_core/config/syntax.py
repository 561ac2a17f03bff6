"""What is wrong with text that is not YAML, in plain words: PyYAML's own are about its grammar."""

from __future__ import annotations

import re

import yaml

from ft_core.config.problems import LINE_BREAK, Problem, clipped

KEY = re.compile(r"\s*(- )?[\w.]+:(\s|$)")
"""A line that begins with a key."""


def syntax_problem(error: yaml.YAMLError, text: str, first_line: int) -> Problem:
    """Return the problem that `error`, raised while reading `text`, stands for.

    Parameters
    ----------
    error
        From PyYAML's reader, scanner or parser.
    text
        What was read.
    first_line
        The number of the text's first line.
    """
    if isinstance(error, yaml.reader.ReaderError):
        return _unreadable(error, text, first_line)
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem(None, None, "", f"this is not YAML: {clipped(str(error))}")
    lines = LINE_BREAK.split(text)
    mark = error.problem_mark
    line, column = mark.line, mark.column
    said = error.problem or ""
    context = error.context or ""
    content = lines[line] if line < len(lines) else ""
    indent = content[: len(content) - len(content.lstrip(" \t"))]

    def at(line: int, column: int, message: str, fix: str) -> Problem:
        return Problem(line + first_line, column + 1, "", message, fix)

    if "\t" in indent:
        return at(line, indent.index("\t"), "a tab indents this line; YAML allows only spaces", "use spaces")
    if "quoted scalar" in context and "end of stream" in said and error.context_mark:
        start = error.context_mark
        return at(start.line, start.column, "the quote that opens here is never closed", "close the quote")
    if "unknown escape character" in said:
        return at(
            line,
            column,
            "this backslash means nothing inside double quotes",
            "use single quotes, or write two backslashes",
        )
    if "could not find expected ':'" in said and error.context_mark:
        return _not_a_key(lines, error.context_mark.line, first_line)
    if "mapping values are not allowed" in said:
        # A line that is no 'key: value' runs on into the next, and PyYAML only minds there.
        above = max((number for number in range(line) if lines[number].strip()), default=None)
        if above is not None and not re.search(r":(\s|$)|^\s*(#|-)", lines[above]):
            return _not_a_key(lines, above, first_line)
        return at(
            line,
            column,
            "a second ':' cannot stand here: a line above is indented differently, or the value holds ': '",
            "align the keys, or put the value in quotes",
        )
    if "flow" in context:
        opening, closing = ("[", "]") if "sequence" in context else ("{", "}")
        if "${" in content:
            message = f"the '{closing}' of this list or map is missing here"
            return at(line, column, message, 'write "${name}" in quotes')
        start = error.context_mark
        if start and (mark.index >= len(text.rstrip()) or (line > start.line and KEY.match(content))):
            message = f"the '{opening}' that opens here is never closed"
            return at(start.line, start.column, message, f"close it with '{closing}'")
        message = f"a ',' or the closing '{closing}' is missing before this"
        return at(line, column, message, f"add ',' or '{closing}'")
    if "expected <block end>" in said:
        return at(
            line,
            column,
            "the indentation does not match the lines above",
            "align it with the lines it belongs to",
        )
    if "cannot start any token" in said or "expected alphabetic or numeric" in said:
        # After a '*' or '&' the mark stands behind the sign.
        column -= "expected alphabetic" in said
        return at(
            line,
            column,
            f"a value cannot begin with '{clipped(content[column : column + 1])}'",
            "put the value in quotes",
        )
    return at(line, column, f"this is not YAML: {clipped(' '.join((context + ' ' + said).split()))}", "")


def _not_a_key(lines: list[str], line: int, first_line: int) -> Problem:
    """Return the problem of a line that should begin with a key."""
    content = lines[line]
    column = len(content) - len(content.lstrip(" "))
    message = "this line has no ':' after its key"
    if re.match(r"\s*(- )?[\w.]+:\S", content):
        message = "a space is missing after the ':'"
    return Problem(line + first_line, column + 1, "", message, "write 'key: value'")


def _unreadable(error: yaml.reader.ReaderError, text: str, first_line: int) -> Problem:
    before = LINE_BREAK.split(text[: error.position])
    character = text[error.position : error.position + 1] or "?"
    return Problem(
        first_line + len(before) - 1,
        len(before[-1]) + 1,
        "",
        f"the character U+{ord(character):04X} is not allowed in YAML",
        "remove it; it may have come with a copy from another program",
    )
