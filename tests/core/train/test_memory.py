from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.models.fused.choose import Part
from ft_core.models.precision import Precision
from ft_core.train.memory import MemoryEstimate, checkpoint_bytes, estimate_memory, less_memory

MODEL = {
    "hidden_size": 8,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "intermediate_size": 16,
}
BF16 = Precision("bf16", "bf16", "")
FP32 = Precision("fp32", "fp32", "")
AUTOCAST = Precision("bf16", "fp32", "")


def parts(config: Config, precision: Precision, **keys: Any) -> dict[str, int]:
    """Return the parts of an estimate but for the base, those that are 0 left out."""
    estimate = estimate_memory(
        config,
        precision,
        MODEL,
        **{"kind": "mps", "attention": "sdpa", "parameters": 1000, "trainable": 100, "length": 5, **keys},
    )
    assert estimate is not None
    return {name: size for name, size in asdict(estimate).items() if name != "base" and size}


LORA_16, LORA_32 = 28 * 8 + 8 * 16, 32 * 8 + 16 * 16  # bytes that a layer keeps of a token
FULL_16, FULL_32 = 36 * 8 + 8 * 16, 40 * 8 + 16 * 16
# 900 frozen weights of 2 bytes; 100 trained ones with gradient and two moments in fp32; 2 rows of 5 tokens
PLAIN = {
    "weights": 1800 + 400, "optimizer": 800, "gradients": 400, "activations": 2 * 10 * LORA_16,
    # 12 bytes a logit, 8 in fp32; hidden states of 8 numbers and their gradient
    "logits": 10 * 100 * 12 + 2 * 10 * 8 * 2,
}  # fmt: skip
IN_FP32 = 10 * 100 * 8 + 2 * 10 * 8 * 4
HEAD = 100 * 8  # weights, whose gradient in fp32 is made chunk by chunk


@pytest.mark.parametrize(
    ("keys", "precision", "different"),
    [
        ({}, BF16, {}),
        ({}, FP32, {"weights": 3600 + 400, "activations": 2 * 10 * LORA_32, "logits": IN_FP32}),
        ({"gradient_checkpointing": True}, BF16, {"activations": 2 * 10 * 8 * 2, "recomputed": 10 * LORA_16}),
        (
            {"micro_batch_size": 1},
            BF16,
            {"activations": 2 * 5 * LORA_16, "logits": 5 * 100 * 12 + 2 * 5 * 8 * 2},
        ),
        ({"optimizer": "adamw_8bit"}, BF16, {"optimizer": 200}),
        (
            {"adapter": ...},
            FP32,
            {"weights": 3600 + 400, "activations": 2 * 10 * FULL_32, "logits": IN_FP32 + HEAD * 12},
        ),
        # Autocast keeps a copy of what trains, in 2 bytes.
        (
            {"adapter": ...},
            AUTOCAST,
            {
                "weights": 3600 + 400 + 200,
                "activations": 2 * 10 * FULL_16,
                "logits": PLAIN["logits"] + HEAD * 10,
            },
        ),
        # Of layers that are recomputed it keeps none; 100 trained weights are fewer than the head's 800.
        (
            {"adapter": ..., "gradient_checkpointing": True},
            AUTOCAST,
            {
                "weights": 3600 + 400 + 200,
                "activations": 2 * 10 * 8 * 4,
                "recomputed": 10 * FULL_16,
                "logits": PLAIN["logits"] + HEAD * 10,
            },
        ),
    ],
)
def test_the_parts(
    keys: dict[str, Any], precision: Precision, different: dict[str, int], make_config: Callable[..., Config]
) -> None:
    assert parts(make_config(**keys), precision) == PLAIN | different


def test_an_optimizer_without_state_takes_nothing(make_config: Callable[..., Config]) -> None:
    assert "optimizer" not in parts(make_config(optimizer="sgd"), BF16)


def test_recomputed_layers_have_no_copies_but_the_head_has(make_config: Callable[..., Config]) -> None:
    config = make_config(adapter=..., gradient_checkpointing=True)
    assert parts(config, AUTOCAST, trainable=1000)["weights"] == 4000 + 800 * 2


def test_some_layers_are_computed_again(make_config: Callable[..., Config]) -> None:
    found = parts(make_config(gradient_checkpointing=False), BF16, recompute=1)
    # One of two keeps its input alone; its memory is not needed on top of what the other had.
    assert found == PLAIN | {"activations": 10 * 8 * 2 + 10 * LORA_16}


@pytest.mark.parametrize(
    ("fused", "kept"),
    [
        ((), LORA_16),
        (("mlp",), 24 * 8 + 4 * 16),
        (("qkv",), 24 * 8 + 8 * 16),
        (("mlp", "qkv", "o"), 20 * 8 + 4 * 16),
    ],
)
def test_fused_layers_keep_less(
    fused: tuple[Part, ...], kept: int, make_config: Callable[..., Config]
) -> None:
    assert parts(make_config(), BF16, fused=fused)["activations"] == 2 * 10 * kept


