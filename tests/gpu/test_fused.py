"""Fused steps on a GPU: their kernels, their gradients, and what they keep."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GemmaConfig, LlamaConfig

from ft_core.models.checkpointing import recompute_layers
from ft_core.models.fused import gate
from ft_core.models.fused.choose import PARTS
from ft_core.models.fused.fuse import Fused, fuse

SHAPE: dict[str, Any] = {
    "hidden_size": 256,
    "intermediate_size": 704,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 512,
}
IDS = torch.arange(4 * 512).reshape(4, 512) % 509


def adapted(config: Any, dtype: torch.dtype) -> Any:
    torch.manual_seed(0)
    with torch.device("cuda"):
        base = AutoModelForCausalLM.from_config(config, dtype=dtype)
    base.config.use_cache = False
    settings = LoraConfig(r=8, target_modules="all-linear", task_type="CAUSAL_LM", init_lora_weights=False)
    model = get_peft_model(base, settings).train()
    for weight in model.parameters():
        if weight.requires_grad:
            weight.data = weight.data.float()
    return model


def gradients(model: Any, dtype: torch.dtype) -> dict[str, torch.Tensor]:
    model.zero_grad()
    with torch.autocast("cuda", dtype, enabled=dtype != torch.float32):
        model(input_ids=IDS.cuda(), labels=IDS.cuda()).loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.requires_grad}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("activation", ["silu", "gelu_tanh"])
def test_kernels_compute_what_torch_does(
    activation: Any, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    # Numbers that fill no block of the kernels.
    tensors = [3 * torch.randn(77, 131, device="cuda", dtype=dtype) for _ in range(3)]
    product, found = gate.gated(activation, *tensors[:2]), gate.gated_gradients(activation, *tensors)
    monkeypatch.setattr(gate, "_has_kernels", lambda _: False)
    expected = gate.gated(activation, *tensors[:2]), *gate.gated_gradients(activation, *tensors)
    for one, other in zip((product, *found), expected, strict=True):
        torch.testing.assert_close(
            one, other, **({"rtol": 1e-5, "atol": 1e-4} if dtype == torch.float32 else {})
        )


@pytest.mark.parametrize(
    "config", [LlamaConfig(**SHAPE), GemmaConfig(**SHAPE, head_dim=32)], ids=["llama", "gemma"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_gradients_are_no_further_from_the_truth_than_those_of_peft(config: Any, dtype: torch.dtype) -> None:
    truth = gradients(adapted(config, torch.float32), torch.float32)

    def off(found: dict[str, torch.Tensor]) -> float:
        return sum(((found[name] - each).norm() / each.norm()).item() for name, each in truth.items())

    model = adapted(config, dtype)
    by_peft = off(gradients(model, dtype))
    assert fuse(model, PARTS) == Fused(linears=16, blocks=4)
    fused = off(gradients(model, dtype))
    assert fused <= (1.15 * by_peft if dtype != torch.float32 else 1e-3)


def test_a_step_takes_less_memory() -> None:
    def peak(model: Any) -> int:
        gradients(model, torch.bfloat16)
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        gradients(model, torch.bfloat16)
        return torch.cuda.max_memory_allocated() - before

    model = adapted(LlamaConfig(**SHAPE), torch.bfloat16)
    by_peft = peak(model)
    fuse(model, PARTS)
    assert peak(model) < 0.8 * by_peft


@pytest.mark.parametrize("how", [True, "offload"])
def test_layers_are_computed_again(how: Any) -> None:
    config: Any = SimpleNamespace(
        adapter="lora", gradient_checkpointing=how, gradient_checkpointing_kwargs={}
    )
    model = adapted(LlamaConfig(**SHAPE), torch.bfloat16)
    if how == "offload" and not hasattr(model.get_base_model(), "activation_checkpointing_enable"):
        pytest.skip("offloading came with Transformers 5.20")
    fuse(model, PARTS)
    expected = gradients(model, torch.bfloat16)
    assert recompute_layers(model, config, 4) == 4
    for name, found in gradients(model, torch.bfloat16).items():
        assert torch.equal(found, expected[name]), name
