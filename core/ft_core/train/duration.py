"""How long a run takes, about. Torch-free.

Work is counted in floating-point operations and divided by the rate of the device:

* a forward pass takes 2 operations for each weight and token (Kaplan et al. 2020, https://arxiv.org/abs/2001.08361, sec. 2.1),
  and ``4 * layers * width * length`` for attention (Chowdhery et al. 2022, https://arxiv.org/abs/2204.02311, app. B);
* a backward pass takes twice that, once for the gradient of what flows through and once for that of the weights, and
  frozen weights have none (so LoRA takes 4 for each weight where a full fine-tune takes 6);
* recomputing activations takes another forward pass (Korthikanti et al. 2022, https://arxiv.org/abs/2205.05198).

Where a run of the same model has finished here, its own rate is used.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psutil
import yaml

from ft_core.errors import FtError
from ft_core.models.hardware import Hardware
from ft_core.models.outline import Outline
from ft_core.models.parameters import first_number, layer_count, text_config
from ft_core.models.precision import Precision
from ft_core.runs import Run, find_runs
from ft_core.runs.events import last_event, read_events
from ft_core.runs.paths import EVENTS, RESOLVED

if TYPE_CHECKING:
    from ft_core.config import Config

ROUGH = {"cpu": "rough: half to double", "cuda": "rough: half to double"}
"""How far off an estimate by operations was, by kind of device (docs/reference/plan.md)."""

UNMEASURED = "rough: its error on this kind of device is not measured"

# Dense bf16 (fp16 before Ampere) tensor operations with fp32 sums, TFLOP/s, from the makers' data sheets; the longer names
# come first, for a card is known by the first that its name holds.
_PEAKS = (
    ("B200", 2250),
    ("GH200", 989),
    ("H200", 989),
    ("H100 PCIe", 756),
    ("H100", 989),
    ("A100", 312),
    ("L40S", 362),
    ("L40", 181),
    ("L4", 121),
    ("A40", 150),
    ("A10G", 70),
    ("A10", 125),
    ("RTX 6000 Ada", 364),
    ("RTX A6000", 155),
    ("RTX 5090", 210),
    ("RTX 4090", 165),
    ("RTX 4080", 98),
    ("RTX 3090", 71),
    ("V100", 125),
    ("T4", 65),
)
# Shares of the peak that a step reaches. CUDA in 16 bits: a common trainer with padded rows on an H100; in fp32 the
# tensor cores run TF32 at half their rate, or not at all.
_CUDA_SHARE = {"bf16": 0.25, "fp16": 0.25, "fp32": 0.06}
# Against what numpy multiplies in fp32 on each core (tests/benchmarks/plan_estimates.py); a processor with bf16
# instructions passes it.
_CPU_SHARE = {"bf16": 1.5, "fp32": 0.7}
_MICRO_BATCH_SECONDS = {
    "cpu": 0.004,
    "cuda": 0.0015,
    "mps": 0.002,
}  # a layer's fixed cost, forward and backward
# Imports, tokenizing and loading, before the first step; a GPU has to be set up as well.
_START_SECONDS = {"cpu": 8.0, "cuda": 18.0, "mps": 8.0}
_PROBE_SIZE = 64
_PROBE_SECONDS = 0.03
_RUNS_LOOKED_AT = 10
_TAIL_BYTES = 65536


@dataclass(frozen=True)
class Duration:
    """Seconds that a run takes, and what that is known from.

    Attributes
    ----------
    seconds
        From the start to the end of the process.
    basis
        ``as run-3``, whose measured rate it is, or how rough the estimate is.
    """

    seconds: float
    basis: str


@dataclass(frozen=True)
class Work:
    """What a run has to do.

    Attributes
    ----------
    steps
        Optimizer steps.
    tokens
        Tokens of all steps on all ranks, padding left out.
    padded
        The same with padding.
    eval_tokens
        Padded tokens of all evaluations.
    """

    steps: int
    tokens: float
    padded: float
    eval_tokens: float


def estimate_duration(
    config: Config,
    hardware: Hardware,
    precision: Precision,
    outline: Outline,
    model_config: Mapping[str, Any],
    work: Work,
    *,
    trainable: int,
    world_size: int,
    root: Path,
    recomputed: float = 0.0,
) -> Duration | None:
    """Estimate how long a run takes, or return None for a device whose rate is not known.

    Parameters
    ----------
    config, hardware, precision, outline, model_config
        The run's config, the machine, the number formats, and the base model.
    work
        What has to be done.
    trainable
        Parameters that train.
    world_size
        Ranks that share the work.
    root
        The folder whose finished runs are looked at.
    recomputed
        The share of the layers that are computed again in the backward pass.
    """
    start = _START_SECONDS[hardware.kind]
    if (known := _finished_rate(config, hardware, precision, root)) is not None:
        name, tokens_per_second = known
        share = work.eval_tokens / work.padded / 3 if work.padded else 0.0
        return Duration(start + work.tokens * (1 + share) / tokens_per_second, f"as {name}")
    rate = device_rate(hardware, precision)
    if rate is None:
        return None
    length = (
        work.padded / work.steps / (config.micro_batch_size * config.gradient_accumulation_steps * world_size)
    )
    forward = _forward_operations(outline, model_config, length)
    per_token = _training_operations(config, forward, trainable, recomputed)
    ranks = world_size if hardware.devices else 1  # ranks on the CPU share its cores
    layers = layer_count(model_config)
    fixed = work.steps * config.gradient_accumulation_steps * layers * _MICRO_BATCH_SECONDS[hardware.kind]
    busy = (work.padded * per_token + work.eval_tokens * forward) / (rate * ranks)
    return Duration(start + fixed + busy, ROUGH.get(hardware.kind, UNMEASURED))


def device_rate(hardware: Hardware, precision: Precision) -> float | None:
    """Return the operations a second that training reaches on one device, or None for one that is not in the table."""
    if hardware.kind == "cpu":
        cores = min(hardware.cpu_cores, psutil.cpu_count(logical=False) or hardware.cpu_cores)
        return _core_rate() * cores * _CPU_SHARE[precision.compute]
    peaks = [
        next((peak for name, peak in _PEAKS if name in device.name), None) for device in hardware.devices
    ]
    known = [peak for peak in peaks if peak is not None]
    if hardware.kind != "cuda" or len(known) < len(peaks):
        return None
    return min(known) * 1e12 * _CUDA_SHARE[precision.compute]


def _forward_operations(outline: Outline, model_config: Mapping[str, Any], length: float) -> float:
    """Return the operations of one token's way through the model, in a row of `length` tokens."""
    text = text_config(model_config)
    embeddings = sum(
        module.parameters
        for name, module in outline.modules.items()
        if module.kind == "embedding" and not (name in outline.tied and len(outline.tied) > 1)
    )
    experts = sum(
        module.parameters for name, module in outline.modules.items() if name.rsplit(".", 1)[-1] == "experts"
    )
    many = first_number(text, "num_local_experts", "num_experts", "n_routed_experts")
    chosen = first_number(text, "num_experts_per_tok", "moe_top_k", "num_experts_per_token") or 2
    idle = experts * (1 - chosen / many) if many else 0
    layers = layer_count(model_config)
    width = first_number(text, "hidden_size", "n_embd", "d_model")
    return 2 * (outline.total - embeddings - idle) + 4 * layers * width * length


