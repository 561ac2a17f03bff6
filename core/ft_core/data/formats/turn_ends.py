"""The token that ends a turn: the model must learn to write it, or it never stops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ft_core.data.document import Piece
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

# How many tokens of the template may stand between a turn's content and its end, as in Axolotl.
_REACH = 3


@dataclass(frozen=True)
class _Kind:
    """Tokens that end a turn, and after which turns they are trained: `option` of the key `key`."""

    tokens: tuple[str, ...]
    option: str
    key: str


@dataclass(frozen=True)
class TurnEnds:
    """Finds the tokens that end turns, and says which are trained."""

    kinds: tuple[_Kind, ...]
    tokenizer: PreTrainedTokenizerBase

    def pieces(self, text: str, contents: Sequence[Piece], limits: Sequence[int]) -> list[Piece]:
        """Return the ends of the turns whose contents are `contents`.

        Parameters
        ----------
        text
            The rendered conversation.
        contents
            One piece for each turn that has a content.
        limits
            For each of them, where the next turn begins.
        """
        found: list[Piece] = []
        ends: set[tuple[int, int]] = set()
        everywhere = any(kind.option == "all" for kind in self.kinds)
        for kind in self.kinds:
            here = [
                self._find(text, content.end, limit, kind)
                for content, limit in zip(contents, limits, strict=True)
            ]
            # As in Axolotl: turns that are not trained count for `last` only where the other option asks for all turns.
            counted = [
                at
                for at, content in zip(here, contents, strict=True)
                if at and (content.trained or everywhere)
            ]
            for at, content in zip(here, contents, strict=True):
                if at is None or at in ends:
                    continue
                ends.add(at)
                trained, why = _decide(kind, content, is_last=bool(counted) and at == counted[-1])
                rule = f"{'trained' if trained else 'masked'}: end of turn ({kind.key}: {kind.option}{why})"
                found.append(Piece(*at, content.role, content.turn, trained, rule))
        return found

    def warnings(self, template: str) -> tuple[str, ...]:
        """Return a sentence where `template` writes none of the tokens, or EOS by another name."""
        tokens = [token for kind in self.kinds if kind.option != "none" for token in kind.tokens]
        if not tokens or "eos_token" in template or any(token in template for token in tokens):
            return ()
        listed = ", ".join(f"'{token}'" for token in dict.fromkeys(tokens))
        warning = (
            f"The chat template never writes {listed}, so the model does not learn to end its turn; "
            "set eot_tokens to the token that does end a turn in this template."
        )
        return (warning,)

    def _find(self, text: str, start: int, limit: int, kind: _Kind) -> tuple[int, int] | None:
        """Return the characters of the first end of turn at or after `start`, or None where it is not near."""
        hits = [(at, at + len(token)) for token in kind.tokens if (at := text.find(token, start, limit)) >= 0]
        if not hits:
            return None
        first = min(hits)
        between = text[start : first[0]]
        near = not between or len(self.tokenizer(between, add_special_tokens=False)["input_ids"]) <= _REACH
        return first if near else None


def resolve_turn_ends(config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> TurnEnds:
    """Return the tokens that end a turn, and when they are trained.

    Raises
    ------
    DataError
        A token of eot_tokens is several tokens, or train_on_eos and train_on_eot disagree about one token.
    """
    eos = str(tokenizer.eos_token) if tokenizer.eos_token else None
    tokens = config.eot_tokens if config.eot_tokens is not None else ((eos,) if eos else ())
    for token in tokens:
        ids = tokenizer(token, add_special_tokens=False)["input_ids"]
        if len(ids) != 1:
            raise DataError(
                f"eot_tokens: '{token}' is {len(ids)} tokens for this tokenizer, not one.",
                "Name a token that its vocabulary holds whole.",
            )
    option = dataset.train_on_eot or dataset.train_on_eos
    key = "train_on_eos" if eos in tokens else "train_on_eot"
    kinds = (_Kind(tuple(tokens), option, key),)
    if eos and eos not in tokens:
        kinds += (_Kind((eos,), dataset.train_on_eos, "train_on_eos"),)
    elif eos and option != dataset.train_on_eos:
        raise DataError(
            f"train_on_eos: {dataset.train_on_eos} and train_on_eot: {option} disagree about '{eos}', which is both "
            "the EOS token and an end of turn.",
            "Set both alike, or take the token out of eot_tokens.",
        )
    return TurnEnds(kinds, tokenizer)


def _decide(kind: _Kind, content: Piece, *, is_last: bool) -> tuple[bool, str]:
    """Return whether an end of turn is trained, and what to add to the option to say why."""
    if kind.option == "turn":
        return content.trained, "" if content.trained else ", and this turn is not trained"
    if kind.option == "last":
        return is_last, "" if is_last else ", and this is not the last one"
    return kind.option == "all", ""
