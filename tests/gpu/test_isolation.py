"""Packed documents stay apart on a GPU too, where other kernels compute attention, in every format and family."""

from __future__ import annotations

import contextlib
import json

import pytest
import torch

from ft_core.train.isolation import leaked_share
from tests.conformance.test_isolation import KEPT_APART, PATHS, build, by

FORMATS = {"fp32": (None, 1e-3), "bf16": (torch.bfloat16, 0.05), "fp16": (torch.float16, 0.05)}


@pytest.mark.parametrize(("family", "attention"), PATHS)
def test_a_neighbour_does_not_reach_a_packed_document(family: str, attention: str) -> None:
    device = torch.device("cuda")
    model = build(family, KEPT_APART[family][0], attention).to(device).eval()
    shares: dict[str, float] = {}
    for name, (dtype, _) in FORMATS.items():
        computing = torch.autocast("cuda", dtype=dtype) if dtype else contextlib.nullcontext()
        with torch.no_grad(), computing:
            shares[name] = leaked_share(model, by(model, attention), device)
    print(json.dumps({"family": family, "attention": attention, **shares}))
    assert {name: share for name, share in shares.items() if share > FORMATS[name][1]} == {}
