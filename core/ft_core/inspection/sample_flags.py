"""What can be said of a sample by its ids, labels and spans."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ft_core.config.schema.dataset_type import FunctionSource, PromptFormat
from ft_core.data.document import TEMPLATE_ROLE
from ft_core.data.formats.instructions import RECIPES
from ft_core.data.sample import IGNORE, Sample
from ft_core.data.sieve import NOTHING_TRAINED, TOO_LONG, drop_reason
from ft_core.data.template import resolve_template
from ft_core.errors import DataError
from ft_core.inspection.flags import BIT
from ft_core.inspection.row_flags import Conversation, character_flags, texts_in

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

REACH = 3
"""How many tokens may stand between a trained text and the token that ends it, as where ends of turns are looked for."""

_AROUND = ("end of turn", "end of text", "start of text", "last message")
"""Words in the rules of spans that hold more than what somebody said."""

_LOST = "cannot be told from the template's own text"


@dataclass(frozen=True, eq=False)
class Facts:
    """What of a config, a dataset and a tokenizer the flags of its samples depend on.

    Attributes
    ----------
    config, dataset
        The config, and the entry the rows are of.
    special
        For each id whether it stands for itself and for no text; bool of shape ``[vocabulary]``.
    bos, unknown
        The ids that begin a text and that stand for what the vocabulary lacks; None where there is none, or where it has
        another meaning as well.
    template
        The text of the chat template; empty where the type has none.
    """

    config: Config
    dataset: Dataset
    tokenizer: PreTrainedTokenizerBase
    special: NDArray[np.bool_]
    bos: int | None
    unknown: int | None
    template: str

    @property
    def is_chat(self) -> bool:
        """Whether the rows are messages for a chat template."""
        return self.dataset.type == "chat_template"

    def special_in(self, ids: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for each id whether it is special; one beyond the vocabulary, as a tokenized row may have, is not."""
        size = len(self.special)
        return self.special[np.clip(ids, 0, size - 1)] & (ids >= 0) & (ids < size)


def facts_of(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Facts:
    """Return what the flags of the samples of `dataset` depend on."""
    template = ""
    if dataset.type == "chat_template":
        # Without a template every row is broken, and that says why.
        with suppress(DataError):
            template = resolve_template(config, tokenizer, dataset).text
    bos, eos, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
    unknown = tokenizer.unk_token_id
    vocabulary: Mapping[str, int] = tokenizer.get_vocab()
    special = np.zeros(max(vocabulary.values(), default=0) + 1, np.bool_)
    marks = [token for token, added in tokenizer.added_tokens_decoder.items() if added.special]
    marks += tokenizer.all_special_ids
    marks += [vocabulary[token] for token in config.eot_tokens or () if token in vocabulary]
    special[[mark for mark in marks if 0 <= mark < len(special)]] = True
    return Facts(
        config,
        dataset,
        tokenizer,
        special,
        bos if isinstance(bos, int) else None,
        unknown if isinstance(unknown, int) and unknown not in (bos, eos, pad) else None,
        template,
    )


def sample_bits(
    facts: Facts, sample: Sample, row: Mapping[str, Any], said: Conversation | None, *, is_last: bool = True
) -> int:
    """Return the flags of a sample.

    Parameters
    ----------
    facts
        As `facts_of` returns them.
    sample, row
        The sample, and the row it came from.
    said
        What the row says of itself.
    is_last
        Whether no other sample of the row follows, in which its text goes on.
    """
    bits = said.bits if said else 0
    reason = drop_reason(facts.config, sample)
    if reason == TOO_LONG:
        bits |= BIT["too_long"]
    elif reason == NOTHING_TRAINED:
        bits |= BIT["nothing_trained"]
    elif reason:
        bits |= BIT["too_short"]
    if sample.cut:
        bits |= BIT["truncated"]
    if not len(sample):
        return bits
    ids, labels = sample.input_ids, sample.labels
    special = facts.special_in(ids)
    kind = facts.dataset.type
    if facts.bos is not None and len(ids) > 1 and ids[0] == ids[1] == facts.bos:
        bits |= BIT["double_bos"]
    if facts.unknown is not None and (ids == facts.unknown).any():
        bits |= BIT["unknown_token"]
    trained = np.flatnonzero(labels != IGNORE)
    if len(trained) == len(ids) and kind not in ("completion", "pretrain"):
        bits |= BIT["everything_trained"]
    if not len(trained) and not sample.cut and _has_answer(kind):
        bits |= BIT["empty_turn"]
    if len(trained) and is_last and not sample.cut and kind != "stepwise_supervised":
        bits |= _stop_bits(int(trained[-1]), special)
    if kind != "":
        text = "".join(span.text for span in sample.spans)
        bits |= character_flags(text)
        if _special_in_text(facts, sample, special, row):
            bits |= BIT["special_in_text"]
        if said and not sample.cut:
            bits |= _lost_bits(sample, said, text)
    return bits


def _has_answer(kind: object) -> bool:
    """Whether rows of this type have one answer, in which something must be trained unless it is empty."""
    return isinstance(kind, (PromptFormat, FunctionSource)) or kind in RECIPES


def _stop_bits(last: int, special: NDArray[np.bool_]) -> int:
    """Return whether the trained text that ends in token `last` ends in a token that stands for an end."""
    if special[last]:
        return 0
    return BIT["stop_untrained"] if special[last + 1 : last + 2 + REACH].any() else BIT["no_stop"]


def untrained_stop(facts: Facts, sample: Sample) -> str:
    """Return the token that ends the last trained text of a sample and has no label; empty where there is none."""
    last = int(np.flatnonzero(sample.labels != IGNORE)[-1])
    after = sample.input_ids[last + 1 : last + 2 + REACH]
    found = after[facts.special_in(after)]
    return str(facts.tokenizer.convert_ids_to_tokens(int(found[0]))) if len(found) else ""


def _special_in_text(
    facts: Facts, sample: Sample, special: NDArray[np.bool_], row: Mapping[str, Any]
) -> bool:
    """Return whether what somebody said holds a special token, and the row its characters."""
    at: list[int] = np.flatnonzero(special).tolist()
    suspects: list[int] = []
    for span in sample.spans:
        low, high = bisect_left(at, span.start), bisect_left(at, span.end)
        if low < high and span.role != TEMPLATE_ROLE and not any(words in span.rule for words in _AROUND):
            suspects += at[low:high]
    if not suspects:
        return False
    ids = dict.fromkeys(int(sample.input_ids[each]) for each in suspects)
    tokens: Sequence[str] = [str(token) for token in facts.tokenizer.convert_ids_to_tokens(list(ids))]
    # Tools and reasoning may be written between such tokens by the template itself.
    return any(token in text for text in texts_in(row) for token in tokens)


def _lost_bits(sample: Sample, said: Conversation, text: str) -> int:
    bits = 0
    turns = {span.turn for span in sample.spans if span.turn is not None}
    alone = any(span.role == "prompt" for span in sample.spans)
    if any(_LOST in span.rule for span in sample.spans) or (not alone and not turns.issuperset(said.said)):
        bits |= BIT["message_lost"]
    if any(thought[:80] not in text for thought in said.thinking):
        bits |= BIT["thinking_dropped"]
    return bits
