"""Text rows to the ids that TRL trains on.

Prompt and answer are tokenized in one go, so that the ids are those that the model will see, and are parted behind the last
token that is the prompt's alone::

    "Q: " + "yes"    Q | : |  yes        prompt_ids [Q, :], answer ids [ yes, EOS]

BOS stands where the tokenizer puts it before a text, and once: a text that brings its own gets no second one
(https://github.com/huggingface/trl/issues/1400). EOS ends every answer that is not cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_core.data.encode import Encoded, encode, tokens_before_text
from ft_core.data.preference.task import Example, Method
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TokenRow = dict[str, Any]
"""``prompt_ids``, ``chosen_ids`` and ``rejected_ids``; for kto ``completion_ids`` and ``label`` in place of the last two; for a
reward model ``chosen_ids`` and ``rejected_ids`` alone, each with the prompt before it."""


def tokenize_preferences(
    rows: Sequence[Example],
    tokenizer: PreTrainedTokenizerBase,
    *,
    method: Method,
    sequence_len: int,
    source: str,
) -> list[TokenRow]:
    """Return the ids of each row, in order.

    Parameters
    ----------
    rows
        What `ft_core.data.preference.limit_lengths` kept.
    tokenizer
        The one that trains.
    method
        What the rows are for.
    sequence_len
        The most tokens of a prompt with an answer; what is longer loses its end.
    source
        The path of the dataset, for the error.

    Raises
    ------
    DataError
        A row of ``type: passthrough`` is no finished text.
    """
    answers = ("completion",) if method == "kto" else ("chosen", "rejected")
    for number, row in enumerate(rows, 1):
        _require_text(row, answers, method, f"{source}, row {number}")
    prefix = np.array(tokens_before_text(tokenizer), np.int32)
    texts = [row["prompt"] + row[name] for row in rows for name in answers]
    encoded = iter(encode(tokenizer, texts))
    made: list[TokenRow] = []
    for row in rows:
        parts = [next(encoded) for _ in answers]
        whole = [
            _closed(part, row["prompt"] + row[name], prefix, tokenizer)[:sequence_len]
            for part, name in zip(parts, answers, strict=True)
        ]
        if method == "reward":
            ids = {f"{name}_ids": ids.tolist() for name, ids in zip(answers, whole, strict=True)}
            made.append(ids)
            continue
        edge = _prompt_length(row["prompt"], parts, whole, prefix)
        finished: TokenRow = {"prompt_ids": whole[0][:edge].tolist()}
        finished |= {f"{name}_ids": ids[edge:].tolist() for name, ids in zip(answers, whole, strict=True)}
        if method == "kto":
            finished["label"] = bool(row["label"])
        made.append(finished)
    return made


def count_tokens(row: TokenRow) -> tuple[int, int]:
    """Return the tokens that a model sees of a row, and those of its answers.

    >>> count_tokens({"prompt_ids": [1, 2, 3], "chosen_ids": [4], "rejected_ids": [5, 6]})
    (9, 3)
    """
    answers = [len(ids) for name, ids in row.items() if name.endswith("_ids") and name != "prompt_ids"]
    return len(row.get("prompt_ids", ())) * len(answers) + sum(answers), sum(answers)


def _closed(
    encoded: Encoded, text: str, prefix: NDArray[np.int32], tokenizer: PreTrainedTokenizerBase
) -> NDArray[np.int32]:
    """Return the ids of a text with what begins and what ends one."""
    ids = encoded.ids
    if _lacks(prefix, encoded):
        ids = np.concatenate([prefix, ids])
    eos = tokenizer.eos_token
    if eos and not text.endswith(str(eos)):
        ids = np.concatenate([ids, np.array([tokenizer.eos_token_id], np.int32)])
    return ids


def _lacks(prefix: NDArray[np.int32], encoded: Encoded) -> bool:
    """Whether a text does not bring by itself what the tokenizer puts before one."""
    return not np.array_equal(encoded.ids[: len(prefix)], prefix)


def _prompt_length(
    prompt: str,
    parts: Sequence[Encoded],
    whole: Sequence[NDArray[np.int32]],
    prefix: NDArray[np.int32],
) -> int:
    """Return how many tokens at the beginning are the prompt's alone, and the same with every answer."""
    edges: list[int] = []
    for part, ids in zip(parts, whole, strict=True):
        inside = int(np.searchsorted(part.ends, len(prompt), side="right"))
        edges.append(min(inside + len(prefix) * _lacks(prefix, part), len(ids)))
    edge = min(edges)
    differing = np.flatnonzero(whole[0][:edge] != whole[-1][:edge])
    return int(differing[0]) if len(differing) else edge


def _require_text(row: Example, answers: Sequence[str], method: Method, where: str) -> None:
    """Raise where a row that came as it is holds no finished text."""
    for name in ("prompt", *answers):
        if not isinstance(row.get(name), str):
            held = "is missing" if row.get(name) is None else "is no text"
            raise DataError(
                f"{where}: '{name}' {held}, and 'type: passthrough' takes finished text.",
                "Use type: chat_template.argilla_chat for conversations, or another type that fits these rows.",
            )
    if method == "kto" and not isinstance(row.get("label"), (bool, int)):
        raise DataError(f"{where}: 'label' must be true or false.", "Give every answer a verdict.")
