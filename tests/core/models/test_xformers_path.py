"""Attention by the package xformers: that of each document alone, with its kernel spelt out over its own masks."""

from __future__ import annotations

import types
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from ft_core.models import xformers_path
from tests.conformance.test_isolation import VOCABULARY, WIDE, build, worst
from tests.core.models.test_varlen import SHAPES


class Documents:
    """What xformers' mask of documents says: how long each is, and how far back its tokens see."""

    def __init__(self, lengths: list[int], window: int | None = None) -> None:
        self.lengths = lengths
        self.window = window

    @classmethod
    def from_seqlens(cls, lengths: list[int], device: torch.device) -> Documents:
        assert device == torch.device("cpu")
        return cls(lengths)

    def make_local_attention(self, window: int) -> Documents:
        return Documents(self.lengths, window)

    def allowed(self) -> torch.Tensor:
        """Return which token sees which, ``[tokens, tokens]``."""
        document = torch.repeat_interleave(torch.tensor(self.lengths))
        place = torch.arange(sum(self.lengths))
        before = place[:, None] - place
        near = before < (self.window or len(place))
        return (document[:, None] == document) & (before >= 0) & near


def spelt_out(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    bias: Documents,
    *,
    scale: float | None,
    dropout: float,
) -> torch.Tensor:
    """Compute what xformers does, over the mask that `bias` stands for."""
    assert query.shape == key.shape == value.shape
    assert query.dtype == key.dtype == value.dtype
    assert dropout == 0
    heads = [each.transpose(0, 1)[None] for each in (query, key, value)]
    out = F.scaled_dot_product_attention(*heads, attn_mask=bias.allowed(), scale=scale)
    return out[0].transpose(0, 1)


@pytest.fixture(autouse=True)
def on_the_host(monkeypatch: pytest.MonkeyPatch) -> list[Documents]:
    """Put the kernel and the masks that are spelt out in the place of xformers' own, and return the masks that were used."""
    xformers_path.register()
    xformers_path._bias.cache_clear()
    used: list[Documents] = []

    def kernel(*tensors: Any, **how: Any) -> torch.Tensor:
        used.append(tensors[3])
        return spelt_out(*tensors, **how)

    masks = types.SimpleNamespace(BlockDiagonalCausalMask=Documents)
    monkeypatch.setattr(xformers_path, "importlib", types.SimpleNamespace(import_module=lambda name: masks))
    monkeypatch.setattr(xformers_path, "_kernel", kernel)
    return used


@pytest.mark.parametrize("family", ["llama", "mistral", "gemma3_text", "gpt_neox"])
def test_a_packed_document_is_as_if_alone(family: str) -> None:
    assert worst(build(family, SHAPES[family], "xformers"), "varlen") < 2e-5


def test_documents_leak_where_nobody_says_where_they_begin() -> None:
    assert worst(build("llama", WIDE, "xformers"), "positions") > 0.1


def rows() -> tuple[torch.Tensor, torch.Tensor]:
    """Return two rows of token ids and their mask, the second padded by four."""
    ids = torch.randint(3, VOCABULARY, (2, 12), generator=torch.Generator().manual_seed(1))
    mask = torch.ones_like(ids)
    mask[1, 8:] = 0
    return ids, mask


@pytest.mark.parametrize(
    ("family", "windows"), [("llama", {None}), ("mistral", {4}), ("gemma3_text", {None, 4})]
)
def test_padded_rows_are_those_of_sdpa_without_a_mask(
    family: str, windows: set[int | None], on_the_host: list[Documents]
) -> None:
    """No real token looks at padding on its right, so rows are documents of one length."""
    ids, mask = rows()
    made: list[torch.Tensor] = []
    with torch.no_grad():
        for attention in ("sdpa", "xformers"):
            model = build(family, SHAPES[family], attention).eval()
            made.append(model(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()])
    torch.testing.assert_close(made[1], made[0], rtol=1e-4, atol=2e-5)
    assert {bias.window for bias in on_the_host} == windows
    assert {tuple(bias.lengths) for bias in on_the_host} == {(12, 12)}


@pytest.mark.parametrize("family", ["llama", "mistral"])
def test_padding_on_the_left_and_generation_are_those_of_sdpa(
    family: str, on_the_host: list[Documents]
) -> None:
    ids, mask = rows()
    mask = mask.flip(1)
    made: list[tuple[torch.Tensor, torch.Tensor]] = []
    for attention in ("sdpa", "xformers"):
        model = build(family, SHAPES[family], attention).eval()
        with torch.no_grad():
            padded = model(input_ids=ids, attention_mask=mask, use_cache=False).logits[mask.bool()]
        calls = len(on_the_host)
        text = model.generate(ids, attention_mask=mask, max_new_tokens=6, do_sample=False)
        made.append((padded, text))
    assert calls == 0
    torch.testing.assert_close(made[1][0], made[0][0])
    assert made[1][1].tolist() == made[0][1].tolist()


def test_layers_share_a_mask_of_documents(on_the_host: list[Documents]) -> None:
    """The host waits for where documents begin, once for a batch and not in each layer."""
    worst(build("llama", WIDE, "xformers"), "varlen")
    packed = [bias for bias in on_the_host if bias.lengths != [24]]
    assert packed[0] is packed[1]
    assert packed[0].lengths == [9, 7, 5, 3]


def test_gradients_are_those_of_sdpa_with_recomputed_layers() -> None:
    from ft_core.train.isolation import model_inputs

    ids = torch.randint(3, VOCABULARY, (1, 12), generator=torch.Generator().manual_seed(1))
    places = torch.tensor([[*range(7), *range(5)]])
    gradients: list[torch.Tensor] = []
    for attention, by in (("sdpa", "positions"), ("xformers", "varlen")):
        model = build("llama", WIDE, attention)
        model.gradient_checkpointing_enable()
        batch = {"input_ids": ids, "position_ids": places, "document_ids": torch.ones(1, 12)}
        model(**model_inputs(batch, by)).logits.square().sum().backward()
        gradients.append(model.model.layers[0].self_attn.k_proj.weight.grad)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-4, atol=1e-3)
