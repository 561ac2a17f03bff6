"""Adapters on some layers, and how they begin."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

from ft_core.config import load_config
from ft_core.errors import ModelError
from ft_core.models.adapter import apply_adapter, target_modules
from ft_core.models.skeleton import outline_of
from ft_core.models.targets import trained_parameters

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
