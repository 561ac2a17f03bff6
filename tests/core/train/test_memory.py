from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.models.precision import Precision
from ft_core.train.memory import checkpoint_bytes, estimate_memory, less_memory

MODEL = {"hidden_size": 8, "num_hidden_layers": 2, "vocab_size": 100, "intermediate_size": 16}
BF16 = Precision("bf16", "bf16", "")
FP32 = Precision("fp32", "fp32", "")
AUTOCAST = Precision("bf16", "fp32", "")


def parts(config: Config, precision: Precision, **keys: Any) -> tuple[int, int, int, int]:
    """Return weights, training state, activations and logits in bytes."""
    estimate = estimate_memory(
        config, precision, MODEL, kind="cpu", **{"parameters": 1000, "trainable": 100, "length": 5, **keys}
    )
    assert estimate is not None
    return estimate.weights, estimate.training_state, estimate.activations, estimate.logits


LAYER = 10 * 8 + 3 * 16  # numbers kept by one layer for a token


@pytest.mark.parametrize(
    ("keys", "precision", "expected"),
    [
        # 900 frozen weights of 2 bytes; 100 trained ones with gradient and two moments in fp32; 2 rows of 5 tokens
        ({}, BF16, (1800, 1600, 2 * 10 * LAYER * 2, 10 * 100 * 12)),
        ({}, FP32, (3600, 1600, 2 * 10 * LAYER * 4, 10 * 100 * 12)),
        ({"gradient_checkpointing": True}, BF16, (1800, 1600, (2 * 10 * 8 + 10 * LAYER) * 2, 10 * 100 * 12)),
        ({"micro_batch_size": 1}, BF16, (1800, 1600, 2 * 5 * LAYER * 2, 5 * 100 * 12)),
        ({"optimizer": "sgd"}, BF16, (1800, 800, 2 * 10 * LAYER * 2, 10 * 100 * 12)),
        ({"optimizer": "adamw_8bit"}, BF16, (1800, 1000, 2 * 10 * LAYER * 2, 10 * 100 * 12)),
    ],
)
def test_the_parts(
    keys: dict[str, Any], precision: Precision, expected: tuple[int, ...], make_config: Callable[..., Config]
) -> None:
    assert parts(make_config(**keys), precision) == expected


def test_autocast_keeps_copies_of_what_trains(make_config: Callable[..., Config]) -> None:
    assert parts(make_config(adapter=...), AUTOCAST, trainable=1000)[:2] == (2000, 16_000)


def test_without_a_length_rows_are_as_long_as_they_may_be(make_config: Callable[..., Config]) -> None:
    config = make_config(sequence_len=64)
    assert parts(config, BF16, length=None) == parts(config, BF16, length=64)


@pytest.mark.parametrize(
    "model_config", [{}, {"hidden_size": "wide", "num_hidden_layers": 2, "vocab_size": 9}]
)
def test_a_shape_that_is_not_known_gives_no_estimate(
    model_config: dict[str, Any], make_config: Callable[..., Config]
) -> None:
    assert estimate_memory(make_config(), BF16, model_config, kind="cpu", parameters=1, trainable=1) is None


def test_a_checkpoint_holds_what_trains_and_its_optimizer(make_config: Callable[..., Config]) -> None:
    assert checkpoint_bytes(make_config(), parameters=1000, trainable=100) == 1200
    assert (
        checkpoint_bytes(make_config(adapter=..., optimizer="sgd"), parameters=1000, trainable=1000) == 4000
    )


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"micro_batch_size": 4}, "Set micro_batch_size: 2 (now 4) and gradient_accumulation_steps: 2"),
        ({"micro_batch_size": 1}, "Set gradient_checkpointing: true"),
        ({"micro_batch_size": 1, "gradient_checkpointing": True, "adapter": ...}, "Set adapter: lora"),
        ({"micro_batch_size": 1, "gradient_checkpointing": True}, "Lower sequence_len (now 64)"),
    ],
)
def test_what_needs_less(keys: dict[str, Any], words: str, make_config: Callable[..., Config]) -> None:
    assert less_memory(make_config(**keys)).startswith(words)
