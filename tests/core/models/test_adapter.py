"""Adapters on some layers, and how they begin."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MixtralConfig,
    MixtralForCausalLM,
)

from ft_core.config import load_config
from ft_core.errors import ModelError
from ft_core.models.adapter import apply_adapter, count_trained, target_modules
from ft_core.models.skeleton import outline_of
from ft_core.models.targets import trained_parameters
from ft_core.train.model_checks import check_adapter

SHAPE: dict[str, Any] = {
    "vocab_size": 32,
    "hidden_size": 8,
    "intermediate_size": 16,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
}


def config(**keys: Any) -> Any:
    required = {
        "base_model": "a/b",
        "learning_rate": 1e-4,
        "datasets": [{"path": "c/d", "type": "completion"}],
    }
    return load_config({**required, "adapter": "lora", "lora_r": 2, **keys}, check_paths=False)


def llama() -> Any:
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SHAPE))


@pytest.mark.parametrize(
    ("keys", "modules"),
    [
        ({}, 7),
        ({"peft_layers_pattern": ["layers"]}, 7),
        ({"lora_target_modules": ["q_proj", "v_proj"]}, 2),
        ({"lora_target_modules": ["q_proj"], "peft_use_dora": True}, 1),
    ],
)
def test_some_layers(keys: dict[str, Any], modules: int) -> None:
    chosen, outline = config(peft_layers_to_transform=[0, 2], **keys), outline_of(llama())
    adapted = apply_adapter(llama(), chosen)
    names = {name.rsplit(".", 3)[0] for name, weight in adapted.named_parameters() if "lora_A" in name}
    assert {name.split(".layers.")[1][0] for name in names} == {"0", "2"}
    assert len(names) == 2 * modules
    planned = trained_parameters(
        outline,
        rank=2,
        target_modules=target_modules(chosen),
        use_dora=chosen.peft_use_dora,
        layers=chosen.peft_layers_to_transform,
        layers_pattern=chosen.peft_layers_pattern or (),
    )
    assert planned == sum(weight.numel() for weight in adapted.parameters() if weight.requires_grad)


@pytest.mark.parametrize(
    "keys", [{"peft_layers_to_transform": [1, 3, 9]}, {"peft_layers_to_transform": [3, 9]}]
)
def test_layers_that_are_not_there(keys: dict[str, Any]) -> None:
    with pytest.raises(
        ModelError, match=r"names 3, 9, which are no numbers of layers in this model"
    ) as raised:
        apply_adapter(llama(), config(**keys))
    assert "model.layers.0.self_attn.q_proj" in raised.value.fix


MIXTURE: dict[str, Any] = {"moe_intermediate_size": 4, "num_experts": 4, "num_experts_per_tok": 2}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "gpt2": {"n_embd": 8, "n_layer": 2, "n_head": 2, "vocab_size": 32, "n_positions": 16},
    "mixtral": {"num_local_experts": 4},
    "qwen2_moe": {**MIXTURE, "shared_expert_intermediate_size": 6},
    "qwen3_moe": MIXTURE,
}


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("llama", {"lora_target_modules": ".*layers.[01].*(q_proj|down_proj)$"}),
        ("llama", {"lora_rank_pattern": {"down_proj": 3, r"layers\.1\.self_attn\..*": 5}}),
        (
            "llama",
            {"lora_rank_pattern": {"q_proj": 4}, "peft_layers_to_transform": [1], "peft_use_dora": True},
        ),
        ("llama", {"lora_target_modules": ["q_proj"], "lora_modules_to_save": ["lm_head"]}),
        ("gpt2", {"lora_fan_in_fan_out": True, "lora_rank_pattern": {"attn.c_proj": 3}}),
        ("gpt2", {"lora_target_modules": r"transformer\.h\.1\..*c_attn"}),
        ("mixtral", {}),
        ("mixtral", {"lora_target_modules": ["w1", "w2", "w3"]}),
        ("mixtral", {"lora_target_modules": ["w1", "w3", "q_proj"], "lora_rank_pattern": {"q_proj": 3}}),
        ("mixtral", {"lora_target_modules": ["w2"], "lora_rank_pattern": {"down_proj": 5}}),
        ("mixtral", {"lora_target_modules": ".*(w2|k_proj)$"}),
        ("mixtral", {"lora_target_parameters": ["experts.gate_up_proj"]}),
        (
            "mixtral",
            {"lora_target_parameters": ["gate.weight", "down_proj"], "lora_target_modules": ["q_proj"]},
        ),
        ("qwen2_moe", {"lora_target_modules": ["gate_proj", "up_proj", "down_proj"]}),
        (
            "qwen2_moe",
            {"lora_target_parameters": ["experts.down_proj"], "lora_rank_pattern": {"down_proj": 3}},
        ),
        ("qwen3_moe", {}),
        ("qwen3_moe", {"lora_target_modules": ["gate_proj", "up_proj", "down_proj", "v_proj"]}),
        (
            "qwen3_moe",
            {
                "lora_target_parameters": ["mlp.experts.gate_up_proj"],
                "lora_rank_pattern": {"gate_up_proj": 1},
            },
        ),
    ],
)
def test_what_trains_is_what_the_plan_counts(family: str, keys: dict[str, Any]) -> None:
    shape = {**(SHAPE if family != "gpt2" else {}), **FAMILIES[family]}
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **shape))
    outline, chosen = outline_of(model), config(**keys)
    assert check_adapter(chosen, outline) == [] or "experts" in check_adapter(chosen, outline)[0].message
    model = apply_adapter(model, chosen)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert count_trained(chosen, outline) == sum(weight.numel() for weight in trained)
    assert {weight.dtype for weight in trained} == {torch.float32}
    model(input_ids=torch.arange(8)[None], labels=torch.arange(8)[None]).loss.backward()
    assert any(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in trained)


def test_parameters_that_are_named_alone_are_the_only_ones() -> None:
    shape = {**SHAPE, **FAMILIES["mixtral"]}
    model: Any = AutoModelForCausalLM.from_config(AutoConfig.for_model("mixtral", **shape))
    adapted = apply_adapter(model, config(lora_target_parameters=["experts.down_proj"]))
    trained = [name for name, weight in adapted.named_parameters() if weight.requires_grad]
    assert len(trained) == 2 * SHAPE["num_hidden_layers"]
    assert all(".experts.lora_" in name for name in trained)


def test_the_strength_of_some_layers() -> None:
    patterns: dict[str, Any] = {
        "lora_rank_pattern": {"down_proj": 4},
        "lora_alpha_pattern": {"down_proj": 6, "q_proj": 1},
    }
    adapted = apply_adapter(llama(), config(lora_alpha=8, **patterns))
    layer: Any = adapted.base_model.model.model.layers[0]
    scales = [
        module.scaling["default"]
        for module in (layer.mlp.up_proj, layer.mlp.down_proj, layer.self_attn.q_proj)
    ]
    assert scales == [8 / 2, 6 / 4, 1 / 2]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"lora_target_modules": ["w1"]}, "lora_target_modules names 'w1', which this model does not have."),
        (
            {"lora_target_modules": ".*w1"},
            "lora_target_modules matches no layer of this model, so nothing would train.",
        ),
        (
            {"lora_target_parameters": ["experts"]},
            "lora_target_parameters names 'experts', which this model does not have.",
        ),
        (
            {"lora_alpha_pattern": {"w1": 2}},
            "lora_alpha_pattern has 'w1', which fits no layer that has an adapter.",
        ),
    ],
)
def test_what_the_model_does_not_have(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError) as raised:
        apply_adapter(llama(), config(**keys))
    linear = "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj"
    fix = f"Its linear layers are: {linear}. Or write 'lora_target_linear: true' for all of them."
    assert (raised.value.message, raised.value.fix) == (message, fix)


def test_fused_experts_are_not_chosen_by_layer() -> None:
    model: Any = MixtralForCausalLM(MixtralConfig(**SHAPE, num_local_experts=2))
    with pytest.raises(ModelError, match="cannot choose among the fused experts"):
        apply_adapter(model, config(peft_layers_to_transform=[0]))


@pytest.mark.parametrize(
    ("init", "changes"),
    [(None, False), (True, False), ("gaussian", False), ("orthogonal", False), (False, True)],
)
def test_how_it_begins(init: Any, changes: bool) -> None:
    ids = torch.arange(8)[None]
    plain = llama()(input_ids=ids).logits
    adapted = apply_adapter(llama(), config(peft_init_lora_weights=init)).eval()
    assert torch.allclose(adapted(input_ids=ids).logits, plain, atol=1e-6) is not changes


def test_gaussian_is_another_first_matrix() -> None:
    ways = []
    for init in (True, "gaussian", "orthogonal"):
        torch.manual_seed(1)
        adapted = apply_adapter(llama(), config(peft_init_lora_weights=init))
        ways.append(next(weight for name, weight in adapted.named_parameters() if "lora_A" in name))
    assert not torch.equal(ways[0], ways[1])
    assert not torch.equal(ways[0], ways[2])
