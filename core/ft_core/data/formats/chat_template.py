"""``type: chat_template``: a list of messages, in the words of the model's own template.

The ids are those of the whole conversation. Trained are the contents of the chosen messages and the token that ends each
of them, never a header: what the model writes, and not what is written around it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ft_core.data.document import Chunk, Document, Format, Piece
from ft_core.data.encode import Encoded, encode
from ft_core.data.formats.chat_messages import (
    ChatMessage,
    plain_turns,
    read_conversation,
    read_tools,
    role_names,
    thinking_key,
)
from ft_core.data.formats.layouts import Layouts
from ft_core.data.formats.training_detail import trained_stretches
from ft_core.data.formats.turn_ends import Turn, TurnEnds, resolve_turn_ends
from ft_core.data.locate import Body, locate_messages
from ft_core.data.opaque import prove_opaque
from ft_core.data.template import ChatTemplate, Message, render, resolve_template
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


def prepare(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Format:
    """Return the format, with the template and the tokens that end a turn settled.

    Raises
    ------
    DataError
        There is no template, or a token of eot_tokens is not one token.
    """
    conversation = prepare_conversation(config, dataset, tokenizer)
    return Format(
        fields=(dataset.field_messages,), render=_quickest(conversation), warnings=conversation.ends.warnings
    )


def prepare_conversation(
    config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase
) -> Conversation:
    """Return what renders each row by the template; raises as `prepare` does."""
    template = resolve_template(config, tokenizer, dataset)
    ends = resolve_turn_ends(config, dataset, tokenizer, template)
    return Conversation(config, dataset, tokenizer, template, ends)


def _quickest(conversation: Conversation) -> Callable[[Mapping[str, Any]], Document]:
    """Return the function from a row to its document that renders no more than it must."""
    opaque = prove_opaque(conversation.template.text)
    read_turns = plain_turns(conversation.dataset)
    if opaque is None or read_turns is None:
        return conversation.render

    def write(turns: Sequence[tuple[str, str]]) -> Document:
        messages = [ChatMessage({"role": role, "content": text}, None, {}) for role, text in turns]
        return conversation.document(messages, None)

    def learn(turns: Sequence[tuple[str, str]]) -> Document | None:
        document = write(turns)
        pieces = list(document.chunks[0].pieces)
        # Where a prompt does not begin the text for whatever is said, it still may for some that is.
        chance = _answers_alone(conversation.dataset) and (not pieces or pieces[0].turn is not None)
        return None if chance else document

    layouts = Layouts(opaque, write, learn)

    def render(row: Mapping[str, Any]) -> Document:
        turns = read_turns(row)
        return conversation.render(row) if turns is None else layouts.document(turns)

    return render


def _answers_alone(dataset: Dataset) -> bool:
    """Return whether only the last message is trained on: no role is, and no message says anything itself."""
    return (
        not dataset.roles_to_train
        and dataset.message_field_training is None
        and dataset.message_field_training_detail is None
        and (dataset.train_on_eos, dataset.train_on_eot or "turn") == ("turn", "turn")
    )


@dataclass(frozen=True)
class Conversation:
    """Turns rows into documents."""

    config: Config
    dataset: Dataset
    tokenizer: PreTrainedTokenizerBase
    template: ChatTemplate
    ends: TurnEnds

    def render(self, row: Mapping[str, Any]) -> Document:
        """Return the document of a row."""
        tools = read_tools(row, self.dataset)
        return self.document(read_conversation(row, self.dataset), tools)

    def document(
        self, messages: Sequence[ChatMessage], tools: Sequence[Mapping[str, Any]] | None
    ) -> Document:
        """Return the document of a conversation."""
        turns = [message.message for message in messages]

        def write(turns: Sequence[Message]) -> str:
            return render(self.tokenizer, self.template, turns, tools=tools)

        text = write(turns)
        if _answers_alone(self.dataset) and (pieces := self._answer(text, turns, tools)):
            return Document((Chunk(text, pieces),))
        bodies = locate_messages(write, turns, text, thinking_key=thinking_key(self.dataset))
        return Document((Chunk(text, self._pieces(text, messages, bodies)),))

    def _answer(
        self, text: str, turns: Sequence[Message], tools: Sequence[Mapping[str, Any]] | None
    ) -> tuple[Piece, ...]:
        """Return pieces for the prompt and all that follows it; none where the prompt does not begin the text."""
        try:
            prompt = render(
                self.tokenizer, self.template, turns[:-1], tools=tools, add_generation_prompt=True
            )
        except DataError:
            return ()
        if not text.startswith(prompt):
            return ()
        last, role = len(turns) - 1, turns[-1]["role"]
        trained = "trained: " if self.config.train_on_inputs else "masked: "
        asks = "train_on_inputs is true" if self.config.train_on_inputs else "prompt of the last message"
        return (
            Piece(0, len(prompt), "prompt", None, self.config.train_on_inputs, trained + asks),
            Piece(
                len(prompt), len(text), role, last, True, "trained: last message (roles_to_train is empty)"
            ),
        )

    def _pieces(
        self, text: str, messages: Sequence[ChatMessage], bodies: Sequence[Body | None]
    ) -> tuple[Piece, ...]:
        """Return pieces for the body of each message, and for each token that ends one."""
        encoded = _once(lambda: encode(self.tokenizer, [text])[0])
        contents: list[Piece] = []
        turns: list[Turn] = []
        starts = sorted(body.start for body in bodies if body and body.start < body.end)
        for index, (message, body) in enumerate(zip(messages, bodies, strict=True)):
            if body is None or body.start == body.end:
                continue
            trained, why = self._choose(message)
            limit = next((start for start in starts if start >= body.end), len(text))
            turns.append(Turn(body.end, limit, message.message["role"], index, trained))
            if message.details and trained:
                contents += self._parts(message, body, index, encoded)
            else:
                rule = f"{'trained' if trained else 'masked'}: {why}"
                contents.append(Piece(body.start, body.end, message.message["role"], index, trained, rule))
        pieces = [*contents, *self.ends.pieces(text, turns)]
        pieces.sort(key=lambda piece: piece.start)
        return tuple(_with_lost(text, messages, bodies, pieces))

    def _choose(self, message: ChatMessage) -> tuple[bool, str]:
        """Return whether a message is trained on, and why."""
        if message.train is not None:
            field = self.dataset.message_field_training
            return message.train, f"the message says {field}: {str(message.train).lower()}"
        if message.details:
            marked = any(message.details.values())
            return marked, "parts of the message are marked" if marked else "no part of the message is marked"
        if self.config.train_on_inputs:
            return True, "train_on_inputs is true"
        role = message.message["role"]
        names = role_names(self.dataset)
        if role in {names.get(name, name) for name in self.dataset.roles_to_train}:
            return True, f"role {role} is in roles_to_train"
        return False, f"role {role} is not in roles_to_train"

    def _parts(
        self, message: ChatMessage, body: Body, turn: int, encoded: Callable[[], Encoded]
    ) -> list[Piece]:
        """Return pieces for the parts of a message: those that its details train, and all the rest of it."""
        role = message.message["role"]
        pieces: list[Piece] = []
        for key, details in message.details.items():
            found = body.parts.get(key)
            stretches = trained_stretches(found, details, encoded()) if found else []
            if stretches is None:
                rule = (
                    f"masked: the template changed the text, so the parts of message {turn + 1} have no place"
                )
                return [Piece(body.start, body.end, role, turn, False, rule)]
            for start, end, trained in stretches:
                rule = (
                    "trained: this part is marked" if trained else "masked: this part is not marked to train"
                )
                pieces.append(Piece(start, end, role, turn, trained, rule))
        pieces.sort(key=lambda piece: piece.start)
        rest: list[Piece] = []
        position = body.start
        for start, end in (*((piece.start, piece.end) for piece in pieces), (body.end, body.end)):
            if position < start:
                rule = "masked: parts of the message are marked, and this is none"
                rest.append(Piece(position, start, role, turn, False, rule))
            position = max(position, end)
        return [*pieces, *rest]


def _with_lost(
    text: str, messages: Sequence[ChatMessage], bodies: Sequence[Body | None], pieces: list[Piece]
) -> list[Piece]:
    """Return `pieces` with one for each message that was not found, where no other piece explains the text."""
    taken = list(pieces)
    for index, body in enumerate(bodies):
        if body is not None:
            continue
        before = [piece for piece in taken if piece.turn is not None and piece.turn < index]
        after = [piece for piece in taken if piece.turn is not None and piece.turn > index]
        start = max((piece.end for piece in before), default=0)
        end = min((piece.start for piece in after if piece.start >= start), default=len(text))
        # A second lost message shares the place of the first.
        if start < end and not any(piece.start < end and piece.end > start for piece in taken):
            rule = f"masked: message {index + 1} cannot be told from the template's own text"
            taken.append(Piece(start, end, messages[index].message["role"], index, False, rule))
            taken.sort(key=lambda piece: piece.start)
    return taken


def _once(make: Callable[[], Encoded]) -> Callable[[], Encoded]:
    """Return a function that calls `make` when it is first needed, and remembers the value."""
    kept: list[Encoded] = []

    def get() -> Encoded:
        if not kept:
            kept.append(make())
        return kept[0]

    return get
