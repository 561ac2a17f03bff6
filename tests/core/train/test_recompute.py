from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.train.memory import MemoryEstimate
from ft_core.train.recompute import Recompute, choose_recompute


def of_four(again: int) -> MemoryEstimate:
    """Return 100 bytes, and 50 for each of four layers that keeps what it made."""
    return MemoryEstimate(100, 0, 0, 0, 50 * (4 - again), 0, 0)


ASKED = "'gradient_checkpointing' in the config"
SOME = "what is kept of the others fits into memory"


@pytest.mark.parametrize(
    ("asked", "kind", "memory", "expected"),
    [
        (True, "cuda", 10_000, Recompute(4, 4, ASKED)),
        ("offload", "cuda", 10_000, Recompute(4, 4, ASKED)),
        (False, "cuda", 10, Recompute(0, 4, ASKED)),
        # 0.85 of a GPU's memory are filled, and 0.7 of a host's.
        ("auto", "cuda", 353, Recompute(0, 4, "all fits")),
        ("auto", "cuda", 352, Recompute(1, 4, SOME)),
        ("auto", "cpu", 353, Recompute(2, 4, SOME)),
        ("auto", "mps", 286, Recompute(2, 4, SOME)),
        ("auto", "mps", 285, Recompute(3, 4, SOME)),
        ("auto", "cuda", 118, Recompute(4, 4, SOME)),
        ("auto", "cuda", 117, Recompute(4, 4, "memory is short")),
    ],
)
def test_as_few_layers_as_the_memory_allows(
    asked: Any, kind: Any, memory: int, expected: Recompute, make_config: Callable[..., Config]
) -> None:
    config = make_config(gradient_checkpointing=asked)
    assert choose_recompute(config, 4, of_four, kind=kind, memory=memory) == expected


def test_a_shape_that_is_not_known(make_config: Callable[..., Config]) -> None:
    found = choose_recompute(make_config(), 4, lambda _: None, kind="cuda", memory=1)
    assert found == Recompute(0, 4, "the model's shape is not known")


@pytest.mark.parametrize(
    ("layers", "words"),
    [(0, ""), (3, "computed again in 3 of 4 layers"), (4, "computed again in all 4 layers")],
)
def test_words(layers: int, words: str) -> None:
    assert Recompute(layers, 4, "").words == words
