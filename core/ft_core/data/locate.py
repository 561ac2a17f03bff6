"""Where each message stands in a rendered conversation.

A template is a program: it may trim a message, drop the thinking of earlier ones, or add a system message nobody wrote.
So the conversation is rendered whole, as the model will see it, and each message is found in that text:

1. All contents are replaced by markers. Where putting the contents back for the markers gives the true text, every
   message is found at once. That is one more rendering for any number of messages.
2. Otherwise one message at a time is replaced, and it stands where the two texts differ. Two markers that begin and end
   in different letters are tried, since a message may begin or end as one of them does.

A message that cannot be told from its surroundings is reported as not found, never guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ft_core.data.template import Message
from ft_core.errors import DataError

Range = tuple[int, int]
Render = Callable[[Sequence[Message]], str]

# What belongs to a message besides its content, and is trained with it.
_BODY_KEYS = ("tool_calls", "reasoning_content", "reasoning", "thinking")
_PROBES = ("[[qjx placeholder xjq]]", "zv placeholder vz")


def locate_messages(render: Render, messages: Sequence[Message], text: str) -> Sequence[Range | None]:
    """Find the body of each message in `text`.

    Parameters
    ----------
    render
        The template: messages to text.
    messages
        The conversation; the content of each is text.
    text
        ``render(messages)``.

    Returns
    -------
    Sequence
        For each message the characters ``[start, end)`` of its content, with its thinking and tool calls where it has
        any; an empty range where it has none, and None where it cannot be found. Ranges do not overlap.
    """
    return _by_markers(render, messages, text) or _by_difference(render, messages, text)


def _by_markers(render: Render, messages: Sequence[Message], text: str) -> list[Range] | None:
    """Replace all contents at once; None where the rest of the text depends on them."""
    if any(message.get(key) for message in messages for key in _BODY_KEYS):
        return None
    markers = [f"qzj{index}jzq" for index in range(len(messages))]
    try:
        skeleton = render(
            [_with(message, content=mark) for message, mark in zip(messages, markers, strict=True)]
        )
    except DataError:
        return None
    # Templates trim all messages or none.
    for trim in (False, True):
        rebuilt, rest = "", skeleton
        ranges: list[Range] = []
        for message, mark in zip(messages, markers, strict=True):
            before, found, rest = rest.partition(mark)
            if not found:
                return None
            content: str = message["content"].strip() if trim else message["content"]
            start = len(rebuilt) + len(before)
            rebuilt += before + content
            ranges.append((start, len(rebuilt)))
        if rebuilt + rest == text:
            return ranges
    return None


def _by_difference(render: Render, messages: Sequence[Message], text: str) -> list[Range | None]:
    """Replace one message at a time; None for those whose surroundings change with them."""
    ranges = [_difference(render, messages, index, text) for index in range(len(messages))]
    # A range that swallows other messages means that the template rewrote these too; the shorter ones are right.
    accepted: dict[int, Range] = {}
    for index in sorted(range(len(ranges)), key=lambda at: _length(ranges[at])):
        found = ranges[index]
        if found is not None and all(_apart(index, found, other, accepted[other]) for other in accepted):
            accepted[index] = found
    return [accepted.get(index) for index in range(len(ranges))]


def _difference(render: Render, messages: Sequence[Message], index: int, text: str) -> Range | None:
    """Return where `text` differs from a rendering with another message at `index`."""
    body = {key: value for key, value in messages[index].items() if key not in _BODY_KEYS}
    start, end = len(text), 0
    for probe in _PROBES:
        try:
            changed = render([*messages[:index], _with(body, content=probe), *messages[index + 1 :]])
        except DataError:
            return None
        if probe not in changed:
            return None
        after = len(changed) - changed.index(probe) - len(probe)
        suffix = _common_suffix(text, changed)
        if suffix < after:
            # What follows the message changed with it, or repeats it: the difference reaches beyond the message.
            return None
        start = min(start, _common_prefix(text, changed))
        end = max(end, len(text) - suffix)
    return (start, max(start, end))


def _with(message: Message, *, content: str) -> dict[str, Any]:
    return {**message, "content": content}


def _length(found: Range | None) -> int:
    return found[1] - found[0] if found else 0


def _apart(index: int, one: Range, other_index: int, other: Range) -> bool:
    """Return whether two ranges stand in the order of their messages, without overlap."""
    return one[1] <= other[0] if index < other_index else other[1] <= one[0]


def _common_prefix(one: str, other: str) -> int:
    """Return how many first characters are the same, by bisection (slices compare at C speed)."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _common_suffix(one: str, other: str) -> int:
    """Return how many last characters are the same."""
    return _common_prefix(one[::-1], other[::-1])
