from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, GemmaConfig, GPTNeoXConfig, LlamaConfig, Qwen2Config

from ft_core.models.fused.choose import PARTS
from ft_core.models.fused.fuse import Fused, fuse
from ft_core.models.fused.gate import activation_of, gated, gated_gradients
from ft_core.models.quantise import keep_differentiable

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 64,
}
LLAMA = LlamaConfig(**SHAPE, num_key_value_heads=2)
QWEN = Qwen2Config(**SHAPE, num_key_value_heads=2)  # has biases
GEMMA = GemmaConfig(**SHAPE, num_key_value_heads=2, head_dim=8)  # has another activation
PYTHIA = GPTNeoXConfig(**SHAPE)  # has no gated blocks
IDS = torch.arange(2 * 16).reshape(2, 16) % 60


def adapted(config: Any, **settings: Any) -> Any:
    """Return a random model whose adapter is random too, so that each of its matrices matters."""
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa")
    base.config.use_cache = False
    defaults: dict[str, Any] = {
        "r": 4,
        "lora_alpha": 8,
        "target_modules": "all-linear",
        "init_lora_weights": False,
    }
    return get_peft_model(base, LoraConfig(task_type="CAUSAL_LM", **defaults | settings)).train()


def gradients(model: Any) -> dict[str, torch.Tensor]:
    """Return the gradients of one step, by name."""
    model.zero_grad()
    model(input_ids=IDS, labels=IDS).loss.backward()
    return {name: weight.grad for name, weight in model.named_parameters() if weight.requires_grad}


def assert_alike(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert list(found) == list(expected)
    for name, gradient in expected.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(found[name], gradient, rtol=2e-5, atol=2e-6 * gradient.abs().max().item())


@pytest.mark.parametrize("recomputing", [False, True])
@pytest.mark.parametrize(
    ("config", "targets", "fused"),
    [
        (LLAMA, "all-linear", Fused(linears=8, blocks=2)),
        (QWEN, "all-linear", Fused(linears=8, blocks=2)),
        (GEMMA, "all-linear", Fused(linears=8, blocks=2)),
        (PYTHIA, "all-linear", Fused(linears=8, blocks=0)),
        # A block is one step whether or not its layers have adapters.
        (LLAMA, ["q_proj", "v_proj"], Fused(linears=4, blocks=2)),
        (QWEN, ["up_proj"], Fused(linears=0, blocks=2)),
    ],
)
def test_gradients_are_those_of_peft(config: Any, targets: Any, fused: Fused, recomputing: bool) -> None:
    model = adapted(config, target_modules=targets)
    expected = gradients(model)
    assert fuse(model, PARTS) == fused
    if recomputing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
        model.enable_input_require_grads()
    assert_alike(gradients(model), expected)


def test_sixteen_bits_are_no_further_from_the_truth_than_peft_is() -> None:
    exact = adapted(LLAMA)
    truth = gradients(exact)

    def off(model: Any) -> float:
        with torch.autocast("cpu", torch.bfloat16):
            found = gradients(model)
        return sum((found[name] - truth[name]).norm().item() for name in truth)

    model = copy.deepcopy(exact)
    by_peft = off(model)
    fuse(model, PARTS)
    assert 0 < off(model) <= 1.1 * by_peft


@pytest.mark.parametrize(
    ("parts", "fused"),
    [
        (("mlp",), Fused(linears=0, blocks=2)),
        (("qkv",), Fused(linears=6, blocks=0)),
        (("o",), Fused(linears=2, blocks=0)),
        ((), Fused(linears=0, blocks=0)),
    ],
)
def test_parts_are_fused_apart(parts: Any, fused: Fused) -> None:
    model = adapted(LLAMA)
    expected = gradients(model)
    assert fuse(model, parts) == fused
    assert_alike(gradients(model), expected)


@pytest.mark.parametrize(
    "settings", [{"lora_dropout": 0.1}, {"use_dora": True}, {"lora_bias": True}, {"bias": "lora_only"}]
)
def test_other_kinds_of_adapters_stay_as_they_are(settings: dict[str, Any]) -> None:
    model = adapted(QWEN, **settings)
    # Blocks without an adapter in them are no adapter's business.
    assert fuse(model, PARTS).linears == (0 if "bias" not in settings else 2)


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(model: Any) -> int:
        """Return the bytes that are kept, weights aside."""
        weights = {weight.data_ptr() for weight in model.parameters()}
        found: dict[int, int] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            storage = tensor.untyped_storage()
            if storage.data_ptr() not in weights:
                found[storage.data_ptr()] = storage.nbytes()
            return tensor

        with (
            torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor),
            torch.autocast("cpu", torch.bfloat16),
        ):
            model(input_ids=IDS).logits.sum()
        return sum(found.values())

    model = adapted(LLAMA)
    before = kept(model)
    fuse(model, PARTS)
    # Two tensors of the block's width less, and four bytes for each number of the hidden state, in each layer.
    assert before - kept(model) >= 2 * IDS.numel() * (2 * 2 * 48 + 4 * 32)


