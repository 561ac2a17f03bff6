from __future__ import annotations

import re
import warnings
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoConfig, AutoModelForCausalLM

from ft_core.models.outline import Fusion, Module, Outline
from ft_core.models.skeleton import outline_of
from ft_core.models.targets import (
    adaptable_names,
    adapted,
    nearest_names,
    trained_parameters,
    unknown_names,
    without_adapter,
)

RANK = 8
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}
GROUPED: dict[str, Any] = {**SHAPE, "num_key_value_heads": 2}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {**GROUPED, "tie_word_embeddings": True},
    "mistral": GROUPED,
    "qwen2": {**GROUPED, "tie_word_embeddings": True},
    "gemma2": {**GROUPED, "head_dim": 8},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 100, "n_positions": 64},
    "gpt_neox": SHAPE,
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 100},
    "phi3": {**GROUPED, "pad_token_id": 0},
    "opt": {**SHAPE, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "mixtral": {**GROUPED, "num_local_experts": 4},
    "qwen2_moe": {
        **GROUPED,
        "moe_intermediate_size": 16,
        "shared_expert_intermediate_size": 24,
        "num_experts": 8,
        "num_experts_per_tok": 2,
    },
    "qwen3_moe": {**GROUPED, "moe_intermediate_size": 16, "num_experts": 8, "num_experts_per_tok": 2},
}
"""Family to what its config is made of."""


def build(family: str) -> Any:
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **FAMILIES[family]))


def made_by_peft(family: str, keys: dict[str, Any]) -> tuple[int, int]:
    """Return the trainable and all parameters of what PEFT makes of a fresh model."""
    model = build(family)
    tied = bool(keys.get("modules_to_save")) and model.config.tie_word_embeddings
    settings = {**keys, **({"ensure_weight_tying": True} if tied else {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapter = get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", r=RANK, **settings))
    trainable, total = adapter.get_nb_trainable_parameters()
    return int(trainable), int(total)


def adapters(family: str) -> list[dict[str, Any]]:
    """Return adapters of every kind on the names that the family has."""
    outline = outline_of(build(family))
    two = adaptable_names(outline)[:2]
    embedding = outline.tied[0].rsplit(".", 1)[-1]
    return [
        {"target_modules": "all-linear"},
        {"target_modules": two},
        {"target_modules": rf".*\.0\..*({'|'.join(two)})"},
        {"target_modules": two, "modules_to_save": [embedding]},
        {"target_modules": two, "modules_to_save": [embedding, outline.output_head]},
        {"target_modules": two, "modules_to_save": [outline.output_head]},
        {"target_modules": "all-linear", "modules_to_save": [two[0]]},
        {"target_modules": [*two, embedding]},
        {"target_modules": [*two, outline.output_head]},
        {"target_modules": [*two, embedding], "use_dora": True},
        # DoRA is not for fused experts, which all-linear includes.
        {"target_modules": two if outline.fusion else "all-linear", "use_dora": True},
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_what_trains_is_exactly_what_peft_trains(family: str) -> None:
    with torch.device("meta"):
        outline = outline_of(build(family))
    for keys in adapters(family):
        counted = trained_parameters(
            outline,
            rank=RANK,
            target_modules=keys["target_modules"],
            modules_to_save=keys.get("modules_to_save", ()),
            use_dora=keys.get("use_dora", False),
        )
        assert (counted, counted + outline.total) == made_by_peft(family, keys), keys


@pytest.mark.parametrize("targets", [["w1", "w3", "q_proj"], ["w2"], ["gate", "k_proj"]])
def test_experts_named_as_they_were_are_adapted_where_they_are_fused(targets: list[str]) -> None:
    outline = outline_of(build("mixtral"))
    counted = trained_parameters(outline, rank=RANK, target_modules=targets)
    assert counted == made_by_peft("mixtral", {"target_modules": targets})[0]
    assert unknown_names(outline, targets) == []


def linear(rows: int, columns: int) -> Module:
    return Module("linear", rows * columns, rows + columns, rows)


OUTLINE = Outline(
    total=1000,
    modules={
        "model": Module("other", 900),
        "model.embed_tokens": Module("embedding", 200, 30, 10),
        "model.layers.0.norm": Module("other", 10),
        "model.layers.0.q_proj": linear(10, 10),
        "model.layers.0.mlp": Module("other", 400),
        "model.layers.0.mlp.up_proj": linear(20, 10),
        "lm_head": linear(20, 10),
    },
    output_head="lm_head",
)


@pytest.mark.parametrize(
    ("targets", "saved", "expected"),
    [
        ("all-linear", (), ["model.layers.0.q_proj", "model.layers.0.mlp.up_proj"]),
        (("q_proj",), (), ["model.layers.0.q_proj"]),
        (("mlp.up_proj", "lm_head"), (), ["model.layers.0.mlp.up_proj", "lm_head"]),
        (("proj",), (), []),
        (r".*\.up_proj", (), ["model.layers.0.mlp.up_proj"]),
        ("all-linear", ("mlp",), ["model.layers.0.q_proj"]),
    ],
)
def test_which_modules_are_adapted(targets: Any, saved: tuple[str, ...], expected: list[str]) -> None:
    assert list(adapted(OUTLINE, targets, saved).modules) == expected


def test_a_pattern_that_is_none() -> None:
    with pytest.raises(re.error):
        adapted(OUTLINE, "(", ())


def test_a_module_within_one_that_is_saved_is_saved_once() -> None:
    assert (
        trained_parameters(OUTLINE, rank=1, target_modules=["q_proj"], modules_to_save=["mlp", "up_proj"])
        == 420
    )


def test_names_are_told_apart() -> None:
    assert unknown_names(OUTLINE, ["q_proj", "mlp.up_proj", "proj", "0.mlp", "nix"]) == ["proj", "nix"]
    assert without_adapter(OUTLINE, ["q_proj", "mlp", "norm", "embed_tokens"]) == ["mlp", "norm"]
    assert nearest_names(OUTLINE, "model.q_prj") == ["q_proj", "up_proj"]
    assert nearest_names(OUTLINE, "query_key_value") == []
    assert adaptable_names(OUTLINE) == ["q_proj", "up_proj"]


def test_half_of_what_is_fused_is_named() -> None:
    fusion = Fusion(
        {"w1": "gate_up", "w3": "gate_up"}, {"gate_up": ("w1", "w3")}, {"experts.gate_up": (4, 6, 5)}
    )
    weights = {"experts.gate_up": (4, 6, 5)}
    outline = Outline(total=1, modules={"x.q_proj": linear(2, 2)}, fusion=fusion, weights=weights)
    assert adapted(outline, ["w3", "q_proj"]).halves == (("w3", "w1"),)
    assert adapted(outline, ["w1", "w3"]).halves == ()
    assert trained_parameters(outline, rank=2, target_modules=["w1", "w3"]) == 2 * 2 * 4 * 11
