"""Why the prompt of a chat is not what stands before an answer in training.

A cause is found by trying: the prompt, or the conversation, is written once more without what is suspected (the tools,
another template, later turns), and what takes the difference away is to blame. What is left is told by where the two texts
part.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ft_core.config.problems import shown
from ft_core.data.encode import Encoded, encode
from ft_core.data.locate import THINKING_KEYS
from ft_core.data.template import ChatTemplate, Message, render
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

CauseName = Literal[
    "first",
    "refused",
    "bos",
    "template",
    "tools",
    "truncated",
    "merged",
    "thinking",
    "whitespace",
    "header",
    "default_system",
    "earlier_turns",
]

_THOUGHT = re.compile(
    r"<(think|thinking|reasoning|thought)>.*?</\1>\s*|\[THINK\].*?\[/THINK\]\s*"
    r"|<\|begin_of_thought\|>.*?<\|end_of_thought\|>\s*",
    re.DOTALL,
)
_THOUGHT_TAG = re.compile(r"</?(think|thinking|reasoning|thought)>|\[/?THINK\]|<\|(begin|end)_of_thought\|>")


@dataclass(frozen=True)
class Cause:
    """A kind of difference, what it is here, and what to do."""

    name: CauseName
    text: str
    fix: str


@dataclass(frozen=True)
class Asked:
    """An answer that a chat asks for, and what training has before it.

    Attributes
    ----------
    tokenizer
        Of both.
    trained_by, asked_by
        The template of the dataset, and that of the chat.
    messages, turn
        The conversation, and which of its messages is asked for.
    tools
        What the row offers.
    text
        The whole conversation as it is trained on.
    before
        The training ids before the answer.
    cut
        Whether the sample ends before the answer.
    """

    tokenizer: PreTrainedTokenizerBase
    trained_by: ChatTemplate
    asked_by: ChatTemplate
    messages: Sequence[Message]
    turn: int
    tools: Sequence[Mapping[str, Any]] | None
    text: str
    before: NDArray[np.int32]
    cut: bool

    @cached_property
    def sent(self) -> str:
        """The prompt of a chat."""
        return self.prompt(self.asked_by)

    def prompt(self, template: ChatTemplate, tools: Sequence[Mapping[str, Any]] | None = None) -> str:
        """Return what asks for the answer by a template, and with tools."""
        return render(
            self.tokenizer,
            template,
            self.messages[: self.turn],
            tools=tools,
            add_generation_prompt=True,
        )

    def encoded(self, text: str) -> NDArray[np.int32]:
        """Return the ids of a text."""
        return encode(self.tokenizer, [text])[0].ids

    @cached_property
    def whole(self) -> Encoded:
        """All of what is trained on, with the characters of each token."""
        return encode(self.tokenizer, [self.text])[0]

    @property
    def before_text(self) -> str:
        """The text that the training ids before the answer stand for."""
        if len(self.before) >= len(self.whole.ids):
            return self.text
        return self.text[: int(self.whole.starts[len(self.before)])]


def first_difference(one: NDArray[np.int32], other: NDArray[np.int32]) -> int:
    """Return the first place at which the two are not the same; where one begins the other, the end of it.

    >>> first_difference(np.array([1, 2, 3]), np.array([1, 2])), first_difference(np.array([1]), np.array([2]))
    (2, 0)
    """
    shorter = min(len(one), len(other))
    unlike = np.flatnonzero(one[:shorter] != other[:shorter])
    return int(unlike[0]) if len(unlike) else shorter


def find_cause(asked: Asked, ids: NDArray[np.int32], refused: DataError | None = None) -> Cause:
    """Return why `ids`, the prompt of a chat, are not those before the answer in training.

    Parameters
    ----------
    asked
        The answer.
    ids
        The prompt.
    refused
        Why there is no prompt, where the template writes none.
    """
    if not asked.turn:
        return Cause(
            "first",
            "The conversation begins with this answer, and a chat begins with a message to answer.",
            "Begin the conversation with what the answer answers.",
        )
    if refused is not None:
        return Cause("refused", f"A chat cannot ask for this answer. {refused.message}", refused.fix)
    return (
        _template(asked)
        or _bos(asked, ids)
        or _tools(asked, ids)
        or _truncated(asked, ids)
        or _by_text(asked, asked.sent)
    )


def _bos(asked: Asked, ids: NDArray[np.int32]) -> Cause | None:
    """Tell of a beginning of text that one of the two has more often."""
    bos = asked.tokenizer.bos_token_id
    if bos is None:
        return None
    trained, prompted = (
        sum(1 for _ in takewhile(lambda token: token == bos, side)) for side in (asked.before, ids)
    )
    if trained == prompted:
        return None
    return Cause(
        "bos",
        f"Training begins with {_times(trained, asked.tokenizer.bos_token)}, and the chat's prompt with "
        f"{_times(prompted, asked.tokenizer.bos_token)}.",
        "Let the chat template write bos_token once, whether add_generation_prompt is set or not.",
    )


def _times(count: int, token: Any) -> str:
    return f"no {token}" if not count else f"one {token}" if count == 1 else f"{count} {token}"


def _template(asked: Asked) -> Cause | None:
    """Tell of a chat that uses another dataset's template."""
    if asked.asked_by.text == asked.trained_by.text:
        return None
    return Cause(
        "template",
        f"Training writes this dataset by the template of {asked.trained_by.origin}, and a chat asks by that of "
        f"{asked.asked_by.origin}.",
        "Give all datasets one chat_template: a chat uses that of the first.",
    )


