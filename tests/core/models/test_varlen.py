"""Attention over documents: that of each document alone, in every family, with torch's kernel spelt out in its place."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ft_core.models import varlen
from ft_core.models.attention_paths import TELLS_BOUNDS
from ft_core.train.isolation import model_inputs
from tests.conformance.test_isolation import HEADS, KEPT_APART, VOCABULARY, WIDE, build, worst

SHAPES = {family: KEPT_APART[family][0] if family in KEPT_APART else WIDE for family in TELLS_BOUNDS}
FAMILIES = [family for family in TELLS_BOUNDS if family != "gemma2"]
"""Gemma 2 caps its scores, which torch's kernel cannot."""


def spelt_out(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bounds: torch.Tensor,
    longest: int,
    *,
    scale: float | None,
    window_size: tuple[int, int],
) -> torch.Tensor:
    """Compute one document after the other, as torch's kernel is documented to."""
    assert query.dtype == key.dtype == value.dtype
    assert window_size[1] == 0
    assert longest == bounds.diff().max()
    assert (int(bounds[0]), int(bounds[-1])) == (0, len(query))
    documents = []
    for start, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        part = [each[start:end].transpose(0, 1)[None] for each in (query, key, value)]
        place = torch.arange(end - start)
        before = place[:, None] - place
        seen = (before >= 0) & ((before <= window_size[0]) | (window_size[0] < 0))
        out = F.scaled_dot_product_attention(*part, attn_mask=seen, scale=scale, enable_gqa=True)
        documents.append(out[0].transpose(0, 1))
    return torch.cat(documents)


@pytest.fixture(autouse=True)
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    varlen.register()
    monkeypatch.setattr(varlen, "_kernel", spelt_out)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_document_is_as_if_alone(family: str) -> None:
    assert worst(build(family, SHAPES[family], "varlen"), "varlen") < 2e-5


@pytest.mark.parametrize("family", FAMILIES)
def test_logits_are_those_of_sdpa(family: str) -> None:
    """A document alone might be wrong in the same way as the packed one: a scale or a window that is not handed on."""
    ids = torch.randint(3, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(1))
    places = torch.tensor([[*range(7), *range(5)], [*range(12)]])
    inputs = {"input_ids": ids, "position_ids": places, "use_cache": False}
    batch = {**inputs, "document_ids": torch.ones(2, 12)}
    with torch.no_grad():
        theirs = build(family, SHAPES[family], "sdpa")(**inputs).logits
        ours = build(family, SHAPES[family], "varlen")(**model_inputs(batch, "varlen")).logits
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-5)


def test_documents_leak_where_nobody_says_where_they_begin() -> None:
    assert worst(build("llama", WIDE, "varlen"), "positions") > 0.1


@pytest.mark.parametrize("broken", [{"cu_seq_lens_q": torch.tensor([0, 9, 15, 21, 24], dtype=torch.int32)}])
def test_a_bound_in_the_wrong_place_is_seen(broken: dict[str, Any]) -> None:
    assert worst(build("llama", WIDE, "varlen"), "varlen", **broken) > 0.1


def test_gradients_are_those_of_sdpa_with_recomputed_layers() -> None:
    """Recomputing hands the bounds on to each layer again."""
    ids = torch.randint(3, VOCABULARY, (1, 12), generator=torch.Generator().manual_seed(1))
    places = torch.tensor([[*range(7), *range(5)]])
    gradients = []
    for attention, by in (("sdpa", "positions"), ("varlen", "varlen")):
        model = build("llama", WIDE, attention)
        model.gradient_checkpointing_enable()
        batch = {"input_ids": ids, "position_ids": places, "document_ids": torch.ones(1, 12)}
        model(**model_inputs(batch, by)).logits.square().sum().backward()
        gradients.append(model.model.layers[0].self_attn.k_proj.weight.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text"])
def test_padded_rows_and_generation_are_those_of_sdpa(family: str) -> None:
    ids = torch.randint(3, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    made = []
    for attention in ("sdpa", "varlen"):
        model = build(family, SHAPES[family], attention).eval()
        with torch.no_grad():
            padded = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()]
            plain = model(input_ids=ids, use_cache=False).logits
            text = model.generate(ids, max_new_tokens=8, do_sample=False)
        made.append((padded, plain, text))
    (padded, plain, text), theirs = made[1], made[0]
    torch.testing.assert_close(padded, theirs[0])
    torch.testing.assert_close(plain, theirs[1])
    assert text.tolist() == theirs[2].tolist()


def test_autocast_says_the_format_where_rotary_positions_made_it_fp32(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    formats: set[torch.dtype] = set()

    def watched(*tensors: Any, **how: Any) -> torch.Tensor:
        formats.update(each.dtype for each in tensors[:3])
        return spelt_out(*tensors, **how)

    monkeypatch.setattr(varlen, "_kernel", watched)
    model = build("llama", {**WIDE, **HEADS}, "varlen")
    batch = {
        "input_ids": torch.arange(3, 12)[None],
        "position_ids": torch.arange(9)[None],
        "document_ids": torch.ones(1, 9),
    }
    with torch.autocast("cpu", torch.bfloat16):
        model(**model_inputs(batch, "varlen"))
    assert formats == {torch.bfloat16}