def _training_operations(config: Config, forward: float, trainable: int, recomputed: float) -> float:
    """Return the operations that a token costs in training, given those of its way through the base model."""
    passes = (2 if config.adapter else 3) + recomputed
    return passes * forward + (6 * trainable if config.adapter else 0)


def _core_rate() -> float:
    """Return the operations a second at which one core multiplies small fp32 matrices here; takes some 30 ms.

    Small ones stay on one thread. Threads that wait for each other take a hundred times as long where something else has
    the cores, and then tell nothing.
    """
    import numpy as np

    left = np.ones((_PROBE_SIZE, _PROBE_SIZE), np.float32)
    product = np.empty_like(left)
    best, begun = math.inf, time.perf_counter()
    while best == math.inf or time.perf_counter() - begun < _PROBE_SECONDS:
        started = time.perf_counter()
        np.matmul(left, left, out=product)
        best = min(best, time.perf_counter() - started)
    return 2 * _PROBE_SIZE**3 / best


def _finished_rate(
    config: Config, hardware: Hardware, precision: Precision, root: Path
) -> tuple[str, float] | None:
    """Return the name and the tokens a second of the newest run that is over and trained the same way on this device."""
    try:
        runs = find_runs(root)[:_RUNS_LOOKED_AT]
    except FtError:
        return None
    for run in runs:
        if run.state in ("completed", "stopped") and _is_alike(run, config, hardware, precision):
            events, _ = read_events(
                run.directory, max(0, (run.directory / EVENTS).stat().st_size - _TAIL_BYTES)
            )
            # The first steps warm up, and are slower.
            rates = [
                event["tokens_per_second"]
                for event in events
                if event["type"] == "step" and event["step"] > 2
            ]
            if rates:
                return run.name, statistics.median(rates)
    return None


def _is_alike(run: Run, config: Config, hardware: Hardware, precision: Precision) -> bool:
    """Say whether a run had the model, the method, the batch and the device that `config` would have."""
    try:
        loaded: object = yaml.safe_load((run.directory / RESOLVED).read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    resolved = cast("dict[str, Any]", loaded) if isinstance(loaded, dict) else {}
    model = last_event(run.directory, "model") or {}
    paths = {
        str(Path(name).expanduser().absolute())
        for name in (config.base_model, str(resolved.get("base_model")))
    }
    same = all(
        resolved.get(key) == getattr(config, key)
        for key in (
            "adapter",
            "micro_batch_size",
            "gradient_checkpointing",
            "pad_to_sequence_len",
            "sample_packing",
        )
    )
    return (
        same
        and len(paths) == 1
        and (model.get("device"), model.get("dtype")) == (hardware.name, precision.compute)
    )
