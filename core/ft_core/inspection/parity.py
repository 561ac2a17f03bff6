r"""Whether a model is asked in the words it was trained on.

For each answer of a conversation: the ids that a chat sends to ask for it, beside the ids that training has before it. They
must be equal, id for id; where they are not, the first difference is found, and what causes it::

    training   <|im_start|> user \n Hi <|im_end|> \n <|im_start|> assistant \n <think> \n\n </think> \n\n | Hello
    chat       <|im_start|> user \n Hi <|im_end|> \n <|im_start|> assistant \n                              |
                                                                                ^ the empty thinking

Most prompts are the beginning of the text that is trained on, and end soon after a special token. Such a token always
stands alone, so there the ids before it are the same, and only the few after it are encoded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from ft_core.data.encode import encode
from ft_core.data.formats.chat_messages import read_conversation, read_tools
from ft_core.data.prompt import prompt_template
from ft_core.data.template import ChatTemplate, Message, render, resolve_template
from ft_core.errors import DataError
from ft_core.inspection.parity_causes import Asked, CauseName, find_cause, first_difference
from ft_core.inspection.tokens import TokenTable

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset
    from ft_core.data import Sample

AROUND = 8
"""Tokens that are shown on each side of a difference."""

ANSWERS = "assistant"
"""The role whose messages a chat asks for."""

_WITHOUT_CHAT = ("completion", "pretrain", "stepwise_supervised", "")
"""Types of rows that hold no answer to anything."""


@dataclass(frozen=True)
class Side:
    """Some ids, and the text of each."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Turn:
    """The prompt of one answer beside the training ids before it.

    Attributes
    ----------
    turn
        Which message the answer is, counted from 0.
    equal
        Whether the two are the same ids.
    at
        The first token that differs; None where none does.
    start
        The number of the first token of the two sides.
    training, prompt
        The tokens around the difference.
    name
        The kind of cause, for counting; empty where they are equal.
    cause, fix
        What makes them differ, and what to do.
    """

    turn: int
    equal: bool
    at: int | None = None
    start: int = 0
    training: Side = Side((), ())
    prompt: Side = Side((), ())
    name: CauseName | None = None
    cause: str = ""
    fix: str = ""


@dataclass(frozen=True)
class Parity:
    """The answers of a row, or why there is nothing to compare.

    Attributes
    ----------
    turns
        One for each answer that has tokens in the sample, or would have them where it was not truncated.
    message, fix
        Why there are none, and what to do; empty where there are.
    """

    turns: tuple[Turn, ...] = ()
    message: str = ""
    fix: str = ""

    @property
    def differs(self) -> bool:
        """Whether a chat asks for one of the answers in other ids than training has."""
        return any(not turn.equal for turn in self.turns)


Check = Callable[[Mapping[str, Any], "Sample"], Parity]
"""From a row and its sample to how they compare."""


def parity(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    row: Mapping[str, Any],
    sample: Sample,
) -> Parity:
    """Return the prompt of a chat beside the training ids, for each answer of a row.

    Parameters
    ----------
    config, tokenizer, dataset
        As for `ft_core.data.tokenize_rows`.
    row
        The row.
    sample
        What it became.
    """
    return parity_check(config, tokenizer, dataset)(row, sample)


def parity_check(config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset) -> Check:
    """Return `parity` for the rows of one dataset, with all settled that does not depend on a row."""
    if dataset.type != "chat_template":
        nothing = _nothing_to_compare(config, tokenizer, dataset)
        return lambda row, sample: nothing  # noqa: ARG005 - of a type without messages no row can be compared
    return _Check(
        dataset,
        tokenizer,
        trained_by=resolve_template(config, tokenizer, dataset),
        asked_by=prompt_template(config, tokenizer),
        table=TokenTable(tokenizer),
        marks=np.array(sorted(_special_ids(tokenizer)), np.int32),
    )


