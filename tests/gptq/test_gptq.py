"""LoRA beside a checkpoint that GPTQ quantised: gradients, runs, checkpoints, evaluation, chat and merge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.infer.load import Models
from ft_core.infer.merging import merge_weights
from ft_core.infer.source import find_source
from ft_core.models import apply_adapter, load_model
from ft_core.models.dequantise import whole_model
from ft_core.models.gptq import is_packed
from ft_core.models.hardware import Hardware
from ft_core.models.quantise import count_parameters, dequantised_weight
from ft_core.runs import Run
from ft_core.train import make_plan
from ft_core.train.evaluate import evaluate

MakeConfig = Callable[..., Config]
IDS = torch.arange(12)[None]
CPU = Hardware("cpu", (), 2, 16 * 1024**3, 12 * 1024**3)


def events(run: Run, kind: str) -> list[dict[str, Any]]:
    return [event for event in run.events()[0] if event["type"] == kind]


def packed(model: Any) -> list[str]:
    return [name for name, module in model.named_modules() if is_packed(module)]


def test_every_linear_layer_but_the_head_is_packed_and_has_an_adapter(make_config: MakeConfig) -> None:
    config = make_config()
    model: Any = load_model(config)
    names = [
        f"model.layers.{layer}.{part}_proj"
        for layer in (0, 1)
        for part in (*(f"self_attn.{name}" for name in "qkvo"), "mlp.gate", "mlp.up", "mlp.down")
    ]
    assert sorted(packed(model)) == sorted(names)
    adapted: Any = apply_adapter(model, config)
    assert sorted(
        name
        for name in names
        if f"base_model.model.{name}.lora_A.default.weight" in dict(adapted.named_parameters())
    ) == sorted(names)
    plan = make_plan(config, hardware=CPU, exact=True)
    assert (plan.parameters, plan.trainable) == (
        count_parameters(adapted),
        count_parameters(adapted, trainable=True),
    )
    assert plan.method == "LoRA r=8 on all-linear, base in 4 bit (gptq)"


@pytest.mark.parametrize("bf16", [False, True])
def test_gradients_are_those_of_the_whole_weights_after_evaluations_too(
    make_config: MakeConfig, bf16: bool
) -> None:
    """The kernel that gptqmodel takes by itself on a processor loses a part of each where it evaluates before it trains."""
    config = make_config(bf16=bf16)
    base: Any = load_model(config)
    reference = whole_model(base, config.base_model, None, False, dtype=torch.float32)
    models: list[Any] = []
    for each in (base, reference):
        models.append(apply_adapter(each, config).train())
        torch.manual_seed(1)
        for name, weight in sorted(models[-1].named_parameters()):
            if "lora_" in name:
                weight.data = torch.randn(weight.shape) / 8

    def gradients(model: Any) -> dict[str, torch.Tensor]:
        model.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16 and model is models[0]):
            model(input_ids=IDS, labels=IDS).loss.backward()
        return {
            name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad
        }

    expected = gradients(models[1])
    for _ in range(2):
        with torch.no_grad():
            models[0].eval()(IDS)
        models[0].train()
        found = gradients(models[0])
        assert found.keys() == expected.keys()
        for name, gradient in expected.items():
            assert (found[name] - gradient).norm() < (0.05 if bf16 else 1e-4) * gradient.norm()


def test_a_run_learns_goes_on_is_evaluated_chats_and_merges(
    make_config: MakeConfig, train: Callable[..., Run], tmp_path: Path
) -> None:
    keys = {
        "val_set_size": 2,
        "eval_steps": 1,
        "save_steps": 2,
        "sample_packing": True,
        "gradient_checkpointing": True,
    }
    config = make_config(**keys, gptq=True)
    run = train(config, "through")
    losses = [event["loss"] for event in events(run, "step")]
    assert losses[-1] < losses[0] - 0.2

    checkpoint = run.directory / "checkpoints" / "checkpoint-2"
    resumed = train(make_config(**keys, resume_from_checkpoint=str(checkpoint)), "resumed")
    weights = [(each.final / "adapter_model.safetensors").read_bytes() for each in (run, resumed)]
    assert weights[0] == weights[1]

    (found,) = evaluate(config, run.final)
    assert found.loss == pytest.approx(events(run, "eval")[-1]["loss"], rel=1e-5)

    source = find_source(run)
    models = Models(source, "cpu")
    with models.using("tuned") as tuned, torch.no_grad():
        said = tuned(IDS).logits[0]
        assert len(packed(tuned)) == 14
    with models.using("base") as base, torch.no_grad():
        assert (base(IDS).logits[0] - said).abs().max() > 0.1

    request = {
        "source": vars(source),
        "target": str(tmp_path / "merged"),
        "staging": str(tmp_path / ".writing"),
    }
    merged = merge_weights({**request, "dtype": "fp32", "dequantise": True}, lambda *_: None)
    assert merged["quantised"] == "4 bit (gptq)"
    assert merged["agreeing"] == merged["positions"]
    assert merged["trained_difference"] < 1e-4 * merged["largest_logit"]


@pytest.mark.parametrize(
    ("settings", "bits"), [({"bits": 8, "group_size": 64}, 8), ({"bits": 4, "desc_act": True}, 4)]
)
def test_other_ways_to_quantise(
    untied_model: Path,
    quantise: Callable[..., Path],
    make_config: MakeConfig,
    settings: dict[str, Any],
    bits: int,
) -> None:
    config = make_config(base_model=str(quantise(untied_model, **settings)))
    base: Any = load_model(config)
    own: Any = load_model(make_config(base_model=str(untied_model)))
    for name in packed(base):
        whole, rounded = own.get_submodule(name).weight, dequantised_weight(base.get_submodule(name))
        assert (whole - rounded).norm() < (0.02 if bits == 8 else 0.25) * whole.norm()
    adapted: Any = apply_adapter(base, config).train()
    adapted(input_ids=IDS, labels=IDS).loss.backward()
    assert all(weight.grad is not None for weight in adapted.parameters() if weight.requires_grad)
