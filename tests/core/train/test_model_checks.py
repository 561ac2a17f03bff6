from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, ConfigError, load_config
from ft_core.models.outline import Fusion, Module, Outline
from ft_core.train.model_checks import check_adapter, check_length


def linear(rows: int, columns: int) -> Module:
    return Module("linear", rows * columns, rows + columns, rows)


DENSE = Outline(
    total=1000,
    modules={
        "model.embed_tokens": Module("embedding", 200, 30, 10),
        "model.layers.0.q_proj": linear(10, 10),
        "model.layers.0.v_proj": linear(10, 10),
        "model.layers.0.mlp": Module("other", 400),
        "model.layers.0.mlp.up_proj": linear(20, 10),
        "lm_head": linear(20, 10),
    },
    output_head="lm_head",
    exact=True,
)
MIXTURE = Outline(
    total=1000,
    modules={
        "model.layers.0.q_proj": linear(10, 10),
        "model.layers.0.norm": Module("other", 10),
        "model.layers.0.mlp.experts": Module("other", 900),
    },
    experts={"model.layers.0.mlp.experts.gate_up_proj": (4, 6, 5)},
    fusion=Fusion(
        {"w1": "gate_up_proj", "w3": "gate_up_proj"},
        {"gate_up_proj": ("w1", "w3")},
        {"model.layers.0.mlp.experts.gate_up_proj": (4, 6, 5)},
    ),
    weights={
        "model.layers.0.q_proj.weight": (10, 10),
        "model.layers.0.norm.weight": (10,),
        "model.layers.0.mlp.experts.gate_up_proj": (4, 6, 5),
    },
    exact=True,
)
LINEAR = "its linear layers are: q_proj, v_proj, up_proj; or write 'lora_target_linear: true' for all of them"


@pytest.mark.parametrize(
    ("keys", "message", "fix"),
    [
        (
            {"lora_target_modules": ["qproj"]},
            "'lora_target_modules' names 'qproj', which this model does not have; did you mean 'q_proj' or 'v_proj'?",
            LINEAR,
        ),
        (
            {"lora_target_modules": ["v_proj", "query_key_value"]},
            "'lora_target_modules' names 'query_key_value', which this model does not have",
            LINEAR,
        ),
        (
            {"lora_target_modules": ["mlp"]},
            "'mlp' of 'lora_target_modules' is not computed as a linear layer in this model, so it can have no adapter",
            LINEAR,
        ),
        (
            {"lora_target_modules": ["q_proj"], "lora_modules_to_save": ["wte"]},
            "'lora_modules_to_save' names 'wte', which this model does not have",
            "the last parts of its module names are: embed_tokens, q_proj, v_proj, mlp, up_proj, lm_head",
        ),
        (
            {"lora_target_modules": ["q_proj"], "lora_modules_to_save": ["q_proj"]},
            "'lora_target_modules' matches no linear layer of this model, so nothing would train",
            LINEAR,
        ),
    ],
)
def test_names_that_do_not_fit_the_model(
    keys: dict[str, Any], message: str, fix: str, make_config: Callable[..., Config]
) -> None:
    (problem,) = check_adapter(make_config(**keys), DENSE)
    assert (problem.severity, problem.message, problem.fix) == ("error", message, fix)


@pytest.mark.parametrize(
    "keys",
    [
        {"adapter": ..., "lora_target_modules": ["nix"]},
        {"lora_target_modules": ["q_proj", "mlp.up_proj", "lm_head", "embed_tokens"]},
        {"lora_target_linear": True, "lora_target_modules": ["nix"]},
        {"lora_modules_to_save": ["embed_tokens", "lm_head"]},
        {},
    ],
)
def test_names_that_fit(keys: dict[str, Any], make_config: Callable[..., Config]) -> None:
    assert check_adapter(make_config(**keys), DENSE) == []


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (
            r".*\.k_proj",
            "'lora_target_modules' matches no linear layer of this model, so nothing would train",
        ),
        (
            r".*\.(mlp|q_proj)",
            "'lora_target_modules' matches 'model.layers.0.mlp', which is no linear layer",
        ),
    ],
)
def test_a_pattern_that_does_not_fit(targets: str, message: str, make_config: Callable[..., Config]) -> None:
    config = make_config(lora_target_modules=targets)
    assert [problem.message for problem in check_adapter(config, DENSE)] == [message]


