"""Liger's kernels compute what the model does, in every family, and a run with them learns the same."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config, load_config
from ft_core.launch import launch
from ft_core.models.attention_paths import NO_SDPA
from ft_core.models.hardware import detect_hardware
from ft_core.models.liger import FAMILIES, apply_liger
from tests.conformance.test_isolation import KEPT_APART, VOCABULARY, WIDE, build
from tests.gpu.test_attention import WIDER, relative

liger_kernel = pytest.importorskip("liger_kernel")

ALL = {"liger_rope": True, "liger_rms_norm": True, "liger_glu_activation": True}


def config_of(**keys: Any) -> Config:
    return load_config(
        {
            "base_model": "org/model",
            "learning_rate": 1e-4,
            "datasets": [{"path": "org/data", "type": "completion"}],
        }
        | keys
    )


@pytest.fixture(params=FAMILIES)
def family(request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a family, whose module gets back what Liger replaced in it."""
    name: str = request.param
    module = importlib.import_module(
        f"transformers.models.{name.removesuffix('_text')}.modeling_{name.removesuffix('_text')}"
    )
    before = dict(vars(module))
    yield name
    vars(module).update(before)


def computed(model: Any, ids: torch.Tensor, dtype: torch.dtype | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits, and the gradient of the first layer's first matrix."""
    with torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
        logits = model(input_ids=ids, use_cache=False).logits.float()
    logits.square().mean().backward()
    weight = next(each for name, each in model.named_parameters() if each.ndim == 2 and "layers.0." in name)
    return logits.detach(), weight.grad


@pytest.mark.parametrize("key", [*ALL, "all"])
def test_it_computes_what_the_model_does(family: str, key: str) -> None:
    shape = {**KEPT_APART.get(family, (WIDE, ""))[0], **WIDER}
    shape |= {"head_dim": 32} if "head_dim" in shape else {}
    attention = "eager" if family in NO_SDPA else "sdpa"
    ids = torch.randint(3, VOCABULARY, (2, 64), generator=torch.Generator().manual_seed(1)).to("cuda")
    theirs = [
        computed(build(family, shape, attention).to("cuda"), ids, dtype) for dtype in (None, torch.bfloat16)
    ]
    ours: list[tuple[torch.Tensor, torch.Tensor]] = []
    for dtype in (None, torch.bfloat16):
        model = build(family, shape, attention).to("cuda")
        apply_liger(model, config_of(**(ALL if key == "all" else {key: True})), detect_hardware())
        replaced = [name for name, module in model.named_modules() if "liger" in module.forward.__module__]
        assert key == "liger_rope" or replaced, "nothing was replaced"
        ours.append(computed(model, ids, dtype))
    figures = {
        name: [relative(ours[place][what], theirs[0][what]) for place in (0, 1)]
        for what, name in enumerate(("logits", "gradient"))
    }
    figures["bf16 without"] = [relative(theirs[1][what], theirs[0][what]) for what in (0, 1)]
    print(json.dumps({"family": family, "key": key, **figures}))
    for what, name in enumerate(("logits", "gradient")):
        exact, in_bf16 = figures[name]
        assert exact < 1e-3
        # About as far from fp32 as the model itself in bf16; rounding may send a token to another expert.
        assert in_bf16 < 3 * figures["bf16 without"][what] + 0.02


@pytest.mark.parametrize("adapter", ["lora", None])
def test_a_run_with_all_of_them_learns_the_same(
    small_model: Path, dictionary: Path, runs_root: Path, adapter: str | None
) -> None:
    figures: dict[str, Any] = {}
    for name, keys in (("plain", {}), ("liger", ALL | {"liger_fused_linear_cross_entropy": True})):
        config = config_of(
            base_model=str(small_model),
            datasets=[{"path": str(dictionary), "type": "chat_template"}],
            adapter=adapter,
            learning_rate=2e-3 if adapter else 5e-4,
            sequence_len=1024,
            sample_packing=True,
            micro_batch_size=4,
            max_steps=20,
            **keys,
        )
        run = launch(config, f"{name}-{adapter}", gpus=1)
        assert run.wait(timeout=300) == "completed", run.log_tail(30)
        metrics = run.metrics
        figures[name] = {
            "first": float(metrics["loss"].iloc[0]),
            "last": float(metrics["loss"].iloc[-3:].mean()),
            "tokens_per_second": float(metrics["tokens_per_second"].iloc[10:].median()),
        }
    print(json.dumps({"adapter": adapter, **figures}))
    assert figures["liger"]["first"] == pytest.approx(figures["plain"]["first"], rel=2e-3)
    assert figures["liger"]["last"] == pytest.approx(figures["plain"]["last"], rel=2e-2)
