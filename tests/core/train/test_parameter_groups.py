"""Which weights learn at which rate."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import LlamaConfig, LlamaForCausalLM

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.runs import Run
from ft_core.train.parameter_groups import parameter_groups


def llama(*, tied: bool = False) -> Any:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=32,
            hidden_size=8,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=2,
            tie_word_embeddings=tied,
        )
    )


def adapted(**keys: Any) -> Any:
    return get_peft_model(llama(), LoraConfig(r=2, target_modules=["q_proj"], **keys))


def rates(groups: list[dict[str, Any]], model: torch.nn.Module) -> dict[str, tuple[float, float]]:
    """Return the learning rate and the decay of every weight by its name."""
    names = {id(weight): name for name, weight in model.named_parameters()}
    return {
        names[id(weight)]: (group["lr"], group["weight_decay"])
        for group in groups
        for weight in group["params"]
    }


def test_without_rates_of_their_own_trainer_makes_the_groups(make_config: Callable[..., Config]) -> None:
    assert parameter_groups(make_config(), llama()) is None


@pytest.mark.parametrize(
    ("keys", "rate"), [({"embedding_lr": 1e-5}, 1e-5), ({"embedding_lr_scale": 0.5}, 0.5e-2)]
)
@pytest.mark.parametrize("tied", [False, True])
def test_embeddings(
    keys: dict[str, Any], rate: float, tied: bool, make_config: Callable[..., Config]
) -> None:
    model = llama(tied=tied)
    groups = parameter_groups(make_config(adapter=..., weight_decay=0.1, **keys), model)
    assert groups is not None
    found = rates(groups, model)
    assert found.keys() == dict(model.named_parameters()).keys()
    embeddings = {"model.embed_tokens.weight"} if tied else {"model.embed_tokens.weight", "lm_head.weight"}
    assert {name for name, (lr, _) in found.items() if lr == rate} == embeddings
    assert {lr for lr, _ in found.values()} == {rate, 1e-2}
    assert {name for name, (_, decay) in found.items() if decay == 0} == {
        name for name in found if "norm" in name
    }
    assert groups[0]["lr"] == 1e-2  # the rate that the run reports


def test_a_trained_copy_of_an_embedding_is_one(make_config: Callable[..., Config]) -> None:
    model = adapted(modules_to_save=["embed_tokens"])
    groups = parameter_groups(make_config(embedding_lr=1e-5), model)
    assert groups is not None
    prefix = "base_model.model.model"
    assert rates(groups, model) == {
        f"{prefix}.embed_tokens.modules_to_save.default.weight": (1e-5, 0),
        f"{prefix}.layers.0.self_attn.q_proj.lora_A.default.weight": (1e-2, 0),
        f"{prefix}.layers.0.self_attn.q_proj.lora_B.default.weight": (1e-2, 0),
    }


def test_groups_of_layers(make_config: Callable[..., Config]) -> None:
    model = llama()
    of_attention = {"name": "attention", "modules": ["self_attn", "layernorm"], "lr": 1.0}
    of_queries = {"name": "later", "modules": ["q_proj", "lm_head"], "lr": 2.0}
    groups = parameter_groups(make_config(adapter=..., lr_groups=[of_attention, of_queries]), model)
    assert groups is not None
    found = {name: lr for name, (lr, _) in rates(groups, model).items()}
    expected = {name: 1.0 if "self_attn" in name or "layernorm" in name else 1e-2 for name in found}
    assert found == expected | {"lm_head.weight": 2.0}


def test_a_group_without_a_weight(make_config: Callable[..., Config]) -> None:
    config = make_config(adapter=..., lr_groups=[{"name": "heads", "modules": ["score", "top"], "lr": 1.0}])
    with pytest.raises(
        ModelError, match=r"no weight that is trained has 'score' or 'top' in its name"
    ) as raised:
        parameter_groups(config, llama())
    assert "model.embed_tokens.weight" in raised.value.fix


def test_lora_plus_is_that_of_peft(make_config: Callable[..., Config]) -> None:
    model = get_peft_model(
        llama(),
        LoraConfig(
            r=2, target_modules=["q_proj", "embed_tokens"], use_dora=True, modules_to_save=["lm_head"]
        ),
    )
    groups = parameter_groups(make_config(loraplus_lr_ratio=16, loraplus_lr_embedding=3e-6), model)
    assert groups is not None
    theirs = create_loraplus_optimizer(
        model, torch.optim.SGD, lr=1e-2, loraplus_lr_ratio=16, loraplus_lr_embedding=3e-6
    )
    ours = {name: lr for name, (lr, _) in rates(groups, model).items()}
    expected = {name: lr for name, (lr, _) in rates(theirs.param_groups, model).items()}
    assert ours == expected
    assert set(ours.values()) == {1e-2, 0.16, 3e-6}


def test_a_run_at_two_rates(
    make_config: Callable[..., Config], train: Callable[..., Run], tiny_model: Path
) -> None:
    # With plain gradient descent and a rate of 0 for everything else, only B moves.
    from safetensors.torch import load_file

    keys = {"optimizer": "sgd", "max_steps": 1, "max_grad_norm": 0, "learning_rate": 1.0}
    plain, faster = (
        load_file(train(make_config(**keys, **more)).final / "adapter_model.safetensors")
        for more in ({}, {"loraplus_lr_ratio": 16})
    )
    for name, weight in plain.items():
        torch.testing.assert_close(faster[name], 16 * weight if "lora_B" in name else weight)
