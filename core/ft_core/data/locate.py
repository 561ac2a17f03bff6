"""Where each message stands in a rendered conversation.

A template is a program: it may trim a message, drop the thinking of earlier ones, or add a system message nobody wrote.
So the conversation is rendered whole, as the model will see it, and each message is found in that text:

1. All messages are marked (`ft_core.data.marks`) and rendered again. Where the text without the marks is the true text, all
   are found at once, in one more rendering for any number of messages.
2. Otherwise some message is not written as its characters say, such as by a template that asks how it begins: halves of
   the messages are tried, until it is alone.
3. One that cannot be marked is replaced, and stands where the two texts differ. Two replacements that begin and end in
   different letters are tried, since a message may begin or end as one of them does.
4. What a template writes for the thinking and the tool calls of a message, tags and all, is what is missing when they are
   left out. Neighbours are left out in turn, so that what is missing stands between two marked texts.

A message that cannot be told from its surroundings is reported as not found, never guessed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ft_core.data.marks import ABSENT, Found, MarkedText, Marker, Stretch, find
from ft_core.data.template import Message
from ft_core.errors import DataError

Render = Callable[[Sequence[Message]], str]

THINKING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Under what names templates read the thinking of a message."""

_PROBES = ("[[qjx placeholder xjq]]", "zv placeholder vz")


@dataclass(frozen=True)
class Body:
    """What a template wrote for one message: all but its header and what ends it.

    Attributes
    ----------
    start, end
        The characters ``[start, end)``; equal where the message is empty or the template leaves it out.
    parts
        Where its content is and, by its key, its thinking; without those that are empty or left out.
    """

    start: int
    end: int
    parts: Mapping[str, Found] = field(default_factory=dict[str, Found])


def locate_messages(
    render: Render, messages: Sequence[Message], text: str, *, thinking_key: str = THINKING_KEYS[0]
) -> list[Body | None]:
    """Find the body of each message in `text`.

    Parameters
    ----------
    render
        The template: messages to text.
    messages
        The conversation; contents and thinking are text.
    text
        ``render(messages)``.
    thinking_key
        The name under which messages hold their thinking, if not one of `THINKING_KEYS`.

    Returns
    -------
    list
        For each message its body, or None where it cannot be told from the template's own text.
    """
    search = _Search(render, messages, text, tuple(dict.fromkeys((*THINKING_KEYS, thinking_key))))
    search.mark(range(len(messages)))
    search.find_blank()
    bodies = [search.body(index) for index in range(len(messages))]
    for turn in (0, 1):
        search.widen(search.with_more[turn::2], bodies)
    return _apart(bodies)