@pytest.mark.parametrize(
    ("liger", "precision", "kept"),
    [
        (("liger_rms_norm", "liger_rope"), BF16, 24 * 8 + 8 * 16),
        (("liger_glu_activation",), BF16, 28 * 8 + 4 * 16),
        (("liger_rms_norm", "liger_glu_activation"), FP32, 32 * 8 + 8 * 16),
    ],
)
def test_kernels_of_liger_keep_less(
    liger: tuple[str, ...], precision: Precision, kept: int, make_config: Callable[..., Config]
) -> None:
    assert parts(make_config(), precision, liger=liger)["activations"] == 2 * 10 * kept


def test_keys_and_values_of_shared_heads_are_narrower(make_config: Callable[..., Config]) -> None:
    estimate = estimate_memory(
        make_config(),
        BF16,
        MODEL | {"num_key_value_heads": 1},
        kind="mps",
        attention="sdpa",
        parameters=1000,
        trainable=100,
        length=5,
    )
    assert estimate is not None
    # Of two tensors of 8 numbers in 2 bytes, a quarter stays.
    assert estimate.activations == 2 * 10 * (LORA_16 - 2 * 8 * 2 * 3 // 4)


@pytest.mark.parametrize(
    ("keys", "of_a_pair"),
    [
        ({"kind": "cuda", "attention": "sdpa"}, 2),
        ({"kind": "cuda", "attention": "flash_attention_2"}, 0),
        ({"kind": "cuda", "attention": "eager"}, 4 * 6),
        ({"kind": "mps", "attention": "eager"}, 4 * 6),
    ],
)
def test_what_attention_keeps_grows_with_the_square(
    keys: dict[str, str], of_a_pair: int, make_config: Callable[..., Config]
) -> None:
    assert parts(make_config(), BF16, **keys)["activations"] == 2 * (10 * LORA_16 + 10 * 5 * of_a_pair)


def test_a_host_holds_more_than_is_used(make_config: Callable[..., Config]) -> None:
    assert parts(make_config(), BF16, kind="cpu") == PLAIN | {
        "activations": round(1.3 * PLAIN["activations"]),
        "logits": round(1.3 * PLAIN["logits"]),
    }


def test_the_loss_works_on_what_is_trained(make_config: Callable[..., Config]) -> None:
    assert parts(make_config(), BF16, trained_tokens=4.5)["logits"] == 4.5 * 100 * 12 + 2 * 4.5 * 8 * 2
    assert parts(make_config(), BF16, trained_tokens=99)["logits"] == PLAIN["logits"]


@pytest.mark.parametrize(
    ("parts", "peak"),
    [
        # base, weights and optimizer are always there; gradients come while activations go
        ({"activations": 50, "logits": 60, "gradients": 90, "recomputed": 0}, 3 + 110),
        ({"activations": 50, "logits": 60, "gradients": 90, "recomputed": 70}, 3 + 160),
        ({"activations": 50, "logits": 60, "gradients": 20, "recomputed": 70}, 3 + 120),
    ],
)
def test_the_peak_is_that_of_the_worst_moment(parts: dict[str, int], peak: int) -> None:
    assert MemoryEstimate(base=1, weights=1, optimizer=1, **parts).total == peak


def test_without_a_length_rows_are_as_long_as_they_may_be(make_config: Callable[..., Config]) -> None:
    config = make_config(sequence_len=64)
    assert parts(config, BF16, length=None) == parts(config, BF16, length=64)


@pytest.mark.parametrize(
    "model_config", [{}, {"hidden_size": "wide", "num_hidden_layers": 2, "vocab_size": 9}]
)
def test_a_shape_that_is_not_known_gives_no_estimate(
    model_config: dict[str, Any], make_config: Callable[..., Config]
) -> None:
    assert (
        estimate_memory(
            make_config(), BF16, model_config, kind="cpu", attention="sdpa", parameters=1, trainable=1
        )
        is None
    )


def test_a_checkpoint_holds_what_trains_and_its_optimizer(make_config: Callable[..., Config]) -> None:
    assert checkpoint_bytes(make_config(), parameters=1000, trainable=100) == 1200
    assert checkpoint_bytes(make_config(save_only_model=True), parameters=1000, trainable=100) == 400
    restarts = make_config(relora=True, jagged_restart_steps=50)
    assert checkpoint_bytes(restarts, parameters=1000, trainable=100) == 1200 + 4000
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


def test_preferences_have_all_logits_at_once(make_config: Callable[..., Config]) -> None:
    config = make_config(datasets=[{"path": "argilla/pairs", "type": "chatml.intel"}], rl="dpo")
    assert parts(config, BF16, trained_tokens=4.5)["logits"] == 100 * (10 * 4 + 4.5 * 8)
