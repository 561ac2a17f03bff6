"""LoRA beside a checkpoint that GPTQ quantised, on a GPU. Skipped without gptqmodel."""

from __future__ import annotations

import gc
import importlib.util
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
from ft_core.models.parameters import local_model_config, read_outline
from ft_core.models.precision import choose_precision
from ft_core.models.quantise import base_bytes, count_parameters, quantised_base
from ft_core.runs import Run
from ft_core.train.evaluate import evaluate

pytestmark = pytest.mark.skipif(importlib.util.find_spec("gptqmodel") is None, reason="needs gptqmodel")

CUDA = torch.device("cuda:0")
IDS = torch.arange(3, 259)[None]
BF16: dict[str, Any] = {"bf16": True}
FP16: dict[str, Any] = {"bf16": False, "fp16": True}

Events = Callable[[Run, str], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def gptq_model(shallow_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the shallow model, quantised to 4 bit by GPTQ."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GPTQConfig

    random = torch.Generator().manual_seed(0)
    rows = [torch.randint(3, 40000, (1, 128), generator=random) for _ in range(8)]
    calibration = [{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in rows]
    tokenizer = AutoTokenizer.from_pretrained(shallow_model)
    settings = GPTQConfig(
        bits=4,
        group_size=64,
        dataset=calibration,
        tokenizer=tokenizer,
        model_seqlen=128,
        backend="gptq_torch",
    )
    model = AutoModelForCausalLM.from_pretrained(
        shallow_model, quantization_config=settings, device_map={"": 0}, dtype=torch.float16
    )
    model.config.quantization_config.dataset = None
    folder = tmp_path_factory.mktemp("models") / "gptq-llama"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture
def config_on(config_of: Callable[..., Config], gptq_model: Path) -> Callable[..., Config]:
    """Return a function that makes a config on the quantised model."""
    return lambda **keys: config_of(base_model=str(gptq_model), gptq=True, **keys)


def test_a_base_takes_the_memory_that_the_plan_counts(
    config_on: Callable[..., Config], shallow_model: Path
) -> None:
    config = config_on(**BF16)
    gc.collect()
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    model = load_model(config, "cuda:0")
    gc.collect()
    taken = torch.cuda.memory_allocated() - before
    outline = read_outline(str(shallow_model), None)
    quantised = quantised_base(config, local_model_config(config.base_model))
    precision = choose_precision(config, detect_hardware())
    assert outline is not None
    assert quantised is not None
    largest = max(module.parameters for module in outline.linear_layers().values()) * precision.weight_bytes
    planned = base_bytes(outline, quantised, precision) - largest
    print(json.dumps({"base": "gptq", "bytes": taken, "planned": planned}))
    assert taken == pytest.approx(planned, rel=0.03)
    assert count_parameters(model) == outline.total


@pytest.mark.parametrize("precision", [BF16, FP16])
def test_loss_and_gradients_are_those_of_the_whole_weights_before_and_after_an_evaluation(
    config_on: Callable[..., Config], precision: dict[str, Any]
) -> None:
    config = config_on(**precision, gradient_checkpointing=False)
    base: Any = load_model(config, "cuda:0")
    reference = whole_model(base, config.base_model, None, False, dtype=torch.float32)
    half = torch.bfloat16 if config.bf16 else torch.float16
    adapted: list[Any] = []
    for model in (base, reference):
        adapted.append(apply_adapter(model, config).to(CUDA).train())
        random = torch.Generator().manual_seed(1)
        for name, weight in sorted(adapted[-1].named_parameters()):
            if "lora_" in name:
                weight.data.copy_(torch.randn(weight.shape, generator=random) / 16)

    def outcome(model: Any) -> tuple[float, torch.Tensor]:
        model.zero_grad()
        with torch.autocast("cuda", dtype=half, enabled=model is adapted[0]):
            loss = model(input_ids=IDS.to(CUDA), labels=IDS.to(CUDA)).loss
        loss.backward()
        return loss.item(), torch.cat(
            [weight.grad.flatten() for _, weight in sorted(model.named_parameters()) if weight.requires_grad]
        )

    expected, expected_gradient = outcome(adapted[1])
    for moment in ("before", "after"):
        loss, gradient = outcome(adapted[0])
        apart = ((gradient - expected_gradient).norm() / expected_gradient.norm()).item()
        print(json.dumps({**precision, "evaluation": moment, "loss": [loss, expected], "apart": apart}))
        assert loss == pytest.approx(expected, rel=3e-3)
        assert apart < 0.02
        with torch.no_grad(), torch.autocast("cuda", dtype=half):
            adapted[0].eval()(IDS.to(CUDA))
        adapted[0].train()


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("gptq-bf16", {**BF16}),
        ("gptq-fp16", {**FP16}),
        ("gptq-recomputing", {**BF16, "gradient_checkpointing": True}),
        ("gptq-sdpa", {**BF16, "attn_implementation": "sdpa"}),
    ],
)
def test_a_packed_run_learns_and_is_evaluated_and_merged(
    config_on: Callable[..., Config],
    train: Callable[..., Run],
    events: Events,
    name: str,
    keys: dict[str, Any],
) -> None:
    keys = {"attn_implementation": "varlen", "sequence_len": 512, "micro_batch_size": 4, **keys}
    config = config_on(**keys, sample_packing=True, val_set_size=8, eval_steps=5, max_steps=10)
    run = train(config, name)
    steps = events(run, "step")
    told = [step["loss"] for step in steps]
    speed = sorted(step["tokens_per_second"] for step in steps[5:])[2]
    print(json.dumps({"run": name, "first": told[0], "last": told[-1], "tokens_per_second": speed}))
    assert events(run, "model")[0]["attention"] == keys["attn_implementation"]
    assert told[-1] < told[0] - 0.1
    (found,) = evaluate(config, run.final)
    assert found.loss == pytest.approx(events(run, "eval")[-1]["loss"], rel=2e-4)
    if name == "gptq-bf16":
        merged = merge(run, dtype="fp32")
        assert merged.quantised == "4 bit (gptq)"
        assert merged.agreeing == merged.positions
        assert merged.difference < 1e-3 * merged.largest_logit
