"""Bases in few bits on a GPU: what they take, what they compute, that runs on them learn, and what is merged of them."""

from __future__ import annotations

import gc
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.infer.merge import merge
from ft_core.models import apply_adapter, load_model
from ft_core.models.dequantise import whole_model
from ft_core.models.hardware import detect_hardware
from ft_core.models.parameters import read_outline
from ft_core.models.precision import choose_precision
from ft_core.models.quantise import Quantised, base_bytes, count_parameters, quantised_base
from ft_core.runs import Run

QLORA: dict[str, Any] = {"adapter": "qlora", "load_in_4bit": True}
INT8: dict[str, Any] = {"adapter": "lora", "load_in_8bit": True}
FP4: dict[str, Any] = {**QLORA, "bnb_config_kwargs": {"bnb_4bit_quant_type": "fp4"}}
PLAIN: dict[str, Any] = {**QLORA, "bnb_config_kwargs": {"bnb_4bit_use_double_quant": False}}
BF16: dict[str, Any] = {"bf16": True}
FP16: dict[str, Any] = {"bf16": False, "fp16": True}
CUDA = torch.device("cuda:0")
IDS = torch.arange(3, 515)[None]

Events = Callable[[Run, str], list[dict[str, Any]]]


def ways(config: Config) -> tuple[Quantised | None, Any]:
    """Return how the base of a config is kept, and the precision that it computes in."""
    return quantised_base(config, {"model_type": "llama"}), choose_precision(config, detect_hardware())


@pytest.mark.parametrize(
    ("name", "keys"), [("nf4", QLORA), ("nf4, scales whole", PLAIN), ("fp4", FP4), ("int8", INT8)]
)
def test_a_base_takes_the_memory_that_the_plan_counts(
    config_of: Callable[..., Config], small_model: Path, name: str, keys: dict[str, Any]
) -> None:
    config = config_of(base_model=str(small_model), **keys, **BF16)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    model = load_model(config, "cuda:0")
    gc.collect()
    taken = torch.cuda.memory_allocated() - before
    outline = read_outline(str(small_model), None)
    quantised, precision = ways(config)
    assert outline is not None
    assert quantised is not None
    largest = max(module.parameters for module in outline.linear_layers().values()) * precision.weight_bytes
    planned = base_bytes(outline, quantised, precision) - largest
    whole = outline.total * precision.weight_bytes
    print(json.dumps({"base": name, "bytes": taken, "planned": planned, "whole": whole}))
    assert taken == pytest.approx(planned, rel=0.03)
    assert taken < whole * (0.75 if quantised.bits == 8 else 0.6)
    assert count_parameters(model) == outline.total


