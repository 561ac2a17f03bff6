"""Every way to compute attention that is installed: what sdpa computes, documents apart, gradients too, in every family.

A case whose package or GPU is not here is skipped with the reason; one that a model cannot run is not a case.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import load_config
from ft_core.launch import launch
from ft_core.models import flex, varlen, xformers_path
from ft_core.models.attention import isolation
from ft_core.models.attention_paths import (
    EAGER,
    FLASH_2,
    FLASH_3,
    FLASH_4,
    FLEX,
    NO_SDPA,
    PER_DOCUMENT,
    SDPA,
    TELLS_BOUNDS,
    VARLEN,
    XFORMERS,
    device_obstacle,
    is_installed,
    model_obstacle,
)
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.train.isolation import leaked_share, model_inputs
from tests.conformance.test_isolation import VOCABULARY, build
from tests.core.models.test_varlen import SHAPES

COMPILED = ("llama", "mistral", "gemma2", "gemma3_text", "qwen3")
"""Families to try flex attention with: each is compiled anew, for seconds."""

WIDER = {"hidden_size": 128, "intermediate_size": 128, "max_position_embeddings": 512}
"""Heads of 32 numbers, in place of the 8 that the tests on a host have."""

LENGTHS = (1, 37, 300, 64, 98)
CASES = [
    *((attention, family) for attention in PER_DOCUMENT for family in TELLS_BOUNDS),
    *((FLEX, family) for family in COMPILED),
]


@pytest.fixture(scope="module")
def hardware() -> Hardware:
    return detect_hardware()


@pytest.fixture(autouse=True)
def registered() -> None:
    varlen.register()
    xformers_path.register()
    torch.compiler.reset()  # it compiles a function for so many shapes, and then no more
    flex.register()


def require(attention: str, hardware: Hardware) -> None:
    """Skip the test where this machine lacks what the attention needs."""
    if not is_installed(attention):
        pytest.skip(f"the package of {attention} is not installed")
    if obstacle := device_obstacle(attention, hardware):
        pytest.skip(obstacle)


def shape_of(family: str) -> dict[str, Any]:
    shape = {**SHAPES[family], **WIDER}
    return {**shape, "head_dim": 32} if "head_dim" in shape else shape


def batch(device: torch.device) -> dict[str, Any]:
    """Return two rows of documents, the first token of each a document of its own."""
    random = torch.Generator().manual_seed(1)
    ids = torch.randint(3, VOCABULARY, (2, sum(LENGTHS)), generator=random)
    places = torch.cat([torch.arange(length) for length in LENGTHS]).expand(2, -1)
    whole = {"input_ids": ids, "position_ids": places, "document_ids": torch.ones_like(ids)}
    return {name: each.to(device) for name, each in whole.items()}


def outcome(model: Any, by: Any, dtype: torch.dtype | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of the batch, and the gradient of the first layer's keys."""
    device = torch.device("cuda")
    with torch.autocast("cuda", dtype=dtype, enabled=dtype is not None):
        logits = model(**model_inputs(batch(device), by)).logits.float()
    logits.square().mean().backward()
    weight = next(each for name, each in model.named_parameters() if each.ndim == 2 and "layers.0." in name)
    gradient, weight.grad = weight.grad, None
    return logits.detach(), gradient


def relative(one: torch.Tensor, other: torch.Tensor) -> float:
    """Return how far apart two tensors are, as a share of the second."""
    return ((one - other).norm() / other.norm()).item()


def reference(family: str) -> str:
    return EAGER if family in NO_SDPA else SDPA


@pytest.mark.parametrize(("attention", "family"), CASES)
def test_it_computes_what_sdpa_does_and_keeps_documents_apart(
    attention: str, family: str, hardware: Hardware
) -> None:
    require(attention, hardware)
    device, shape = torch.device("cuda"), shape_of(family)
    model = build(family, shape, attention).to(device)
    if obstacle := model_obstacle(attention, model.config.to_dict(), hardware, "bf16"):
        pytest.skip(obstacle)
    how = isolation(model.config.to_dict(), attention).by
    theirs_by = reference(family)
    exact = outcome(build(family, shape, theirs_by).to(device), "positions", None)
    figures: dict[str, Any] = {"attention": attention, "family": family, "by": how}
    formats = {"bf16": torch.bfloat16, "fp16": torch.float16}
    for name, dtype in formats.items() if attention != FLEX else [("bf16", torch.bfloat16)]:
        theirs = outcome(build(family, shape, theirs_by).to(device), "positions", dtype)
        model = build(family, shape, attention).to(device)
        ours = outcome(model, how, dtype)
        with torch.no_grad(), torch.autocast("cuda", dtype=dtype):
            figures[name] = {
                "leak": leaked_share(model.eval(), how, device),
                "logits": [relative(each[0], exact[0]) for each in (ours, theirs)],
                "gradient": [relative(each[1], exact[1]) for each in (ours, theirs)],
            }
    print(json.dumps(figures))
    for name in formats.keys() & figures.keys():
        assert figures[name]["leak"] < 0.05
        for what in ("logits", "gradient"):
            # About as far from fp32 as sdpa is in the same format; rounding may send a token to another expert.
            ours, theirs = figures[name][what]
            assert ours < 3 * theirs + 0.02, (name, what)


