from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from ft_core.config import Config, load_config
from ft_core.errors import ModelError
from ft_core.models.skeleton import outline_of
from ft_core.models.unfrozen import (
    chosen_weights,
    freeze_others,
    frozen_numbers,
    partly_trained,
    refused_patterns,
    trained_numbers,
)

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}
WEIGHTS = {
    "embed.weight": (100, 8),
    "layers.0.up.weight": (16, 8),
    "layers.10.up.weight": (16, 8),
    "norm.weight": (8,),
}
TWINS = {"lm_head.weight": "embed.weight"}


def build(family: str = "llama", **keys: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **SHAPE, **keys))


def config_of(*patterns: str) -> Config:
    return load_config(
        {
            "base_model": "org/model",
            "learning_rate": 1e-3,
            "datasets": [{"path": "org/rows", "type": "completion"}],
            "unfrozen_parameters": list(patterns),
        }
    )


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        (["layers.0."], {"layers.0.up.weight": None}),
        (["norm", "layers.1"], {"layers.10.up.weight": None, "norm.weight": None}),
        (["lm_head"], {"embed.weight": None}),
        (["lm_head[:10]", "embed[8:12]", "embed[90:]"], {"embed.weight": ((0, 12), (90, 100))}),
        (["embed[:50]", "embed[50:]"], {"embed.weight": None}),
        (["embed[3]", "embed"], {"embed.weight": None}),
        (["nothing"], {}),
    ],
)
def test_which_weights_train(patterns: list[str], chosen: dict[str, Any]) -> None:
    assert chosen_weights(patterns, WEIGHTS, TWINS) == chosen


@pytest.mark.parametrize(
    ("pattern", "message", "fix"),
    [
        (
            "layer.0.up",
            "'unfrozen_parameters' has 'layer.0.up', and no weight of this model has a name that begins so",
            "its weights have names like 'layers.0.up.weight' or 'layers.10.up.weight'",
        ),
        (
            "q",
            "'unfrozen_parameters' has 'q', and no weight of this model has a name that begins so",
            "its weights have names like 'embed.weight' or 'layers.0.up.weight'",
        ),
        (
            "lm_head[90:101]",
            "'unfrozen_parameters' has 'lm_head[90:101]', and 'lm_head.weight' has 100 rows",
            "name rows from 0 to 100",
        ),
        (
            "norm[8:]",
            "'unfrozen_parameters' has 'norm[8:]', and 'norm.weight' has 8 rows",
            "name rows from 0 to 8",
        ),
    ],
)
def test_what_the_model_does_not_have(pattern: str, message: str, fix: str) -> None:
    assert refused_patterns(["norm", pattern], WEIGHTS, TWINS) == [(1, message, fix)]


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize(
    ("patterns", "trained"),
    [
        (["lm_head"], 3200),
        (["lm_head.weight$[:10]"], 320),
        (["model.layers.1.mlp", ".*layernorm"], 3 * 32 * 48 + 4 * 32),
    ],
)
def test_what_is_counted_is_what_trains(patterns: list[str], trained: int, *, tied: bool) -> None:
    model = build(tie_word_embeddings=tied)
    outline = outline_of(model)
    config = config_of(*patterns)
    freeze_others(model, config)
    whole = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert trained_numbers(outline, patterns) == (trained, whole)
    assert whole - frozen_numbers(model, config) == trained
    assert model.get_input_embeddings().weight.requires_grad is (tied and "lm_head" in patterns[0])


def test_what_trains_is_fp32_and_the_rest_stays() -> None:
    model = build().to(torch.bfloat16)
    freeze_others(model, config_of("model.layers.1.mlp"))
    formats = {name: weight.dtype for name, weight in model.named_parameters()}
    trained = [name for name, dtype in formats.items() if dtype == torch.float32]
    assert trained == [f"model.layers.1.mlp.{name}_proj.weight" for name in ("gate", "up", "down")]
    assert set(formats.values()) == {torch.float32, torch.bfloat16}


def test_only_the_gradients_of_the_rows_are_there() -> None:
    model = build(tie_word_embeddings=False)
    config = config_of("lm_head[:10]", "lm_head[20:30]")
    assert partly_trained(build(tie_word_embeddings=False), config) == {"lm_head.weight": ((0, 10), (20, 30))}
    freeze_others(model, config)
    model(input_ids=torch.arange(12)[None], labels=torch.arange(12)[None]).loss.backward()
    rows = model.lm_head.weight.grad.abs().sum(dim=1) > 0
    assert rows.nonzero().flatten().tolist() == [*range(10), *range(20, 30)]
    assert model.model.embed_tokens.weight.grad is None


def test_a_pattern_that_matches_nothing() -> None:
    with pytest.raises(ModelError) as caught:
        freeze_others(build(), config_of("model.layer.0.mlp.up_proj"))
    assert (caught.value.message, caught.value.fix) == (
        "'unfrozen_parameters' has 'model.layer.0.mlp.up_proj', and no weight of this model has a name that begins so.",
        "Its weights have names like 'model.layers.0.mlp.up_proj.weight' or 'model.layers.1.mlp.up_proj.weight'.",
    )