@pytest.mark.parametrize("precision", [BF16, FP16])
@pytest.mark.parametrize(
    ("name", "keys", "bound"), [("nf4", QLORA, 0.02), ("fp4", FP4, 0.02), ("int8", INT8, 0.06)]
)
def test_loss_and_gradients_are_those_of_the_weights_that_it_stands_for(
    config_of: Callable[..., Config], name: str, keys: dict[str, Any], bound: float, precision: dict[str, Any]
) -> None:
    """The reference has the same rounded weights, whole and in fp32. int8 rounds activations besides."""
    config = config_of(**keys, **precision, gradient_checkpointing=False)
    base: Any = load_model(config, "cuda:0")
    reference = whole_model(base, config.base_model, None, False, dtype=torch.float32)
    outcomes: list[tuple[float, torch.Tensor]] = []
    for model in (base, reference):
        adapted: Any = apply_adapter(model, config).to(CUDA).train()
        random = torch.Generator().manual_seed(1)
        for name_of, weight in adapted.named_parameters():
            if "lora_" in name_of:
                weight.data.copy_(torch.randn(weight.shape, generator=random) / 16)
        half = torch.bfloat16 if config.bf16 else torch.float16
        with torch.autocast("cuda", dtype=half, enabled=model is base):
            loss = adapted(input_ids=IDS.to(CUDA), labels=IDS.to(CUDA)).loss
        loss.backward()
        gradient = torch.cat([w.grad.flatten() for w in adapted.parameters() if w.requires_grad])
        outcomes.append((loss.item(), gradient))
    (loss, gradient), (expected, expected_gradient) = outcomes
    apart = ((gradient - expected_gradient).norm() / expected_gradient.norm()).item()
    print(json.dumps({"base": name, **precision, "loss": loss, "whole": expected, "gradients_apart": apart}))
    assert loss == pytest.approx(expected, rel=3e-3)
    assert apart < bound


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("nf4-bf16", {**QLORA, **BF16}),
        ("nf4-fp16", {**QLORA, **FP16}),
        ("nf4-scales-whole", {**PLAIN, **BF16}),
        ("fp4-bf16", {**FP4, **BF16}),
        ("int8-bf16", {**INT8, **BF16}),
        ("int8-fp16", {**INT8, **FP16}),
        ("nf4-recomputing", {**QLORA, **BF16, "gradient_checkpointing": True}),
        ("int8-recomputing", {**INT8, **BF16, "gradient_checkpointing": True}),
        ("nf4-sdpa", {**QLORA, **BF16, "attn_implementation": "sdpa"}),
    ],
)
def test_a_packed_run_learns_beside_a_base_in_few_bits(
    config_of: Callable[..., Config],
    train: Callable[..., Run],
    events: Events,
    name: str,
    keys: dict[str, Any],
) -> None:
    keys = {"attn_implementation": "varlen", "sequence_len": 512, "micro_batch_size": 4, **keys}
    config = config_of(**keys, sample_packing=True, val_set_size=8, eval_steps=5, max_steps=10)
    run = train(config, name)
    steps = events(run, "step")
    told = [step["loss"] for step in steps]
    speed = sorted(step["tokens_per_second"] for step in steps[5:])[2]
    print(json.dumps({"run": name, "first": told[0], "last": told[-1], "tokens_per_second": speed}))
    assert events(run, "model")[0]["attention"] == keys["attn_implementation"]
    assert told[-1] < told[0] - 0.1


def test_first_losses_agree_between_formats(
    config_of: Callable[..., Config], train: Callable[..., Run], events: Events
) -> None:
    first = {
        name: events(train(config_of(**keys, **BF16, max_steps=1), name), "step")[0]["loss"]
        for name, keys in (("whole", {"adapter": "lora"}), ("nf4", QLORA), ("fp4", FP4), ("int8", INT8))
    }
    print(json.dumps(first))
    for name in ("nf4", "fp4", "int8"):
        assert first[name] == pytest.approx(first["whole"], rel=1e-2)


@pytest.mark.parametrize("keys", [QLORA, INT8])
def test_a_run_goes_on_from_a_checkpoint(
    config_of: Callable[..., Config], train: Callable[..., Run], events: Events, keys: dict[str, Any]
) -> None:
    saving = {**keys, **BF16, "max_steps": 4, "save_steps": 2, "save_strategy": "steps"}
    through = train(config_of(**saving), "through")
    checkpoint = through.directory / "checkpoints" / "checkpoint-2"
    resumed = train(config_of(**saving, resume_from_checkpoint=str(checkpoint)), "resumed")
    told = [[step["loss"] for step in events(run, "step")] for run in (through, resumed)]
    assert len(told[1]) == 2
    assert told[1] == pytest.approx(told[0][2:], rel=2e-3)


@pytest.mark.parametrize("keys", [QLORA, INT8])
def test_a_merge_says_what_was_trained(
    config_of: Callable[..., Config], train: Callable[..., Run], keys: dict[str, Any]
) -> None:
    run = train(config_of(**keys, **BF16, max_steps=5))
    merged = merge(run, dtype="fp32")
    print(json.dumps({"merge": merged.quantised, "difference": merged.difference}))
    assert merged.quantised == ("nf4" if keys is QLORA else "int8")
    assert merged.agreeing == merged.positions
    assert merged.difference < 1e-3 * merged.largest_logit