@dataclass(frozen=True)
class _Check:
    """Compares the answers of conversations with what a chat sends for them."""

    dataset: Dataset
    tokenizer: PreTrainedTokenizerBase
    trained_by: ChatTemplate
    asked_by: ChatTemplate
    table: TokenTable
    marks: NDArray[np.int32]
    tails: dict[str, list[int]] = field(default_factory=dict[str, "list[int]"])

    def __call__(self, row: Mapping[str, Any], sample: Sample) -> Parity:
        messages = [message.message for message in read_conversation(row, self.dataset)]
        answers = [at for at, message in enumerate(messages) if message["role"] == ANSWERS]
        if not answers:
            roles = ", ".join(dict.fromkeys(f"'{message['role']}'" for message in messages))
            return Parity(
                message=f"No message of this row has the role '{ANSWERS}', which a chat asks for; its roles are {roles}.",
                fix=f"Say which role answers, such as roles: {{{ANSWERS}: [bot]}}.",
            )
        tools = read_tools(row, self.dataset)
        text = render(self.tokenizer, self.trained_by, messages, tools=tools)
        marked = np.flatnonzero(np.isin(sample.input_ids, self.marks))
        first = _first_tokens(sample)
        turns: list[Turn] = []
        for turn in answers:
            start = first.get(turn)
            if start is None:
                if not (sample.cut and turn > max(first, default=-1)):
                    continue  # an empty answer, or one that the template leaves out
                start = len(sample)
            cut = first.get(turn) is None
            turns.append(
                self._compare(turn, messages, tools, text, sample.input_ids[:start], marked, cut=cut)
            )
        if not turns:
            return Parity(
                message="No answer of this row has a place of its own in the sample.",
                fix="See the rules of its tokens.",
            )
        return Parity(tuple(turns))

    def _compare(
        self,
        turn: int,
        messages: Sequence[Message],
        tools: Sequence[Mapping[str, Any]] | None,
        text: str,
        before: NDArray[np.int32],
        marked: NDArray[np.int64],
        *,
        cut: bool,
    ) -> Turn:
        asked = Asked(
            tokenizer=self.tokenizer,
            trained_by=self.trained_by,
            asked_by=self.asked_by,
            messages=messages,
            turn=turn,
            tools=tools,
            text=text,
            before=before,
            cut=cut,
        )
        try:
            prompt = asked.sent if turn else ""
        except DataError as error:
            return self._differing(asked, np.zeros(0, np.int32), refused=error)
        if turn and not cut and self._is_beginning(prompt, text, before, marked):
            return Turn(turn, equal=True)
        ids = asked.encoded(prompt)
        if turn and not cut and np.array_equal(ids, before):
            return Turn(turn, equal=True)
        return self._differing(asked, ids)

    def _is_beginning(
        self, prompt: str, text: str, before: NDArray[np.int32], marked: NDArray[np.int64]
    ) -> bool:
        """Say whether `before` are the ids of `prompt`, where that can be told without encoding all of it."""
        count = int(np.searchsorted(marked, len(before)))
        if not count or not text.startswith(prompt):
            return False
        last = int(marked[count - 1])
        mark = self.table.bytes_of(int(before[last])).decode()
        # As many of this mark stand in the text as in the ids, so it is the same one.
        if prompt.count(mark) != int((before == before[last]).sum()):
            return False
        tail = prompt[prompt.rfind(mark) :]
        if tail not in self.tails:
            self.tails[tail] = encode(self.tokenizer, [tail])[0].ids.tolist()
        return self.tails[tail] == before[last:].tolist()

    def _differing(self, asked: Asked, ids: NDArray[np.int32], *, refused: DataError | None = None) -> Turn:
        at = first_difference(asked.before, ids)
        cause = find_cause(asked, ids, refused)
        start = max(0, at - AROUND)
        return Turn(
            asked.turn,
            equal=False,
            at=at,
            start=start,
            training=self._side(asked.before[start : at + AROUND]),
            prompt=self._side(ids[start : at + AROUND]),
            name=cause.name,
            cause=cause.text,
            fix=cause.fix,
        )

    def _side(self, ids: NDArray[np.int32]) -> Side:
        return Side(tuple(ids.tolist()), self.table.texts(ids))


def _first_tokens(sample: Sample) -> dict[int, int]:
    """Return the first token of each message that has a place of its own in the sample."""
    first: dict[int, int] = {}
    for span in sample.spans:
        if span.turn is not None and not span.rule.endswith("cannot be told from the template's own text"):
            first.setdefault(span.turn, span.start)
    return first


def _special_ids(tokenizer: PreTrainedTokenizerBase) -> list[int]:
    return [number for number, token in cast("Any", tokenizer).added_tokens_decoder.items() if token.special]


def _nothing_to_compare(config: Config, tokenizer: PreTrainedTokenizerBase, dataset: Dataset) -> Parity:
    """Return why no prompt of a chat stands beside rows of this type, and what it means where there will be a chat."""
    if dataset.type in _WITHOUT_CHAT:
        return Parity(
            message=f"{_begun(dataset.type_words)} has no answers, so there is no prompt of a chat to compare."
        )
    own = f"{_begun(dataset.type_words)} writes prompts in words of its own"
    fix = "Give the rows as messages and use 'type: chat_template', so that both use one template."
    try:
        template = prompt_template(config, tokenizer)
    except DataError as error:
        return Parity(message=f"{own}, and a chat has none to write: {error.message}", fix=error.fix)
    return Parity(
        message=f"{own}, and a chat asks by the template of {template.origin}, which may be other words than were trained.",
        fix=fix,
    )


def _begun(words: str) -> str:
    """Return `words` with a capital, unless they begin with a key."""
    return words if words.startswith("type:") else words[:1].upper() + words[1:]
