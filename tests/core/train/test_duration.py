from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.models.hardware import Device, Hardware
from ft_core.models.outline import Module, Outline
from ft_core.models.precision import Precision
from ft_core.runs import Run, RunWriter, create_run
from ft_core.train import duration
from ft_core.train.duration import Duration, Work, device_rate, estimate_duration

GIB = 1024**3
CPU = Hardware("cpu", (), 4, 16 * GIB, 8 * GIB)
BF16 = Precision("bf16", "bf16", "")
FP32 = Precision("fp32", "fp32", "")
MODEL = {"hidden_size": 8, "num_hidden_layers": 2, "vocab_size": 10}
OUTLINE = Outline(
    total=1080,
    modules={"embed": Module("embedding", 80), "layer": Module("linear", 1000)},
    exact=True,
)
WORK = Work(steps=10, tokens=500, padded=1000, eval_tokens=300)


def card(name: str, kind: Any = "cuda") -> Hardware:
    return Hardware(kind, (Device(name, 40 * GIB, 39 * GIB, (8, 0)),), 8, 64 * GIB, 60 * GIB)


@pytest.fixture(autouse=True)
def known_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duration, "_core_rate", lambda: 1e6)
    monkeypatch.setattr("psutil.cpu_count", lambda logical: 2)


@pytest.mark.parametrize(
    ("hardware", "precision", "rate"),
    [
        (card("NVIDIA H100 80GB HBM3"), BF16, 989e12 * 0.25),
        (card("NVIDIA H100 PCIe"), BF16, 756e12 * 0.25),
        (card("NVIDIA L4"), BF16, 121e12 * 0.25),
        (card("NVIDIA L40S"), BF16, 362e12 * 0.25),
        (card("NVIDIA A10G"), BF16, 70e12 * 0.25),
        (card("Tesla T4"), Precision("fp16", "fp16", ""), 65e12 * 0.25),
        (card("NVIDIA A100-SXM4-40GB"), FP32, 312e12 * 0.06),
        (card("NVIDIA Unheard-of 9"), BF16, None),
        (card("Apple GPU", "mps"), FP32, None),
        (CPU, FP32, 1e6 * 2 * 0.7),
        (CPU, BF16, 1e6 * 2 * 1.5),
    ],
)
def test_what_a_device_reaches(hardware: Hardware, precision: Precision, rate: float | None) -> None:
    assert device_rate(hardware, precision) == (None if rate is None else pytest.approx(rate))


def test_two_cards_are_as_fast_as_the_slower() -> None:
    pair = Hardware("cuda", (*card("A100").devices, *card("T4").devices), 8, GIB, GIB)
    assert device_rate(pair, BF16) == 65e12 * 0.25


# 10 steps of 2 rows: 50 tokens a row; 2 layers of width 8.
FORWARD = 2 * 1000 + 4 * 2 * 8 * 50
FIXED = 8 + 10 * 2 * 0.004


def test_layers_that_are_computed_again_take_time(make_config: Callable[..., Config], tmp_path: Path) -> None:
    found = estimate_duration(
        make_config(),
        CPU,
        FP32,
        OUTLINE,
        MODEL,
        WORK,
        trainable=100,
        world_size=1,
        root=tmp_path,
        recomputed=0.5,
    )
    assert found is not None
    assert found.seconds == pytest.approx(FIXED + (1000 * (2.5 * FORWARD + 600) + 300 * FORWARD) / 1.4e6)