def test_documents_leak_where_a_bound_is_missing() -> None:
    """The bug that this is about, to see that the test above would see it."""
    device = torch.device("cuda")
    model = build("llama", shape_of("llama"), VARLEN).to(device)
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        assert leaked_share(model.eval(), "positions", device) > 0.1


@pytest.mark.parametrize("attention", [*PER_DOCUMENT, FLEX])
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2"])
def test_padded_rows_are_those_of_sdpa(attention: str, family: str, hardware: Hardware) -> None:
    require(attention, hardware)
    device = torch.device("cuda")
    ids = torch.randint(3, VOCABULARY, (2, 96), generator=torch.Generator().manual_seed(1)).to(device)
    mask = torch.ones_like(ids)
    mask[1, 61:] = 0
    made: list[torch.Tensor] = []
    gradients: list[torch.Tensor] = []
    for each in (reference(family), attention):
        model = build(family, shape_of(family), each).to(device)
        if obstacle := model_obstacle(attention, model.config.to_dict(), hardware, "bf16"):
            pytest.skip(obstacle)
        with torch.autocast("cuda", torch.bfloat16):
            logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()].float()
        logits.square().mean().backward()
        made.append(logits.detach())
        gradients.append(
            next(w.grad for n, w in model.named_parameters() if w.ndim == 2 and "layers.0." in n)
        )
    print(json.dumps({"attention": attention, "family": family, "logits": relative(made[1], made[0])}))
    assert relative(made[1], made[0]) < 0.04
    assert relative(gradients[1], gradients[0]) < 0.06


@pytest.mark.parametrize(
    ("attention", "size"),
    [
        *((attention, size) for attention in PER_DOCUMENT for size in (16, 64, 96, 128, 256)),
        (FLEX, 64),
        (FLEX, 96),
    ],
)
def test_heads_of_every_size(attention: str, size: int, hardware: Hardware) -> None:
    """Forward and backward pass, of two heads for one of keys."""
    require(attention, hardware)
    device = torch.device("cuda")
    shape = {**shape_of("llama"), "head_dim": size}
    model = build("llama", shape, attention).to(device)
    if obstacle := model_obstacle(attention, model.config.to_dict(), hardware, "bf16"):
        pytest.skip(obstacle)
    how = isolation(model.config.to_dict(), attention).by
    exact = outcome(build("llama", shape, SDPA).to(device), "positions", torch.bfloat16)
    ours = outcome(model, how, torch.bfloat16)
    found = [relative(ours[place], exact[place]) for place in (0, 1)]
    print(json.dumps({"attention": attention, "head": size, "logits": found[0], "gradient": found[1]}))
    assert max(found) < 0.06


@pytest.mark.parametrize("attention", [XFORMERS, FLASH_2, FLASH_3, FLASH_4, FLEX, VARLEN, "auto"])
def test_a_packed_run_learns(
    small_model: Path, dictionary: Path, runs_root: Path, attention: str, hardware: Hardware
) -> None:
    """Documents are computed packed and apart in the model itself before its first step, or the run would end there."""
    require(attention, hardware)
    config = load_config(
        {
            "base_model": str(small_model),
            "datasets": [{"path": str(dictionary), "type": "chat_template"}],
            "adapter": "lora",
            "lora_r": 16,
            "learning_rate": 2e-3,
            "sequence_len": 1024,
            "sample_packing": True,
            "micro_batch_size": 4,
            "multipack_real_batches": False,
            "max_steps": 20,
            "attn_implementation": attention,
        }
    )
    run = launch(config, f"packed-{attention}", gpus=1)
    assert run.wait(timeout=300) == "completed", run.log_tail(30)
    events = run.events()[0]
    used = next(event for event in events if event["type"] == "model")["attention"]
    losses, speed = run.metrics["loss"], run.metrics["tokens_per_second"].iloc[10:].median()
    print(json.dumps({"asked": attention, "used": used, "tokens_per_second": speed, "last": losses.iloc[-1]}))
    fastest = next(each for each in (FLASH_4, FLASH_3, VARLEN) if is_installed(each))
    assert used == (fastest if attention == "auto" else attention)
    assert losses.iloc[-3:].mean() < losses.iloc[:3].mean() - 0.3
