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
        config,
        precision,
        MODEL,
        **{"kind": "cuda", "parameters": 1000, "trainable": 100, "length": 5, **keys},
    )
    assert estimate is not None
    return estimate.weights, estimate.training_state, estimate.activations, estimate.logits


LORA_16, LORA_32 = 28 * 8 + 8 * 16, 32 * 8 + 16 * 16  # bytes that a layer keeps of a token
FULL_16, FULL_32 = 36 * 8 + 8 * 16, 40 * 8 + 16 * 16


@pytest.mark.parametrize(
    ("keys", "precision", "expected"),
    [
        # 900 frozen weights of 2 bytes; 100 trained ones with gradient and two moments in fp32; 2 rows of 5 tokens
        ({}, BF16, (1800, 1600, 2 * 10 * LORA_16, 10 * 100 * 12)),
        ({}, FP32, (3600, 1600, 2 * 10 * LORA_32, 10 * 100 * 12)),
        ({"gradient_checkpointing": True}, BF16, (1800, 1600, 2 * 10 * 8 * 2 + 10 * LORA_16, 10 * 100 * 12)),
        ({"micro_batch_size": 1}, BF16, (1800, 1600, 2 * 5 * LORA_16, 5 * 100 * 12)),
        ({"optimizer": "sgd"}, BF16, (1800, 800, 2 * 10 * LORA_16, 10 * 100 * 12)),
        ({"optimizer": "adamw_8bit"}, BF16, (1800, 1000, 2 * 10 * LORA_16, 10 * 100 * 12)),
        ({"adapter": ...}, FP32, (3600, 1600, 2 * 10 * FULL_32, 10 * 100 * 12)),
        # Autocast keeps a copy of what trains, in 2 bytes.
        ({"adapter": ...}, AUTOCAST, (3800, 1600, 2 * 10 * FULL_16, 10 * 100 * 12)),
        (
            {"adapter": ..., "gradient_checkpointing": True},
            AUTOCAST,
            (3800, 1600, 2 * 10 * 8 * 4 + 10 * FULL_16, 10 * 100 * 12),
        ),
    ],
)
def test_the_parts(
    keys: dict[str, Any], precision: Precision, expected: tuple[int, ...], make_config: Callable[..., Config]
) -> None:
    assert parts(make_config(**keys), precision) == expected


def test_a_host_holds_more_than_is_used(make_config: Callable[..., Config]) -> None:
    on_card, on_host = (parts(make_config(), BF16, kind=kind) for kind in ("cuda", "cpu"))
    assert on_host[:2] == on_card[:2]
    assert on_host[2:] == (round(1.3 * on_card[2]), round(1.3 * on_card[3]))


def test_padding_is_never_trained(make_config: Callable[..., Config]) -> None:
    assert parts(make_config(), BF16, real_tokens=4)[3] == 100 * (10 * 2 + 4 * 10)
    assert parts(make_config(), FP32, real_tokens=4)[3] == 100 * (10 * 4 + 4 * 8)
    assert parts(make_config(), BF16, real_tokens=99)[3] == 100 * 10 * 12


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