def _tools(asked: Asked, ids: NDArray[np.int32]) -> Cause | None:
    """Tell of tools that only the row offers, where they are what differs first."""
    if not asked.tools:
        return None
    try:
        offered = asked.encoded(asked.prompt(asked.asked_by, asked.tools))
    except DataError:
        return None
    if first_difference(asked.before, offered) <= first_difference(asked.before, ids):
        return None
    names = [str(tool.get("function", tool).get("name", "")) for tool in asked.tools]
    return Cause(
        "tools",
        f"The row offers tools ({', '.join(filter(None, names[:3]))}{', ...' if len(names) > 3 else ''}), and a chat "
        "offers none.",
        "Chat over an interface that offers the same tools, or leave the column of tools out.",
    )


def _truncated(asked: Asked, ids: NDArray[np.int32]) -> Cause | None:
    """Tell of a sample that ends before the answer."""
    if not asked.cut:
        return None
    lost = len(asked.whole.ids) - len(asked.before)
    return Cause(
        "truncated",
        f"The sample was truncated before this answer: {lost:,} tokens were cut off its end, and the prompt alone has "
        f"{len(ids):,}.",
        "Raise sequence_len, or drop such samples with excess_length_strategy: drop.",
    )


def _by_text(asked: Asked, prompt: str) -> Cause:
    """Tell of what the two texts show, by where they part."""
    trained = asked.before_text
    if asked.text.startswith(prompt) and len(trained) <= len(prompt):
        return _merged(asked, prompt)
    if trained.startswith(prompt):
        return _unlike_header(asked, trained[len(prompt) :], missing=True)
    if prompt.startswith(trained):
        return _unlike_header(asked, prompt[len(trained) :], missing=False)
    return _default_system(asked, trained, prompt) or _inside(asked, trained, prompt)


def _merged(asked: Asked, prompt: str) -> Cause:
    """Tell of a token of the header that another follows: it is not the same as at the end of a prompt."""
    end = shown(re.findall(r"\s+$|\S+$", prompt)[-1])
    at = len(asked.before)
    start, stop = int(asked.whole.starts[at]), int(asked.whole.ends[at])
    if start < len(prompt) < stop:
        said = f"one token, {shown(asked.text[start:stop])}, holds the end of the header and the beginning of the answer"
    else:
        said = "the tokenizer cuts the end of the header in another way where the answer follows"
    return Cause(
        "merged",
        f"The prompt ends in {end}; in training {said}.",
        "Use a template whose header ends in a special token or a line break, and answers that do not begin with "
        "white space.",
    )


