"""The token that ends a turn: the model must learn to write it, or it never stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_core.data.document import Piece
from ft_core.data.template import ChatTemplate, render
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

# How many tokens of the template may stand between a turn's content and its end, as in Axolotl.
_REACH = 3


@dataclass(frozen=True)
class Turn:
    """A turn whose end is looked for: in the characters ``[start, limit)``, after its body and before the next one's."""

    start: int
    limit: int
    role: str
    index: int
    trained: bool


@dataclass(frozen=True)
class _Kind:
    """Tokens that end a turn, and after which turns they are trained: `option` of the key `key`."""

    tokens: tuple[str, ...]
    option: str
    key: str


@dataclass(frozen=True)
class TurnEnds:
    """Finds the tokens that end turns, and says which are trained.

    Attributes
    ----------
    warnings
        A sentence for each token that the template does not write.
    """

    kinds: tuple[_Kind, ...]
    tokenizer: PreTrainedTokenizerBase
    warnings: tuple[str, ...]

    def pieces(self, text: str, turns: Sequence[Turn]) -> list[Piece]:
        """Return the ends of `turns` in the rendered conversation `text`."""
        found: dict[tuple[int, int], Piece] = {}
        everywhere = any(kind.option == "all" for kind in self.kinds)
        for kind in self.kinds:
            here = [self._find(text, turn, kind) for turn in turns]
            # As in Axolotl: turns that are not trained count for `last` only where the other option asks for all turns.
            counted = [
                at for at, turn in zip(here, turns, strict=True) if at and (turn.trained or everywhere)
            ]
            for at, turn in zip(here, turns, strict=True):
                if at is None or at in found:
                    continue
                trained, why = _decide(kind, turn, is_last=bool(counted) and at == counted[-1])
                rule = f"{'trained' if trained else 'masked'}: end of turn ({kind.key}: {kind.option}{why})"
                found[at] = Piece(*at, turn.role, turn.index, trained, rule)
        return list(found.values())

    def _find(self, text: str, turn: Turn, kind: _Kind) -> tuple[int, int] | None:
        """Return the characters of the first end of turn after `turn`, or None where it is not near."""
        hits = [
            (at, at + len(token))
            for token in kind.tokens
            if (at := text.find(token, turn.start, turn.limit)) >= 0
        ]
        if not hits:
            return None
        first = min(hits)
        between = text[turn.start : first[0]]
        near = not between or len(self.tokenizer(between, add_special_tokens=False)["input_ids"]) <= _REACH
        return first if near else None


def resolve_turn_ends(
    config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase, template: ChatTemplate
) -> TurnEnds:
    """Return the tokens that end a turn in `template`, and when they are trained.

    Raises
    ------
    DataError
        A token of eot_tokens is several tokens, or train_on_eos and train_on_eot disagree about one of them.
    """
    eos = str(tokenizer.eos_token) if tokenizer.eos_token else None
    given = config.eot_tokens if config.eot_tokens is not None else ((eos,) if eos else ())
    eot_option = dataset.train_on_eot or dataset.train_on_eos
    tokens = tuple(token for token in given if _writes(template.text, token, eos) or given == (eos,))
    for token in tokens:
        ids = tokenizer(token, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise DataError(
                f"eot_tokens: '{token}' is {len(ids)} tokens for this tokenizer, not one.",
                "Name a token that its vocabulary holds whole.",
            )
    if eos in tokens and eot_option != dataset.train_on_eos:
        raise DataError(
            f"train_on_eos: {dataset.train_on_eos} and train_on_eot: {eot_option} disagree about '{eos}', which is both "
            "the EOS token and an end of turn.",
            "Set both alike, or take the token out of eot_tokens.",
        )
    kinds = (_Kind(tokens, eot_option, "train_on_eos" if eos in tokens else "train_on_eot"),)
    if eos and eos not in tokens:
        kinds += (_Kind((eos,), dataset.train_on_eos, "train_on_eos"),)
    silent = {eot_option, dataset.train_on_eos} == {"none"}
    warnings = () if silent else _warnings(given, eos, tokenizer, template)
    return TurnEnds(kinds, tokenizer, warnings)


def _writes(template: str, token: str, eos: str | None) -> bool:
    """Return whether `template` names a token, by itself or as ``eos_token``."""
    return token in template or (token == eos and "eos_token" in template)


def _warnings(
    tokens: Sequence[str], eos: str | None, tokenizer: PreTrainedTokenizerBase, template: ChatTemplate
) -> tuple[str, ...]:
    """Return a sentence where `template` writes no end of turn at all, or one for each of `tokens` that it does not write."""
    wanted = dict.fromkeys((*tokens, *((eos,) if eos else ())))
    written = [token for token in wanted if _writes(template.text, token, eos)]
    if wanted and not written:
        listed = ", ".join(f"'{token}'" for token in tokens or wanted)
        likely = _likely_end(tokenizer, template)
        token = f"['{likely}']" if likely else "the token that does end a turn in this template"
        warning = (
            f"The chat template never writes {listed}, so the model does not learn to end its turn; "
            f"set eot_tokens to {token}."
        )
        return (warning,)
    return tuple(
        f"eot_tokens: the chat template never writes '{token}', so it is left out."
        for token in tokens
        if token not in written
    )


def _likely_end(tokenizer: PreTrainedTokenizerBase, template: ChatTemplate) -> str | None:
    """Return the token of the vocabulary that `template` writes after an answer, or None."""
    question, answer = {"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}
    try:
        text = render(tokenizer, template, [question, answer])
    except DataError:
        return None
    after = text.rpartition("So.")[2].lstrip()
    names = [str(token) for token in tokenizer.added_tokens_decoder.values()]
    return max((name for name in names if after.startswith(name)), key=len, default=None)


def _decide(kind: _Kind, turn: Turn, *, is_last: bool) -> tuple[bool, str]:
    """Return whether an end of turn is trained, and what to add to the option to say why."""
    if kind.option == "turn":
        return turn.trained, "" if turn.trained else ", and this turn is not trained"
    if kind.option == "last":
        return is_last, "" if is_last else ", and this is not the last one"
    return kind.option == "all", ""