@pytest.mark.parametrize(
    ("keys", "severity", "message"),
    [
        ({"lora_target_modules": ["w1", "w3"]}, "", ""),
        ({"lora_target_parameters": ["experts.gate_up_proj"]}, "", ""),
        ({}, "", ""),
        (
            {"lora_target_modules": ["q_proj"]},
            "warning",
            "the experts (90% of the parameters) get no adapter: in this model they are no linear layers",
        ),
        (
            {"lora_target_modules": ["w1"]},
            "error",
            "'lora_target_modules' names w1 without w3, and this model holds them as one weight",
        ),
        (
            {"lora_dropout": 0.1},
            "error",
            "'lora_dropout' cannot be used on the experts of this model, which are fused into one weight",
        ),
        (
            {"peft_use_dora": True},
            "error",
            "'peft_use_dora' cannot be used on the experts of this model, which are fused into one weight",
        ),
    ],
)
def test_adapters_on_fused_experts(
    keys: dict[str, Any], severity: str, message: str, make_config: Callable[..., Config]
) -> None:
    found = [(problem.severity, problem.message) for problem in check_adapter(make_config(**keys), MIXTURE)]
    assert found == ([(severity, message)] if severity else [])


@pytest.mark.parametrize(
    ("keys", "key", "message", "fix"),
    [
        (
            {"lora_target_parameters": ["experts.gate_proj"]},
            "lora_target_parameters[0]",
            "'lora_target_parameters' names 'experts.gate_proj', which this model does not have",
            "one that it has is 'mlp.experts.gate_up_proj'",
        ),
        (
            {"lora_target_parameters": ["experts.gate_up_proj", "q_proj.weight"]},
            "lora_target_parameters[1]",
            "'lora_target_parameters' names 'q_proj.weight', which is the weight of a layer",
            "add q_proj to 'lora_target_modules'",
        ),
        (
            {"lora_target_parameters": ["norm.weight"]},
            "lora_target_parameters[0]",
            "'lora_target_parameters' names 'norm.weight', and 'model.layers.0.norm.weight' is no matrix, so it can have no adapter",
            "remove it",
        ),
        (
            {
                "lora_target_modules": ["q_proj", "w1", "w3"],
                "lora_rank_pattern": {"q_prj": 4, "gate_up_proj": 2},
            },
            "lora_rank_pattern",
            "'lora_rank_pattern' has 'q_prj', and no layer with an adapter has a name that ends so; did you mean 'q_proj'?",
            "layers with an adapter are: q_proj, gate_up_proj",
        ),
        (
            {"lora_target_parameters": ["experts.gate_up_proj"], "lora_alpha_pattern": {"q_proj": 4}},
            "lora_alpha_pattern",
            "'lora_alpha_pattern' has 'q_proj', and no layer with an adapter has a name that ends so",
            "layers with an adapter are: gate_up_proj",
        ),
    ],
)
def test_parameters_and_ranks_that_do_not_fit(
    keys: dict[str, Any], key: str, message: str, fix: str, make_config: Callable[..., Config]
) -> None:
    (problem,) = check_adapter(make_config(**keys), MIXTURE)
    assert (problem.key, problem.message, problem.fix) == (key, message, fix)


def test_problems_point_at_their_place_in_the_text(rows: Path, tiny_model: Path) -> None:
    text = (
        f"base_model: {tiny_model}\nlearning_rate: 1e-3\nadapter: lora\n"
        f"datasets: [{{path: {rows}, type: completion}}]\nlora_target_modules: [q_proj, nix]\nsequence_len: 4096\n"
    )
    config = load_config(text, first_line=2)
    (target,) = check_adapter(config, DENSE)
    assert (target.line, target.column, target.key) == (6, 31, "lora_target_modules[1]")
    (length,) = check_length(config, {"model_type": "llama"}, 2048)
    assert (length.line, length.column, length.key) == (7, 1, "sequence_len")
    error = config.refused([target, length])
    assert isinstance(error, ConfigError)
    assert str(error).splitlines()[1:3] == [
        "    lora_target_modules: [q_proj, nix]",
        "                                  ^",
    ]


def test_a_problem_of_an_override_names_it(rows: Path, tiny_model: Path) -> None:
    text = f"base_model: {tiny_model}\nlearning_rate: 1e-3\ndatasets: [{{path: {rows}, type: completion}}]\n"
    (problem,) = check_length(load_config(text, {"sequence_len": 4096}), {"model_type": "gpt2"}, 1024)
    assert problem.line is None
    assert problem.message.startswith("--set sequence_len: 'sequence_len' is 4096")


@pytest.mark.parametrize(
    ("model_config", "positions", "severity"),
    [
        ({"model_type": "llama"}, 32, "warning"),
        ({"model_type": "llama"}, 64, ""),
        ({"model_type": "llama"}, None, ""),
        ({"model_type": "llama", "rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, 32, ""),
        ({"model_type": "gpt2"}, 32, "error"),
        ({"model_type": "gpt2"}, 64, ""),
        ({"model_type": "falcon", "alibi": True}, 32, ""),
    ],
)
def test_rows_longer_than_the_model_reads(
    model_config: dict[str, Any], positions: int | None, severity: str, make_config: Callable[..., Config]
) -> None:
    found = check_length(make_config(sequence_len=64), model_config, positions)
    assert [problem.severity for problem in found] == ([severity] if severity else [])
    for problem in found:
        assert problem.fix.startswith("write 'sequence_len: 32' or less")
