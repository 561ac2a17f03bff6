"""What a row may be found by: a table, in the order of the bits that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["broken", "wrong", "suspicious", "notable"]

SEVERITIES: tuple[Severity, ...] = ("broken", "wrong", "suspicious", "notable")
"""Worst first."""


@dataclass(frozen=True)
class Flag:
    """Something that can be said of a row.

    Attributes
    ----------
    name
        What code calls it.
    title
        What people call it, in a few words.
    description
        What it means, as a sentence.
    severity
        How bad it is; ``notable`` is no fault.
    fix
        What to do in most cases, as a sentence. May be empty.
    """

    name: str
    title: str
    description: str
    severity: Severity
    fix: str = ""


FLAGS = (
    Flag(
        "broken",
        "Broken",
        "The row cannot be read, or does not fit the dataset's type.",
        "broken",
        "Mend the row, or set broken_rows: skip to train without it.",
    ),
    Flag(
        "unknown_role",
        "Unknown role",
        "A message has a role that neither roles nor the chat template knows.",
        "wrong",
        "Name it under roles.",
    ),
    Flag(
        "nothing_trained",
        "Nothing trained",
        "No token has a label, so training leaves the sample out.",
        "wrong",
        "Check roles_to_train and the names of the roles under roles.",
    ),
    Flag(
        "stop_untrained",
        "Stop token untrained",
        "The token that ends the last trained text has no label, so the model does not learn to stop.",
        "wrong",
        "Set train_on_eos: turn, and name the token in eot_tokens.",
    ),
    Flag(
        "no_stop",
        "No stop token",
        "No token that ends a text follows the last trained one, so the model does not learn to stop.",
        "wrong",
        "Choose a chat_template that writes a token after each answer.",
    ),
    Flag(
        "double_bos",
        "Double BOS",
        "The sample begins with the token that begins a text twice.",
        "wrong",
        "Remove the token from the chat template or from the rows.",
    ),
    Flag(
        "message_lost",
        "Message lost",
        "A message is not in the text that the chat template writes, or cannot be told from it.",
        "wrong",
        "Choose a chat_template that writes every message.",
    ),
    Flag(
        "prompt_differs",
        "Prompt differs",
        "The chat would ask for an answer with other ids than training had before it.",
        "wrong",
        "Compare the two under Parity.",
    ),
    Flag(
        "too_long",
        "Too long",
        "The sample is longer than sequence_len, so training leaves it out.",
        "suspicious",
        "Raise sequence_len, or set excess_length_strategy: truncate.",
    ),
    Flag(
        "truncated",
        "Truncated",
        "The end of the sample was cut off at sequence_len.",
        "suspicious",
        "Raise sequence_len.",
    ),
    Flag(
        "too_short",
        "Too short",
        "The sample is shorter than min_sample_len, or a single token, so training leaves it out.",
        "suspicious",
    ),
    Flag(
        "everything_trained",
        "Everything trained",
        "Every token has a label, those of the prompt too.",
        "suspicious",
        "Set train_on_inputs: false and roles_to_train: [assistant].",
    ),
    Flag(
        "empty_turn",
        "Empty turn",
        "A message, or the answer, holds no text.",
        "wrong",
        "Remove the row, or fill it in.",
    ),
    Flag(
        "duplicate",
        "Duplicate",
        "An earlier sample has the same ids and labels.",
        "suspicious",
        "Set dataset_exact_deduplication: true.",
    ),
    Flag(
        "special_in_text",
        "Special token in text",
        "A text holds the characters of a special token, which becomes that token.",
        "suspicious",
        "Take it out of the rows.",
    ),
    Flag(
        "thinking_dropped",
        "Thinking dropped",
        "The reasoning before an answer is in the row and not in the sample.",
        "suspicious",
        "Choose a chat_template that writes it, and see template_thinking_key and split_thinking.",
    ),
    Flag(
        "unknown_token",
        "Unknown token",
        "The tokenizer has no token for some of the text.",
        "suspicious",
        "Use a tokenizer that covers the language.",
    ),
    Flag(
        "replacement_character",
        "Replacement character",
        "The text holds U+FFFD, which stands for bytes that were no text when it was made.",
        "suspicious",
        "Make the rows again from their source, reading it in its own encoding.",
    ),
    Flag(
        "mojibake",
        "Mojibake",
        "The text holds signs such as Ã© or â€™, which are UTF-8 read as Latin-1.",
        "suspicious",
        "Make the rows again from their source, reading it as UTF-8.",
    ),
    Flag(
        "control_characters",
        "Control characters",
        "The text holds control characters, a byte order mark or marks that turn the direction of writing.",
        "suspicious",
        "Take them out of the rows.",
    ),
    Flag(
        "unanswered",
        "Unanswered",
        "The conversation ends with a message of the user.",
        "notable",
    ),
)

BIT = {flag.name: 1 << number for number, flag in enumerate(FLAGS)}
"""The bit that stands for a flag."""


def names_of(bits: int) -> tuple[str, ...]:
    """Return the names of the flags in `bits`, in their order.

    >>> names_of(BIT["broken"] | BIT["duplicate"])
    ('broken', 'duplicate')
    """
    return tuple(flag.name for number, flag in enumerate(FLAGS) if bits >> number & 1)
