"""Adapters that begin as a part of the weights, from the config to an adapter of the model as it is."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel, PreTrainedModel

from ft_core.config import Config, ConfigError
from ft_core.errors import ModelError
from ft_core.models.adapter import apply_adapter
from ft_core.models.initial_adapter import load_narrowed, takes_from_weights
from ft_core.models.skeleton import outline_of
from ft_core.runs import Run
from ft_core.train.model_checks import check_beginning
from ft_core.train.plan import make_plan
from ft_core.train.saving import save_weights

IDS = torch.arange(100, 120)[None]


def base(folder: Path | str) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder)


def says(model: PreTrainedModel | PeftModel) -> torch.Tensor:
    with torch.inference_mode():
        return model.eval()(input_ids=IDS).logits


@pytest.mark.parametrize(
    "keys",
    [
        {"peft_init_lora_weights": "pissa"},
        {"peft_init_lora_weights": "pissa_niter_4", "lora_alpha": 32},
        {"peft_init_lora_weights": "olora", "lora_target_modules": ["q_proj", "down_proj"]},
        {"peft_init_lora_weights": "pissa", "peft_use_dora": True},
        {
            "peft_init_lora_weights": "olora",
            "lora_rank_pattern": {"v_proj": 3},
            "lora_alpha_pattern": {"v_proj": 6},
        },
        {"peft_init_lora_weights": "pissa", "tokens": ["<one>"], "lora_modules_to_save": ["norm"]},
    ],
)
def test_what_is_saved_is_an_adapter_of_the_model_as_it_is(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path, keys: dict[str, Any]
) -> None:
    config = make_config(**keys)
    assert takes_from_weights(config)
    torch.manual_seed(0)
    model = apply_adapter(base(tiny_model), config)
    torch.testing.assert_close(says(model), says(base(tiny_model)), atol=2e-5, rtol=1e-4)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.02 * torch.randn_like(weight)
    save_weights(model, tmp_path)
    loaded = PeftModel.from_pretrained(base(tiny_model), str(tmp_path))
    torch.testing.assert_close(says(loaded), says(model), atol=2e-5, rtol=1e-4)
    assert (says(model) - says(base(tiny_model))).abs().max() > 0.05
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    assert (settings["r"], settings["init_lora_weights"]) == (16, True)
    assert settings["rank_pattern"] == {
        name: 2 * rank for name, rank in keys.get("lora_rank_pattern", {}).items()
    }


def test_a_run_that_goes_on_is_the_uninterrupted_one(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[..., Any],
    tiny_model: Path,
) -> None:
    keys: dict[str, Any] = {
        "peft_init_lora_weights": "pissa",
        "lora_target_modules": ["q_proj", "up_proj"],
        "save_steps": 2,
        "save_strategy": ...,
        "max_steps": 3,
    }
    config = make_config(**keys)
    whole = train(config)
    checkpoint = whole.directory / "checkpoints" / "checkpoint-2"
    rest = train(make_config(**keys, resume_from_checkpoint=str(checkpoint)))
    one, other = (load_file(run.final / "adapter_model.safetensors") for run in (whole, rest))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert [event["loss"] for event in events(rest, "step")] == [events(whole, "step")[2]["loss"]]
    plan = make_plan(config)
    (model,) = events(whole, "model")
    assert model["trainable_parameters"] == plan.trainable == 2 * 8 * (128 + 192)
    assert plan.method == "LoRA r=8 on q_proj, up_proj, begun by pissa and saved as r=16"
    # An adapter of the model as it is: of checkpoints too.
    for folder in (checkpoint, whole.final):
        before = says(base(tiny_model))
        assert (
            1e-3 < (says(PeftModel.from_pretrained(base(tiny_model), str(folder))) - before).abs().max() < 5
        )


def test_layers_that_keep_their_weights_turned_over(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    def gpt2() -> Any:
        torch.manual_seed(0)
        return GPT2LMHeadModel(GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=200, n_positions=32))

    config = make_config(peft_init_lora_weights="pissa", lora_r=3)
    model = apply_adapter(gpt2(), config)
    torch.testing.assert_close(says(model), says(gpt2()), atol=2e-5, rtol=1e-4)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight += 0.1
    save_weights(model, tmp_path)
    torch.testing.assert_close(
        says(PeftModel.from_pretrained(gpt2(), str(tmp_path))), says(model), atol=2e-5, rtol=1e-4
    )
    assert check_beginning(config, outline_of(gpt2()), None) == []
    (problem,) = check_beginning(make_config(peft_init_lora_weights="olora"), outline_of(gpt2()), None)
    assert problem.message == (
        "'peft_init_lora_weights: olora' takes the adapter off the weights, which 'c_attn' keeps turned over"
    )


def test_weights_that_come_apart_otherwise(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    keys: dict[str, Any] = {"peft_init_lora_weights": "pissa", "lora_target_modules": ["q_proj"]}
    model = apply_adapter(base(tiny_model), make_config(**keys))
    save_weights(model, tmp_path)
    load_narrowed(model, tmp_path)
    for other, message in (
        (
            {"lora_r": 4},
            f"The checkpoint '{tmp_path}' was trained with another adapter than the config names.",
        ),
        (
            {"peft_init_lora_weights": "olora"},
            f"The weights come apart otherwise on this machine than where the checkpoint '{tmp_path}' was written.",
        ),
    ):
        with pytest.raises(ModelError) as caught:
            load_narrowed(apply_adapter(base(tiny_model), make_config(**{**keys, **other})), tmp_path)
        assert caught.value.message == message


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"adapter": "qlora", "load_in_4bit": True},
            "which '{}' keeps in nf4: what is left of them would be rounded again",
        ),
        ({"lora_target_modules": ["q_proj", "lm_head"]}, "which 'lm_head' may share with another layer"),
        (
            {"peft_use_rslora": True},
            "and what is saved is twice as high, which 'peft_use_rslora' would scale otherwise",
        ),
    ],
)
def test_what_cannot_begin_so(
    make_config: Callable[..., Config], tiny_model: Path, keys: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan(make_config(peft_init_lora_weights="pissa", **keys))
    (problem,) = (problem for problem in caught.value.problems if problem.severity == "error")
    begin = "'peft_init_lora_weights: pissa' takes the adapter off the weights, "
    assert (problem.message, problem.fix) == (
        begin + message.format(tiny_model),
        "write 'peft_init_lora_weights: true'",
    )
