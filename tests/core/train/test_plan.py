from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from ft_core.config import Config
from ft_core.errors import LaunchError, ModelError
from ft_core.models.hardware import Device, Hardware
from ft_core.train import make_plan

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
A100 = Hardware("cuda", (Device("A100", 40 * GIB, 39 * GIB, (8, 0)),), 8, 64 * GIB, 60 * GIB)
SMALL = Hardware("cuda", (Device("Small", GIB, GIB, (8, 0)),), 8, 64 * GIB, 60 * GIB)


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


@pytest.fixture(autouse=True)
def roomy_disk(monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(100 * GIB, 40 * GIB, 60 * GIB))


def test_a_plan_in_figures(make_config: Callable[..., Config], tiny_model: Path) -> None:
    config = make_config(max_steps=..., num_epochs=2, val_set_size=2, gradient_accumulation_steps=2, lora_r=8)
    plan = make_plan(config, world_size=2, hardware=A100)
    assert (plan.model, plan.method) == (str(tiny_model), "LoRA r=8 on all-linear")
    assert (plan.parameters, plan.trainable) == (3_236_160, 16_384)
    assert (plan.train_rows, plan.eval_rows, plan.sequence_len) == (10, 2, 64)
    assert (plan.world_size, plan.global_batch, plan.steps, plan.steps_exact, plan.epochs) == (
        2,
        8,
        4,
        False,
        2.0,
    )
    assert (plan.device, plan.precision, plan.attention) == ("A100", "fp32", "sdpa")
    assert (plan.device_memory, plan.disk_free, plan.checkpoint) == (40 * GIB, 60 * GIB, 16_384 * 12)
    assert json.loads(json.dumps(plan.to_dict()))["trainable"] == 16_384


def test_a_plan_in_lines(make_config: Callable[..., Config], tiny_model: Path) -> None:
    lines = make_plan(make_config(max_steps=3), hardware=CPU).render().splitlines()
    assert lines == [
        f"model      {tiny_model}",
        "trains     LoRA r=8 on all-linear: 16.4k of 3.2M parameters (0.51%)",
        "data       12 rows, up to 64 tokens each",
        "steps      3, 2 rows a step, 0.5 epochs",
        "device     CPU, 8 cores",
        "precision  fp32 (neither bf16 nor fp16 is on)",
        "attention  sdpa (torch's own fused attention, and no package beyond torch)",
        "memory     about 802 MiB of 16.0 GiB (estimate)",
        "disk       under 1 MiB a checkpoint, 60.0 GiB free",
    ]


def test_steps_are_certain_only_where_they_are_set(make_config: Callable[..., Config]) -> None:
    line = make_plan(make_config(max_steps=..., num_epochs=1), hardware=CPU).render().splitlines()[3]
    assert line == "steps      about 6, 2 rows a step, 1 epoch"


def test_a_full_fine_tune_trains_everything_and_needs_more(make_config: Callable[..., Config]) -> None:
    lora, full = (make_plan(make_config(adapter=adapter), hardware=CPU) for adapter in ("lora", ...))
    assert (full.method, full.trainable) == ("full fine-tune", 3_219_776)
    assert full.memory is not None
    assert lora.memory is not None
    # weights, gradients and two moments in fp32 against weights alone
    assert full.memory - lora.memory == 3_219_776 * 12 - 16_384 * 16


def test_memory_that_is_not_there_is_a_warning_with_a_fix(make_config: Callable[..., Config]) -> None:
    plan = make_plan(make_config(micro_batch_size=4), hardware=SMALL)
    (warning,) = plan.warnings
    assert warning.message.endswith("(estimate) and the device has 1.0 GiB.")
    assert warning.fix.startswith("Set micro_batch_size: 2 (now 4) and gradient_accumulation_steps: 2")
    assert "warning: This needs about" in plan.render()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"lora_target_modules": ["q_proj", "nix"]},
            "lora_target_modules names 'nix', which the model's files do not have.",
        ),
        ({"micro_batch_size": 16}, "One step takes 16 rows and there are 12"),
        ({"num_epochs": 3}, "'num_epochs' has no effect"),  # the config's own warnings are the plan's too
    ],
)
def test_warnings(keys: dict[str, Any], message: str, make_config: Callable[..., Config]) -> None:
    assert any(
        warning.message.startswith(message)
        for warning in make_plan(make_config(**keys), hardware=CPU).warnings
    )


def test_a_gpu_that_torch_cannot_use_is_a_warning(make_config: Callable[..., Config]) -> None:
    hardware = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB, note="A GPU is there, but torch cannot use it.")
    assert [warning.message for warning in make_plan(make_config(), hardware=hardware).warnings] == [
        hardware.note
    ]


def test_a_base_model_that_is_not_there(make_config: Callable[..., Config], tiny_model: Path) -> None:
    config = make_config().model_copy(update={"base_model": str(tiny_model.with_name("nowhere"))})
    with pytest.raises(ModelError, match="does not exist"):
        make_plan(config, hardware=CPU)


def test_a_disk_that_cannot_hold_a_checkpoint(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: Usage(GIB, GIB, 1024**2))
    with pytest.raises(LaunchError) as raised:
        make_plan(make_config(adapter=...), hardware=CPU, root=tmp_path / "not" / "there" / "yet")
    assert raised.value.message.startswith(
        f"The disk of {tmp_path / 'not' / 'there' / 'yet'} has 1 MiB free, and this run writes about 74 MiB"
    )


def test_a_plan_imports_no_torch_and_takes_under_a_second(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "config.yaml").write_text(make_config().to_yaml(absolute_paths=True))
    code = (
        "import sys, pathlib; from ft_core.config import load_config; from ft_core.train import make_plan;"
        f"make_plan(load_config(pathlib.Path({str(tmp_path / 'config.yaml')!r})));"
        "sys.exit(bool({'torch', 'transformers', 'datasets', 'peft'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    begun = time.process_time()
    make_plan(make_config())
    assert time.process_time() - begun < 1
