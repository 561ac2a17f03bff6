"""Attention over documents in torch's own kernel: what sdpa computes over a mask of documents, in every family."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch

from ft_core.models import varlen
from ft_core.models.precision import VARLEN_FAMILIES
from ft_core.train.isolation import leaked_share, model_inputs
from tests.conformance.test_isolation import VOCABULARY, build
from tests.core.models.test_varlen import SHAPES

LENGTHS = (1, 37, 300, 64, 98)


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


@pytest.mark.parametrize("family", VARLEN_FAMILIES)
def test_it_computes_what_sdpa_does_and_keeps_documents_apart(family: str) -> None:
    varlen.register()
    device = torch.device("cuda")
    shape = {**SHAPES[family], "max_position_embeddings": 512}
    exact = outcome(build(family, shape, "sdpa").to(device), "positions", None)
    figures: dict[str, Any] = {"family": family}
    for name, dtype in (("bf16", torch.bfloat16), ("fp16", torch.float16)):
        theirs = outcome(build(family, shape, "sdpa").to(device), "positions", dtype)
        model = build(family, shape, "varlen").to(device)
        ours = outcome(model, "varlen", dtype)
        with torch.no_grad(), torch.autocast("cuda", dtype=dtype):
            figures[name] = {
                "leak": leaked_share(model.eval(), "varlen", device),
                "logits": [relative(each[0], exact[0]) for each in (ours, theirs)],
                "gradient": [relative(each[1], exact[1]) for each in (ours, theirs)],
            }
    print(json.dumps(figures))
    for name in ("bf16", "fp16"):
        assert figures[name]["leak"] < 0.05
        for what in ("logits", "gradient"):
            # About as far from fp32 as sdpa is in the same format; rounding may send a token to another expert.
            ours, theirs = figures[name][what]
            assert ours < 3 * theirs + 0.02, (name, what)


def test_documents_leak_where_a_bound_is_missing() -> None:
    """The bug that this is about, to see that the test above would see it."""
    varlen.register()
    device = torch.device("cuda")
    model = build("llama", SHAPES["llama"], "varlen").to(device)
    with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
        assert leaked_share(model.eval(), "positions", device) > 0.1
