"""What of the config reaches Trainer and the optimizer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import MissingExtra, ModelError
from ft_core.models.hardware import Hardware
from ft_core.train.arguments import optimizer_class, pins_memory, training_arguments
from ft_core.train.steps import Steps

CPU = Hardware("cpu", (), 8, 16 * 1024**3, 8 * 1024**3)


def arguments(config: Config, folder: Path, eval_rows: int = 4) -> Any:
    return training_arguments(
        config, CPU, Steps(10, 20), world_size=1, checkpoints=folder, eval_rows=eval_rows
    )


@pytest.mark.parametrize(
    ("key", "value", "argument", "expected"),
    [
        ("micro_batch_size", 3, "per_device_train_batch_size", 3),
        ("eval_batch_size", 5, "per_device_eval_batch_size", 5),
        ("gradient_accumulation_steps", 4, "gradient_accumulation_steps", 4),
        ("learning_rate", 3e-4, "learning_rate", 3e-4),
        ("weight_decay", 0.1, "weight_decay", 0.1),
        ("max_grad_norm", 0.5, "max_grad_norm", 0.5),
        ("adam_beta1", 0.8, "adam_beta1", 0.8),
        ("adam_beta2", 0.95, "adam_beta2", 0.95),
        ("adam_epsilon", 1e-6, "adam_epsilon", 1e-6),
        ("neftune_noise_alpha", 5, "neftune_noise_alpha", 5.0),
        ("neftune_noise_alpha", 0, "neftune_noise_alpha", None),
        ("optimizer", "adafactor", "optim", "adafactor"),
        ("lr_scheduler", "linear", "lr_scheduler_type", "linear"),
        ("lr_scheduler", "rex", "lr_scheduler_type", "constant"),
        ("warmup_steps", 6, "warmup_steps", 6),
        ("seed", 9, "seed", 9),
        ("full_determinism", True, "full_determinism", True),
        ("torch_empty_cache_steps", 7, "torch_empty_cache_steps", 7),
        ("ddp_timeout", None, "ddp_timeout", 1800),
        ("ddp_timeout", 7200, "ddp_timeout", 7200),
        ("ddp_bucket_cap_mb", 100, "ddp_bucket_cap_mb", 100),
        ("ddp_broadcast_buffers", False, "ddp_broadcast_buffers", False),
        ("ddp_find_unused_parameters", None, "ddp_find_unused_parameters", False),
        ("ddp_find_unused_parameters", True, "ddp_find_unused_parameters", True),
        ("bf16", True, "bf16", True),
        # Trainer tells all layers or none.
        ("gradient_checkpointing", True, "gradient_checkpointing", False),
    ],
)
def test_keys(
    key: str, value: Any, argument: str, expected: Any, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    assert getattr(arguments(make_config(**{key: value}), tmp_path), argument) == expected


@pytest.mark.parametrize(
    ("asked", "kind", "pins"),
    [(None, "cuda", True), (None, "cpu", False), (False, "cuda", False), (True, "cpu", True)],
)
def test_pinned_memory(asked: bool | None, kind: Any, pins: bool, make_config: Callable[..., Config]) -> None:
    hardware = Hardware(kind, (), 8, 16 * 1024**3, 8 * 1024**3)
    assert pins_memory(make_config(dataloader_pin_memory=asked), hardware) is pins


def test_what_no_key_changes(make_config: Callable[..., Config], tmp_path: Path) -> None:
    made = arguments(make_config(), tmp_path)
    assert (made.max_steps, made.use_cpu, made.world_size) == (20, True, 1)
    assert made.average_tokens_across_devices is True
    assert made.logging_nan_inf_filter is False
    assert (made.logging_steps, made.report_to, made.save_total_limit) == (1, [], None)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"optimizer": "adamw_torch", "optim_args": {"amsgrad": True}}, {"amsgrad": True}),
        ({"optimizer": "sgd", "optim_args": {"momentum": 0.9}}, {"momentum": 0.9}),  # Transformers drops it
    ],
)
def test_optimizer_arguments_reach_the_optimizer(
    keys: dict[str, Any], expected: dict[str, Any], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(**keys)
    optimizer, settings = optimizer_class(config, arguments(config, tmp_path), None)
    built = optimizer([torch.nn.Parameter(torch.zeros(1))], **settings)
    assert {name: built.param_groups[0][name] for name in expected} == expected


def test_an_argument_that_the_optimizer_does_not_take(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(optimizer="sgd", optim_args={"betas": [0.9, 0.99]})
    with pytest.raises(ModelError, match="optim_args: SGD takes no argument 'betas'") as raised:
        optimizer_class(config, arguments(config, tmp_path), None)
    assert "momentum" in raised.value.fix


@pytest.mark.parametrize(
    "name", ["adamw_bnb_8bit", "paged_adamw_32bit", "lion_8bit", "rmsprop_bnb", "ademamix"]
)
def test_bitsandbytes_is_asked_for_by_its_line(
    name: str, make_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    config = make_config(optimizer=name)
    with pytest.raises(
        MissingExtra, match=f"The optimizer '{name}' needs the package 'bitsandbytes'"
    ) as raised:
        optimizer_class(config, arguments(config, tmp_path), None)
    assert raised.value.fix == "pip install 'ft-jupyter[gpu]'"


@pytest.mark.parametrize(
    ("name", "package"),
    [("stable_adamw", "torch-optimi"), ("lomo", "lomo-optim"), ("grokadamw", "grokadamw")],
)
def test_an_optimizer_whose_package_is_missing(
    name: str, package: str, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config(optimizer=name)
    with pytest.raises(MissingExtra, match=f"The optimizer '{name}' cannot be used here") as raised:
        optimizer_class(config, arguments(config, tmp_path), None)
    assert raised.value.fix == f"pip install {package}"


def test_muon_needs_a_torch_that_has_it(
    make_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    config = make_config(optimizer="muon")
    with pytest.raises(MissingExtra, match=r"'muon' came with PyTorch 2\.9"):
        optimizer_class(config, arguments(config, tmp_path), None)