class _Search:
    """The messages of one conversation, and what is known of where they are."""

    def __init__(
        self, render: Render, messages: Sequence[Message], text: str, thinking_keys: Sequence[str]
    ) -> None:
        self.render, self.messages, self.text = render, messages, text
        self.keys = ("content", *thinking_keys)
        self.extra = (*thinking_keys, "tool_calls")
        values = [message[key] for message in messages for key in self.keys if _is_text(message.get(key))]
        self.marker = Marker([text, *values])
        self.marked: dict[tuple[int, str], MarkedText] = {}
        self.found: dict[tuple[int, str], Found | None] = {}
        self.with_more = [
            at for at, message in enumerate(messages) if any(message.get(key) for key in self.extra)
        ]

    def mark(self, group: Sequence[int]) -> None:
        """Find the texts of the messages of `group`."""
        for line_breaks in (True, False):
            texts = {
                (index, key): marked
                for index in group
                for key in self.keys
                if (marked := self._mark(index, key, line_breaks=line_breaks))
            }
            if not texts:
                return
            try:
                reading = self.marker.read(self.render(self._with(texts)))
            except DataError:
                continue
            if reading.text == self.text:
                self.marked |= texts
                self.found |= {place: find(marked, reading) for place, marked in texts.items()}
                return
        if len(group) == 1:
            self.found[group[0], "content"] = self._difference(group[0])
            return
        middle = len(group) // 2
        self.mark(group[:middle])
        self.mark(group[middle:])

    def find_blank(self) -> None:
        """Find contents of nothing but white space, which no mark can stand in."""
        for index, message in enumerate(self.messages):
            if _is_text(message.get("content")) and message["content"].isspace():
                self.found[index, "content"] = self._difference(index)

    def body(self, index: int) -> Body | None:
        """Return where the texts of a message are."""
        found = [(key, self.found[index, key]) for key in self.keys if (index, key) in self.found]
        parts: dict[str, Found] = {}
        for key, place in found:
            if place is None:
                return None
            if place is not ABSENT:
                parts[key] = place
        if not parts:
            return Body(0, 0)
        return Body(
            min(part.start for part in parts.values()), max(part.end for part in parts.values()), parts
        )

    def widen(self, group: Sequence[int], bodies: list[Body | None]) -> None:
        """Add to the bodies of `group`, no two of them neighbours, what is there for thinking and tool calls."""
        group = [index for index in group if bodies[index] is not None]
        if not group:
            return
        texts = {place: marked for place, marked in self.marked.items() if place[1] == "content"}
        for index in group:
            if (index, "content") not in texts and (alone := self.marker.alone()):
                texts[index, "content"] = alone
        try:
            reading = self.marker.read(self.render(self._with(texts, without=group)))
        except DataError:
            if len(group) > 1:
                self.widen(group[::2], bodies)
                self.widen(group[1::2], bodies)
            else:
                bodies[group[0]] = self._difference_of_body(group[0], bodies[group[0]])
            return
        less = {place[0]: find(marked, reading) for place, marked in texts.items()}
        anchors = [
            index
            for index, place in less.items()
            if _is_somewhere(place) and _is_somewhere(self.found.get((index, "content")))
        ]
        anchors.sort()
        for index in group:
            bodies[index] = self._widened(index, bodies[index], less, anchors, reading.text)

    def _widened(
        self,
        index: int,
        body: Body | None,
        less: Mapping[int, Found | None],
        anchors: Sequence[int],
        less_text: str,
    ) -> Body | None:
        """Return `body` with what stands beside its content in the text, and not in `less_text`."""
        own = less.get(index)
        if body is None or own is None or own is ABSENT:
            return body
        before = max((at for at in anchors if at < index), default=None)
        after = min((at for at in anchors if at > index), default=None)
        content = body.parts.get("content")
        # The texts between the neighbours' contents, in both; the last and the first may lack a neighbour.
        low, less_low = (0, 0) if before is None else (self._place(before).end, _end(less[before]))
        high, less_high = len(self.text), len(less_text)
        if after is not None:
            high, less_high = self._place(after).start, _start(less[after])
        if low > high or less_low > own.start or own.end > less_high:
            return body
        until, since = (content.start, content.end) if content else (high, low)
        start = low + _common_prefix(self.text[low:until], less_text[less_low : own.start])
        end = high - _common_suffix(self.text[since:high], less_text[own.end : less_high])
        if start >= end:
            return body
        if body.parts:
            start, end = min(start, body.start), max(end, body.end)
        return Body(start, end, body.parts)

    def _place(self, index: int) -> Found:
        found = self.found[index, "content"]
        assert found is not None
        return found

    def _mark(self, index: int, key: str, *, line_breaks: bool) -> MarkedText | None:
        message = self.messages[index]
        if not _is_text(message.get(key)):
            return None
        # Only what the model says is taken apart.
        return self.marker.mark(
            message[key], line_breaks=line_breaks, whole=message.get("role") != "assistant"
        )

    def _with(
        self, texts: Mapping[tuple[int, str], MarkedText], without: Sequence[int] = ()
    ) -> list[dict[str, Any]]:
        """Return the messages with marked texts, those of `without` without thinking and tool calls."""
        changed = [dict(message) for message in self.messages]
        for index in without:
            for key in self.extra:
                changed[index].pop(key, None)
        for (index, key), marked in texts.items():
            changed[index][key] = marked.marked
        return changed

    def _difference(self, index: int) -> Found | None:
        """Return where the text differs from one with another content of message `index`."""
        message = self.messages[index]
        bare = {key: value for key, value in message.items() if key not in self.extra}
        place = self._differing(index, bare)
        if place is None:
            return None
        start, end = place
        value = message["content"]
        # Where the content stands there as it is, what differs beside it is the template's own, such as its length.
        for shown in (value, value.strip()):
            if shown and self.text.count(shown, start, end) == 1:
                at, offset = self.text.index(shown, start, end), value.index(shown)
                return Found(at, at + len(shown), (Stretch(offset, offset + len(shown), at),))
        return Found(start, end, ())

    def _difference_of_body(self, index: int, body: Body | None) -> Body | None:
        """Return `body` with all that differs from a message without thinking and tool calls; None where that is unknown."""
        bare = {key: value for key, value in self.messages[index].items() if key not in self.extra}
        place = self._differing(index, bare)
        if place is None or body is None:
            return None
        start, end = place
        if body.parts:
            start, end = min(start, body.start), max(end, body.end)
        return Body(start, end, body.parts)

    def _differing(self, index: int, message: Message) -> tuple[int, int] | None:
        """Return where the text differs from a rendering with `message` at `index`, its content replaced."""
        text = self.text
        start, end = len(text), 0
        for probe in _PROBES:
            changed_messages = [
                *self.messages[:index],
                {**message, "content": probe},
                *self.messages[index + 1 :],
            ]
            try:
                changed = self.render(changed_messages)
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
        return start, max(start, end)


def _apart(bodies: Sequence[Body | None]) -> list[Body | None]:
    """Return the bodies that do not overlap; of two that do, the shorter is right: the other was rewritten as a whole."""
    order = sorted(
        (index for index, body in enumerate(bodies) if body and body.start < body.end),
        key=lambda index: _length(bodies[index]),
    )
    kept = list(bodies)
    taken: list[tuple[int, int]] = []
    for index in order:
        body = bodies[index]
        assert body is not None
        at = bisect_left(taken, (body.start, body.end))
        if (at > 0 and taken[at - 1][1] > body.start) or (at < len(taken) and taken[at][0] < body.end):
            kept[index] = None
        else:
            taken.insert(at, (body.start, body.end))
    return kept


def _length(body: Body | None) -> int:
    return body.end - body.start if body else 0


def _is_somewhere(found: Found | None) -> bool:
    return found is not None and found is not ABSENT


def _start(found: Found | None) -> int:
    return found.start if found else 0


def _end(found: Found | None) -> int:
    return found.end if found else 0


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


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