@pytest.mark.parametrize(
    ("keys", "trainable", "per_token"),
    [
        ({"adapter": ...}, 1080, 3 * FORWARD),
        ({}, 100, 2 * FORWARD + 600),
    ],
)
def test_operations_become_seconds(
    keys: dict[str, Any], trainable: int, per_token: int, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    found = estimate_duration(
        make_config(**keys), CPU, FP32, OUTLINE, MODEL, WORK, trainable=trainable, world_size=1, root=tmp_path
    )
    assert found is not None
    assert found.basis == "rough: half to double"
    assert found.seconds == pytest.approx(FIXED + (1000 * per_token + 300 * FORWARD) / 1.4e6)


@pytest.mark.parametrize(
    ("outline", "model_config", "weights"),
    [
        (Outline(1080, OUTLINE.modules, tied=("embed",)), MODEL, 1000),
        # A tied head multiplies by the embedding.
        (Outline(1080, OUTLINE.modules, tied=("embed", "head")), MODEL, 1080),
        # Of 8 experts 2 work on a token.
        (
            Outline(1880, {**OUTLINE.modules, "layer.experts": Module("other", 800)}),
            {**MODEL, "num_experts": 8, "num_experts_per_tok": 2},
            1200,
        ),
    ],
)
def test_only_weights_that_are_multiplied_count(
    outline: Outline,
    model_config: dict[str, Any],
    weights: int,
    make_config: Callable[..., Config],
    tmp_path: Path,
) -> None:
    work = Work(steps=10, tokens=500, padded=1000, eval_tokens=0)
    found = estimate_duration(
        make_config(adapter=...),
        CPU,
        FP32,
        outline,
        model_config,
        work,
        trainable=1,
        world_size=1,
        root=tmp_path,
    )
    assert found is not None
    assert found.seconds == pytest.approx(FIXED + 1000 * 3 * (2 * weights + 4 * 2 * 8 * 50) / 1.4e6)


def test_cards_share_the_work_and_ranks_on_a_processor_do_not(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    def seconds(hardware: Hardware, ranks: int) -> float:
        work = Work(steps=1, tokens=1e12, padded=1e12, eval_tokens=0)
        found = estimate_duration(
            make_config(), hardware, BF16, OUTLINE, {}, work, trainable=1, world_size=ranks, root=tmp_path
        )
        assert found is not None
        return found.seconds - {"cpu": 8, "cuda": 18}[hardware.kind]  # start-up

    two = Hardware("cuda", card("A100").devices * 2, 8, GIB, GIB)
    assert seconds(two, 2) == pytest.approx(seconds(card("A100"), 1) / 2)
    assert seconds(CPU, 2) == seconds(CPU, 1)


@pytest.fixture
def finished(runs_root: Path) -> Callable[..., Run]:
    """Return a function that writes a run of a config, with steps at these rates."""

    def write(config: Config, rates: list[float], device: str = CPU.name, *, end: bool = True) -> Run:
        run = create_run(None, config_text="", resolved_text=config.to_yaml(), plan={})
        with RunWriter(run.directory) as writer:
            writer.emit(
                "model", parameters=1, trainable_parameters=1, device=device, dtype="fp32", attention="sdpa"
            )
            for step, rate in enumerate(rates, 1):
                writer.emit("step", step=step, total_steps=len(rates), epoch=0.0, loss=1.0, learning_rate=0.0,
                            grad_norm=0.0, tokens=1, tokens_per_second=rate, eta=0.0)  # fmt: skip
            if not end:
                raise RuntimeError("over")
        return run

    return write


def ask(config: Config, root: Path) -> Duration:
    found = estimate_duration(config, CPU, FP32, OUTLINE, MODEL, WORK, trainable=100, world_size=1, root=root)
    assert found is not None
    return found


def test_a_run_of_the_same_model_tells_the_rate(
    finished: Callable[..., Run], make_config: Callable[..., Config], runs_root: Path
) -> None:
    config = make_config()
    run = finished(config, [1.0, 2.0, 90.0, 100.0, 110.0])  # the first two steps warm up
    assert ask(config, runs_root) == Duration(8 + 500 * (1 + 300 / 1000 / 3) / 100, f"as {run.name}")


@pytest.mark.parametrize(
    "other",
    [
        {"micro_batch_size": 4},
        {"gradient_checkpointing": True},
        {"adapter": ...},
        {"pad_to_sequence_len": True},
    ],
)
def test_a_run_that_trained_another_way_tells_nothing(
    other: dict[str, Any], finished: Callable[..., Run], make_config: Callable[..., Config], runs_root: Path
) -> None:
    finished(make_config(**other), [1.0, 2.0, 3.0])
    assert ask(make_config(), runs_root).basis == "rough: half to double"


def test_neither_does_one_on_another_device_nor_a_damaged_one(
    finished: Callable[..., Run], make_config: Callable[..., Config], runs_root: Path
) -> None:
    config = make_config()
    finished(config, [1.0, 2.0, 3.0], device="Some GPU")
    finished(config, [1.0])
    broken = finished(config, [1.0, 2.0, 3.0])
    (broken.directory / "resolved.yaml").write_text("[}")
    assert ask(config, runs_root).basis == "rough: half to double"
    assert ask(config, runs_root / "nowhere").basis == "rough: half to double"


def test_the_newest_run_is_asked(
    finished: Callable[..., Run],
    make_config: Callable[..., Config],
    runs_root: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config()
    old, new = finished(config, [1.0, 1.0, 10.0]), finished(config, [1.0, 1.0, 20.0])
    status = old.directory / "status.json"
    content = json.loads(status.read_text())
    status.write_text(json.dumps({**content, "started": content["started"] - 1000}))
    assert ask(config, runs_root).basis == f"as {new.name}"


def test_the_probe_is_short_and_finds_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    started = time.process_time()
    assert duration._core_rate() > 1e8
    assert time.process_time() - started < 0.5