def test_an_adapter_that_is_off_or_merged_is_left_out() -> None:
    model = adapted(LLAMA)
    ids = IDS[:, :4]
    with model.disable_adapter():
        base = model(input_ids=ids).logits
    tuned = model(input_ids=ids).logits
    fuse(model, PARTS)
    with model.disable_adapter():
        torch.testing.assert_close(model(input_ids=ids).logits, base)
    assert (model(input_ids=ids).logits - base).abs().max() > 1e-3
    model.merge_adapter()
    torch.testing.assert_close(model(input_ids=ids).logits, tuned, rtol=1e-4, atol=1e-5)
    model.unmerge_adapter()
    torch.testing.assert_close(model(input_ids=ids).logits, tuned, rtol=1e-4, atol=1e-5)


def test_a_block_that_computes_something_else_is_left_alone() -> None:
    model = adapted(LLAMA)
    for layer in model.base_model.model.model.layers:
        block = layer.mlp
        plain = block.forward
        block.forward = lambda hidden, plain=plain: 2 * plain(hidden)
    expected = gradients(model)
    assert fuse(model, PARTS) == Fused(linears=14, blocks=0)
    assert_alike(gradients(model), expected)


def test_a_base_of_four_bits() -> None:
    bitsandbytes = pytest.importorskip("bitsandbytes")
    model = adapted(LLAMA)
    for parent in list(model.modules()):
        for name, module in list(parent.named_children()):
            if name == "base_layer":
                quantised = bitsandbytes.nn.Linear4bit(
                    module.in_features, module.out_features, bias=False, compute_dtype=torch.float32
                )
                quantised.weight = bitsandbytes.nn.Params4bit(
                    module.weight.data.clone(), requires_grad=False, quant_type="nf4"
                )
                setattr(parent, name, quantised.to("cpu"))
    keep_differentiable(model)
    expected = gradients(model)
    # PEFT chose its classes before the layers were exchanged; what matters here are the layers inside.
    assert fuse(model, PARTS) == Fused(linears=8, blocks=2)
    found = gradients(model)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item())


@pytest.mark.parametrize("activation", ["silu", "gelu_tanh"])
def test_gates(activation: Any) -> None:
    torch.manual_seed(0)
    gate, up, gradient = (torch.randn(3, 5) for _ in range(3))
    function = F.silu if activation == "silu" else lambda x: F.gelu(x, approximate="tanh")
    leaves = [gate.clone().requires_grad_(), up.clone().requires_grad_()]
    expected = function(leaves[0]) * leaves[1]
    expected.backward(gradient)
    torch.testing.assert_close(gated(activation, gate, up), expected.detach())
    found = gated_gradients(activation, gate, up, gradient)
    for value, wanted in zip(found, (expected.detach(), leaves[0].grad, leaves[1].grad), strict=True):
        torch.testing.assert_close(value, wanted)


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (torch.nn.SiLU(), "silu"),
        (torch.nn.GELU("tanh"), "gelu_tanh"),
        (torch.nn.GELU(), None),
        (torch.nn.ReLU(), None),
        (None, None),
    ],
)
def test_an_activation_is_known_by_what_it_computes(function: Any, name: str | None) -> None:
    assert activation_of(function) == name
