"""Which offers fit what is typed."""

from __future__ import annotations

import pytest

from ft_jupyter.completion.offers import Offer, fitting

NAMES = [
    Offer("sample_packing: ", "later", "sample_packing"),
    Offer("seed", ""),
    Offer("lora_r", ""),
    Offer("lora_alpha", ""),
]


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("", ["sample_packing: ", "seed", "lora_r", "lora_alpha"]),
        ("se", ["seed"]),
        ("LORA_", ["lora_r", "lora_alpha"]),
        ("alph", ["lora_alpha"]),
        ("sampel_paking", ["sample_packing: "]),
        ("r", ["r"]),
        ("xyzzy", ["xyzzy"]),
        ("x" * 10_000, ["x" * 10_000]),
    ],
)
def test_what_begins_then_what_holds_then_what_is_near_then_what_is_typed(
    typed: str, found: list[str]
) -> None:
    offers = fitting(typed, NAMES)
    assert offers.fragment == typed
    assert [offer.text for offer in offers.offers] == found


def test_the_same_text_is_offered_once_as_what_it_is_first() -> None:
    offers = fitting("", [Offer("rows.jsonl", "file"), Offer("rows.jsonl", "example")]).offers
    assert offers == [Offer("rows.jsonl", "file")]


@pytest.mark.parametrize(("typed", "kind"), [("x", "as typed"), ("", "nothing to offer")])
def test_where_nothing_fits_an_offer_says_so(typed: str, kind: str) -> None:
    assert fitting(typed, []).offers == [Offer(typed, kind)]
