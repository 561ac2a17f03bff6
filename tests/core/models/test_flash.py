"""Attention by the packages of flash attention, through Transformers: told where documents begin, with the kernel spelt out."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel, modeling_flash_attention_utils

from ft_core.models.attention import isolation
from tests.conformance.test_isolation import WIDE, build, worst
from tests.core.models.test_varlen import SHAPES


def spelt_out(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    cu_seqlens_q: torch.Tensor,
    cu_seqlens_k: torch.Tensor,
    max_seqlen_q: int,
    max_seqlen_k: int,
    softmax_scale: float | None = None,
    causal: bool = False,
    window_size: tuple[int, int] = (-1, -1),
    softcap: float = 0.0,
) -> torch.Tensor:
    """Compute one document after the other, as flash attention is documented to."""
    assert causal
    assert cu_seqlens_q.tolist() == cu_seqlens_k.tolist()
    assert max_seqlen_q == max_seqlen_k == cu_seqlens_q.diff().max()
    assert (int(cu_seqlens_q[0]), int(cu_seqlens_q[-1])) == (0, len(q))
    k, v = (each.repeat_interleave(q.shape[1] // each.shape[1], dim=1) for each in (k, v))
    bounds = cu_seqlens_q.tolist()
    out: list[torch.Tensor] = []
    for start, end in itertools.pairwise(bounds):
        place = torch.arange(end - start)
        before = place[:, None] - place
        seen = (before >= 0) & ((before <= window_size[0]) | (window_size[0] < 0))
        scores = torch.einsum("qhd,khd->hqk", q[start:end], k[start:end]) * (
            softmax_scale or q.shape[-1] ** -0.5
        )
        if softcap:
            scores = softcap * torch.tanh(scores / softcap)
        shares = scores.masked_fill(~seen, float("-inf")).softmax(-1)
        out.append(torch.einsum("hqk,khd->qhd", shares, v[start:end]))
    return torch.cat(out)


def alone(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **how: Any) -> torch.Tensor:
    """Compute rows of one document each."""
    rows, length = query.shape[:2]
    bounds = torch.arange(0, (rows + 1) * length, length)
    flat = [each.flatten(0, 1) for each in (query, key, value)]
    return spelt_out(*flat, bounds, bounds, length, length, **how).unflatten(0, (rows, length))


@pytest.fixture(autouse=True)
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Transformers find the kernel that is spelt out in the place of the packages."""
    functions: tuple[Callable[..., Any] | None, ...] = (alone, spelt_out, None, None, None)
    monkeypatch.setattr(modeling_flash_attention_utils, "_lazy_imports", lambda *_, **__: functions)
    monkeypatch.setattr(modeling_flash_attention_utils, "_loaded_implementation", None)
    monkeypatch.setattr(PreTrainedModel, "_flash_attn_can_dispatch", lambda *_, **__: True)


@pytest.mark.parametrize(
    ("family", "attention"),
    [
        ("llama", "flash_attention_2"),
        ("llama", "flash_attention_3"),
        ("llama", "flash_attention_4"),
        ("mistral", "flash_attention_4"),
        ("gemma2", "flash_attention_4"),
        ("gemma3_text", "flash_attention_2"),
        ("gpt_neox", "flash_attention_2"),
        ("phi3", "flash_attention_3"),
    ],
)
def test_a_packed_document_is_as_if_alone(family: str, attention: str) -> None:
    model = build(family, SHAPES[family], attention)
    by = isolation(model.config.to_dict(), attention).by
    assert by == "varlen"
    assert worst(model, by) < 2e-5


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2"])
def test_several_packed_rows_are_what_eager_makes_of_them(family: str) -> None:
    """Transformers would look for documents in one row only."""
    from ft_core.train.isolation import model_inputs

    ids = torch.randint(3, 96, (2, 12), generator=torch.Generator().manual_seed(1))
    places = torch.tensor([[*range(7), *range(5)], [*range(12)]])
    batch = {"input_ids": ids, "position_ids": places, "document_ids": torch.ones(2, 12)}
    with torch.no_grad():
        theirs = build(family, SHAPES[family], "eager")(**model_inputs(batch, "positions")).logits
        ours = build(family, SHAPES[family], "flash_attention_2")(**model_inputs(batch, "varlen")).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-5)


def test_documents_of_several_rows_leak_where_nobody_says_where_they_begin() -> None:
    from ft_core.train.isolation import model_inputs

    ids = torch.randint(3, 96, (2, 12), generator=torch.Generator().manual_seed(1))
    places = torch.tensor([[*range(7), *range(5)], [*range(12)]])
    batch = {"input_ids": ids, "position_ids": places, "document_ids": torch.ones(2, 12)}
    model = build("llama", WIDE, "flash_attention_2")
    with torch.no_grad():
        told = model(**model_inputs(batch, "varlen")).logits
        untold = model(**model_inputs(batch, "positions")).logits
    assert (told - untold)[0, 7:].abs().max() > 0.1
