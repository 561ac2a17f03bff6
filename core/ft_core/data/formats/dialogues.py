"""Older types of conversations, with marks of their own in place of a chat template: Pygmalion's and Llama 2's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ft_core.data.document import TEMPLATE_ROLE, Chunk, Document, Format, Piece
from ft_core.data.formats.columns import list_of, object_in, text_in
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

_START = "\n<START>"
_MARKS = {"system": "<|system|>", "human": "<|user|>", "bot": "<|model|>"}


def prepare_pygmalion(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    """Return the format for ``conversations`` of system, human and bot; what the bot says is trained."""

    def render(row: Mapping[str, Any]) -> Document:
        turns = _turns(row, "role", tuple(_MARKS))
        chunks = [
            _pygmalion_turn(role, text, turn, first=turn == 0) for turn, (role, text) in enumerate(turns)
        ]
        return Document(tuple(chunks))

    return Format(fields=("conversations",), render=render)


def _pygmalion_turn(role: str, text: str, turn: int, *, first: bool) -> Chunk:
    mark = _MARKS[role]
    said = f"Persona: {text.removesuffix(_START).strip()}" if role == "system" else f" {text.strip()}"
    trained = role == "bot"
    rule = f"{'trained' if trained else 'masked'}: what the {role} says"
    pieces = (
        Piece(0, len(mark), TEMPLATE_ROLE, turn, False, f"masked: the mark of the {role}"),
        Piece(len(mark), len(mark) + len(said), role, turn, trained, rule),
    )
    return Chunk(mark + said, pieces, begins_text=first, ends_text=trained, drops_bos=not first)


def prepare_llama2(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:  # noqa: ARG001
    r"""Return the format for ``conversations`` of human and gpt, by turns, with a system prompt before them.

    Each exchange is a text of its own, ``[INST] ... [/INST] ... ``, with BOS before and EOS after it, as Llama 2 was
    trained. Without a system prompt of their own conversations get the default one of Llama 2.
    """
    from transformers.models.llama.tokenization_llama import DEFAULT_SYSTEM_PROMPT

    def render(row: Mapping[str, Any]) -> Document:
        turns = _turns(row, "from", ("system", "human", "gpt"))
        system = turns.pop(0)[1] if turns[0][0] == "system" else DEFAULT_SYSTEM_PROMPT
        if turns and turns[0][0] == "gpt":
            turns.pop(0)
        if any(role != ("human", "gpt")[turn % 2] for turn, (role, _) in enumerate(turns)):
            raise DataError("The messages of 'conversations' must be of human and gpt, by turns.")
        exchanges = list(zip(turns[::2], turns[1::2], strict=False))
        if not exchanges:
            raise DataError("'conversations' must hold a message of human and one of gpt that answers it.")
        head = f"[INST] <<SYS>>\n{system}\n<</SYS>>\n\n"
        return Document(tuple(
            _exchange(asked[1].strip(), answered[1].strip(), index, head if index == 0 else "")
            for index, (asked, answered) in enumerate(exchanges)
        ))  # fmt: skip

    return Format(fields=("conversations",), render=render)


def _exchange(asked: str, answered: str, index: int, head: str) -> Chunk:
    question = f"{head}{asked}[/INST]" if head else f"[INST] {asked} [/INST]"
    answer = f" {answered} "
    middle = len(question)
    pieces = (
        Piece(0, middle, "human", 2 * index, False, "masked: what the human says, and the marks around it"),
        Piece(middle, middle + len(answer), "gpt", 2 * index + 1, True, "trained: what gpt says"),
    )
    return Chunk(question + answer, pieces, begins_text=True, ends_text=True)


def _turns(row: Mapping[str, Any], role_key: str, roles: Sequence[str]) -> list[tuple[str, str]]:
    """Return role and text of each message."""
    turns: list[tuple[str, str]] = []
    for number, message in enumerate(list_of(row, "conversations", "messages"), 1):
        what = f"message {number}"
        entry = object_in(message, what.capitalize())
        role = text_in(entry, role_key, what)
        if role not in roles:
            raise DataError(
                f"'{role_key}' of {what} is '{role}'; it must be one of {', '.join(roles)}.",
                "Use 'type: chat_template' with 'roles' for other names.",
            )
        turns.append((role, text_in(entry, "value", what)))
    return turns
