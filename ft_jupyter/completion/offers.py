"""What may be offered at a place, and which of it fits what is typed."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NEAR = 0.6
"""How like a name what is typed must be, from 0 to 1, where nothing begins with it or holds it."""

MOST_NEAR = 8


@dataclass(frozen=True)
class Offer:
    """One thing that may be written.

    Attributes
    ----------
    text
        What replaces the fragment.
    kind
        What it is, in a word or two, shown beside it.
    name
        What the fragment is compared with; the text where it is empty.
    """

    text: str
    kind: str
    name: str = ""

    @property
    def compared(self) -> str:
        """What the fragment is compared with, in lower case."""
        return (self.name or self.text).lower()


@dataclass(frozen=True)
class Offers:
    """What is offered for a fragment of the text before the cursor, best first."""

    fragment: str
    offers: Sequence[Offer]


def fitting(fragment: str, offers: Iterable[Offer]) -> Offers:
    """Return those of `offers` that fit what is typed: begin with it, or else hold it, or else are near it.

    Where none does, what is typed stands for itself: an answer with nothing in it would be filled with Python's names.

    Examples
    --------
    >>> [offer.text for offer in fitting("sampel", [Offer("seed", ""), Offer("sample_packing", "")]).offers]
    ['sample_packing']
    """
    by_text: dict[str, Offer] = {}
    for offer in offers:
        by_text.setdefault(offer.text, offer)
    known = list(by_text.values())
    typed = fragment.lower()
    for found in (
        [offer for offer in known if offer.compared.startswith(typed)],
        [offer for offer in known if len(typed) > 1 and typed in offer.compared],
        _near(typed, known),
    ):
        if found:
            return Offers(fragment, found)
    return Offers(fragment, [Offer(fragment, "as typed" if fragment else "nothing to offer")])


def _near(typed: str, offers: Sequence[Offer]) -> list[Offer]:
    by_name: dict[str, Offer] = {}
    for offer in offers:
        by_name.setdefault(offer.compared, offer)
    # Longer than any name: difflib is quadratic in the length.
    names = difflib.get_close_matches(typed[:80], by_name, n=MOST_NEAR, cutoff=NEAR)
    return [by_name[name] for name in names]