def _unlike_header(asked: Asked, extra: str, *, missing: bool) -> Cause:
    """Tell of what only one of the two writes between the header and the answer."""
    where = (
        f"Training has {shown(extra)} between the header and this answer, and the chat's prompt does not"
        if missing
        else f"The chat's prompt ends in {shown(extra)}, and training does not have it before this answer"
    )
    if _THOUGHT_TAG.search(extra):
        return Cause(
            "thinking", f"{where}: the template opens the thinking in one of the two only.", _enable(asked)
        )
    if extra.isspace():
        return Cause(
            "whitespace",
            f"{where}: it is white space that the template, or the answer, has in one of the two only.",
            "Trim the answers, or use a template whose header and generation prompt end alike.",
        )
    return Cause(
        "header",
        f"{where}: add_generation_prompt writes another header than an answer has.",
        "Use a template that writes the same before an answer as for add_generation_prompt.",
    )


def _enable(asked: Asked) -> str:
    """Return what to do about thinking that only one of the two opens."""
    for value in (False, True):
        variables = {**asked.asked_by.variables, "enable_thinking": value}
        other = replace(asked.asked_by, variables=variables)
        try:
            same = render(asked.tokenizer, other, asked.messages, tools=asked.tools) == asked.text
            if same and asked.prompt(other, asked.tools) == asked.before_text:
                return f"Set chat_template_kwargs: {{enable_thinking: {str(value).lower()}}}."
        except DataError:
            continue
    if any(asked.messages[asked.turn].get(key) for key in THINKING_KEYS):
        return "Use a template whose generation prompt opens the thinking as an answer's header does."
    return "Give the answers their reasoning (reasoning_content), or use a template without thinking."


def _default_system(asked: Asked, trained: str, prompt: str) -> Cause | None:
    """Tell of a system message that nobody gave and only one of the two has."""
    if asked.messages[0]["role"] == "system":
        return None
    longer, shorter = (trained, prompt) if len(trained) > len(prompt) else (prompt, trained)
    begin, more = _common(trained, prompt), len(longer) - len(shorter)
    if longer[begin + more :] != shorter[begin:]:
        return None
    # What was put in may begin as what comes after it does.
    while begin and longer[begin - 1] == longer[begin + more - 1]:
        begin -= 1
    extra = longer[begin : begin + more]
    first = str(asked.messages[0].get("content", "")).strip()
    if not extra.strip() or _THOUGHT_TAG.search(extra) or (first and first in longer[:begin]):
        return None
    who = "Training" if longer is trained else "The chat's prompt"
    return Cause(
        "default_system",
        f"{who} has a system message that the conversation does not: {shown(extra)}.",
        "Set default_system_message, so that both have one and the same.",
    )


def _inside(asked: Asked, trained: str, prompt: str) -> Cause:
    """Tell of a difference within the turns before the answer, or in its header."""
    if _THOUGHT.sub("", trained) == _THOUGHT.sub("", prompt):
        longer = "the chat's prompt" if len(prompt) > len(trained) else "training"
        return Cause(
            "thinking",
            "The template treats the thinking of a turn in another way where later turns follow: here only "
            f"{longer} has it.",
            "Cut the conversation after this answer, so that each sample ends in the answer it is about; or use a template "
            "that treats the thinking of all turns alike.",
        )
    at = _common(trained, prompt)
    if "".join(trained.split()) == "".join(prompt.split()):
        return Cause(
            "whitespace",
            f"The texts differ in white space: training goes on with {shown(trained[at : at + 20])}, the chat's prompt with "
            f"{shown(prompt[at : at + 20])}.",
            "Trim the messages, or use a template that treats white space alike in every turn.",
        )
    differ = (
        f"training has {shown(trained[at : at + 40])}, and the chat's prompt {shown(prompt[at : at + 40])}"
    )
    asking = render(asked.tokenizer, asked.asked_by, asked.messages[: asked.turn])
    if prompt.startswith(asking) and at >= len(asking):
        return Cause(
            "header",
            f"add_generation_prompt writes another header than an answer has: {differ}.",
            "Use a template that writes the same before an answer as for add_generation_prompt.",
        )
    return Cause(
        "earlier_turns",
        f"The template writes an earlier turn in another way where later ones follow: {differ}.",
        "Cut the conversation after this answer, or use a template that writes each turn by itself.",
    )


def _common(one: str, other: str) -> int:
    """Return how many characters both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (mine, theirs) in pairs if mine != theirs), min(len(one), len(other)))
