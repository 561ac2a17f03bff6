"""Training that goes on from an adapter: ``lora_model_dir``."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from ft_core.config import Config, ConfigError, load_config
from ft_core.errors import ModelError
from ft_core.infer.merge import source_of_config
from ft_core.models.start_adapter import adopted, read_start
from ft_core.runs import Run
from ft_core.train.plan import make_plan

SHAPE: dict[str, Any] = {
    "lora_r": 4,
    "lora_alpha": 6,
    "lora_target_modules": ["q_proj", "up_proj"],
    "lora_rank_pattern": {"up_proj": 2},
    "peft_use_rslora": True,
    "peft_use_dora": True,
}


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def same(one: Path, other: Path) -> bool:
    first, second = tensors(one), tensors(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture
def first(make_config: Callable[..., Config], train: Callable[..., Run]) -> Run:
    """Return a run that trained an adapter of a shape that no default has."""
    return train(make_config(**SHAPE, max_steps=2))


def test_the_adapter_brings_its_shape_and_its_weights(
    first: Run, make_config: Callable[..., Config], train: Callable[..., Run], events: Callable[..., Any]
) -> None:
    config = make_config(lora_model_dir=str(first.directory), learning_rate=1e-30, max_steps=1)
    assert (config.lora_r, config.lora_alpha, config.lora_target_modules) == (None, None, None)
    plan = make_plan(config)
    assert plan.method == f"DoRA r=2, 4 on q_proj, up_proj, going on from {first.directory}"
    assert plan.warnings == ()
    run = train(config)
    (model,) = events(run, "model")
    assert model["trainable_parameters"] == plan.trainable == 2 * (4 * 128 + 64 + 2 * 192 + 128)
    before, after = tensors(first.final), tensors(run.final)
    assert before.keys() == after.keys()
    assert all(torch.allclose(after[name], before[name], rtol=0, atol=1e-20) for name in before)
    settings = json.loads((run.final / "adapter_config.json").read_text())
    stored = json.loads((first.final / "adapter_config.json").read_text())
    assert {key: settings[key] for key in ("r", "lora_alpha", "rank_pattern", "use_dora", "use_rslora")} == {
        key: stored[key] for key in ("r", "lora_alpha", "rank_pattern", "use_dora", "use_rslora")
    }


def test_two_runs_of_one_step_are_one_of_two(
    make_config: Callable[..., Config], train: Callable[..., Run]
) -> None:
    # Without momentum nothing but the weights is carried from step to step.
    keys: dict[str, Any] = {
        "optimizer": "sgd",
        "lora_target_modules": ["q_proj"],
        "save_steps": 1,
        "save_strategy": ...,
    }
    rows = {"micro_batch_size": 12, "max_steps": 2}
    whole = train(make_config(**keys, **rows))
    checkpoint = whole.directory / "checkpoints" / "checkpoint-1"
    rest = train(
        make_config(optimizer="sgd", lora_model_dir=str(checkpoint), micro_batch_size=12, max_steps=1)
    )
    for name, tensor in tensors(whole.final).items():
        torch.testing.assert_close(tensors(rest.final)[name], tensor, rtol=1e-5, atol=1e-7)
    assert not same(checkpoint, rest.final)


def test_a_run_that_goes_on_is_the_uninterrupted_one(
    first: Run, make_config: Callable[..., Config], train: Callable[..., Run]
) -> None:
    keys: dict[str, Any] = {
        "lora_model_dir": str(first.final),
        "save_steps": 1,
        "save_strategy": ...,
        "max_steps": 2,
    }
    whole = train(make_config(**keys))
    checkpoint = whole.directory / "checkpoints" / "checkpoint-1"
    assert same(train(make_config(**keys, resume_from_checkpoint=str(checkpoint))).final, whole.final)


@pytest.mark.parametrize("by_tokenizer", [False, True])
def test_rows_of_new_tokens_come_along(
    make_config: Callable[..., Config], train: Callable[..., Run], tiny_model: Path, *, by_tokenizer: bool
) -> None:
    one = train(make_config(lora_target_modules=["q_proj"], tokens=["<one>"], max_steps=1))
    if by_tokenizer:
        keys: dict[str, Any] = {"tokenizer_config": str(one.final), "tokens": ["<two>"]}
    else:
        keys = {"tokens": ["<one>", "<two>"]}
    config = make_config(lora_model_dir=str(one.final), learning_rate=1e-30, max_steps=1, **keys)
    plan = make_plan(config, exact=True)
    assert plan.trainable == 2 * 8 * 128 + 2 * 64
    two = train(config)
    (name,) = (name for name in tensors(one.final) if name.endswith("trainable_tokens_delta"))
    before, after = tensors(one.final)[name], tensors(two.final)[name]
    assert (before.shape, after.shape) == ((1, 64), (2, 64))
    assert torch.equal(before[0], after[0])
    settings = json.loads((two.final / "adapter_config.json").read_text())
    assert settings["trainable_token_indices"] == {"model.embed_tokens": [49152, 49153]}


@pytest.mark.parametrize(
    ("keys", "key", "message"),
    [
        ({"lora_r": 8}, "lora_r", "'lora_r' is 8, and the adapter of 'lora_model_dir' has 4"),
        ({"lora_alpha": 8}, "lora_alpha", "'lora_alpha' is 8, and the adapter of 'lora_model_dir' has 6"),
        (
            {"peft_use_dora": False},
            "peft_use_dora",
            "'peft_use_dora' is false, and the adapter of 'lora_model_dir' has true",
        ),
        (
            {"lora_modules_to_save": ["lm_head"]},
            "lora_modules_to_save",
            "'lora_modules_to_save' is [lm_head], and the adapter of 'lora_model_dir' has empty",
        ),
        (
            {"lora_target_linear": True},
            "lora_target_linear",
            "'lora_target_linear' is not what the adapter of 'lora_model_dir' is on: q_proj, up_proj",
        ),
        (
            {"lora_target_modules": ["q_proj"]},
            "lora_target_modules",
            "'lora_target_modules' is not what the adapter of 'lora_model_dir' is on: q_proj, up_proj",
        ),
    ],
)
def test_what_the_config_says_otherwise(
    first_adapter: Path, make_config: Callable[..., Config], keys: dict[str, Any], key: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        make_plan(make_config(lora_model_dir=str(first_adapter), **keys))
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == (key, message)
    assert problem.fix == "remove the line: what the adapter has is used"


def test_what_the_config_says_in_other_words(
    first_adapter: Path, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    words = {**SHAPE, "lora_target_modules": r".*\.(up_proj|q_proj)", "lora_dropout": 0.1}
    config = make_config(lora_model_dir=str(first_adapter), **words)
    assert make_plan(config).warnings == ()
    assert adopted(config, read_start(config)).lora_dropout == 0.1
    plain = make_config(lora_model_dir=str(first_adapter))
    assert adopted(plain, read_start(plain)).lora_dropout == 0.0
    base = tmp_path / "moved"
    shutil.copytree(config.base_model, base)
    moved = make_plan(
        make_config(
            lora_model_dir=str(first_adapter), base_model=str(base), peft_init_lora_weights="gaussian"
        )
    )
    assert [problem.message for problem in moved.warnings] == [
        "'peft_init_lora_weights' has no effect: the adapter of 'lora_model_dir' begins with its own weights",
        f"the adapter says that it was trained on '{config.base_model}', and 'base_model' is '{base}'",
    ]


@pytest.fixture
def first_adapter(tiny_model: Path, tmp_path: Path) -> Path:
    """Return the folder of an adapter of that shape, made without training."""
    from ft_core.models.adapter import apply_adapter

    required = {
        "base_model": str(tiny_model),
        "learning_rate": 1e-3,
        "datasets": [{"path": "a/b", "type": "completion"}],
    }
    config = load_config({**required, "adapter": "lora", **SHAPE}, check_paths=False)
    model: Any = AutoModelForCausalLM.from_pretrained(tiny_model)
    apply_adapter(model, config).save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter"


@pytest.mark.parametrize(
    ("stored", "asked", "rows"),
    [
        ([5, 7], ..., {"": (5, 7)}),
        ([5, 7], [9, 5], {"": (5, 7, 9)}),
        ({"embed_tokens": [5]}, {"lm_head": [3]}, {"embed_tokens": (5,), "lm_head": (3,)}),
        (None, [9], (9,)),
    ],
)
def test_rows_of_tokens_that_are_not_new(
    first_adapter: Path, make_config: Callable[..., Config], stored: Any, asked: Any, rows: Any
) -> None:
    file = first_adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "trainable_token_indices": stored}))
    config = make_config(lora_model_dir=str(first_adapter), peft_trainable_token_indices=asked)
    assert adopted(config, read_start(config)).peft_trainable_token_indices == rows


def test_it_is_merged_where_the_config_names_no_other(
    first_adapter: Path, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(lora_model_dir=str(first_adapter))
    assert source_of_config(config, None, tmp_path).tuned == str(first_adapter)


def test_an_adapter_of_another_model(
    first_adapter: Path, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    from ft_core.models.adapter import apply_adapter
    from ft_core.models.start_adapter import load_start

    config = make_config(lora_model_dir=str(first_adapter))
    start = read_start(config)
    assert start is not None
    weights = tensors(first_adapter)
    name = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight"
    for change, why in (
        ({name: torch.zeros(4, 32)}, f"its '{name}' is of shape (4, 32), where (4, 64) is needed"),
        ({"another": torch.zeros(1)}, "it has 'another'"),
        ({name: None}, f"it lacks '{name}'"),
    ):
        changed = {key: value for key, value in {**weights, **change}.items() if value is not None}
        save_file(changed, first_adapter / "adapter_model.safetensors")
        model: Any = AutoModelForCausalLM.from_pretrained(config.base_model)
        with pytest.raises(ModelError) as caught:
            load_start(apply_adapter(model, adopted(config, start)), start)
        assert (
            caught.value.message == f"The adapter in '{first_adapter}' does not fit this base model: {why}."
        )
        assert (
            caught.value.fix == f"Set base_model to the model that it was trained on, '{config.base_model}'."
        )


def test_what_it_says_is_what_peft_says(first_adapter: Path, make_config: Callable[..., Config]) -> None:
    from ft_core.models.adapter import apply_adapter
    from ft_core.models.start_adapter import load_start

    weights = {name: torch.randn_like(tensor) for name, tensor in tensors(first_adapter).items()}
    save_file(weights, first_adapter / "adapter_model.safetensors")
    config = make_config(lora_model_dir=str(first_adapter))
    start = read_start(config)
    assert start is not None
    ours: Any = AutoModelForCausalLM.from_pretrained(config.base_model)
    theirs: Any = AutoModelForCausalLM.from_pretrained(config.base_model)
    model = apply_adapter(ours, adopted(config, start))
    load_start(model, start)
    ids = torch.arange(9)[None]
    expected = PeftModel.from_pretrained(theirs, str(first_adapter)).eval()(input_ids=ids).logits
    assert torch.equal(model.eval()(input_ids=ids).logits, expected)
    assert {weight.dtype for weight in model.parameters() if weight.requires_grad} == {torch.float32}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"peft_type": "IA3"},
            "The adapter '{}' is of the kind 'IA3', and training goes on from LoRA adapters.",
        ),
        ({"bias": "all"}, "The adapter '{}' has bias, which training does not do here."),
        (
            {"layer_replication": [[0, 1]]},
            "The adapter '{}' has layer_replication, which training does not do here.",
        ),
        (None, "'{}' holds no adapter: it has no adapter_config.json, and neither has its folder 'final'."),
    ],
)
def test_what_training_cannot_go_on_from(
    make_config: Callable[..., Config], tmp_path: Path, settings: dict[str, Any] | None, message: str
) -> None:
    folder = tmp_path / "adapter"
    folder.mkdir()
    if settings is not None:
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA", **settings}))
    with pytest.raises(ModelError) as caught:
        make_plan(make_config(lora_model_dir=str(folder)))
    assert caught.value.message == message.format(folder)


def test_a_folder_that_is_not_there(make_config: Callable[..., Config]) -> None:
    with pytest.raises(ConfigError, match=r"there is no folder .\./nowhere."):
        make_config(lora_model_dir="./nowhere")
    with pytest.raises(ModelError, match="The adapter 'org/adapter' is not on this machine"):
        make_plan(make_config(lora_model_dir="org/adapter"))
