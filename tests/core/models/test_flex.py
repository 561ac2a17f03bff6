"""Flex attention over Transformers' mask of documents, uncompiled: that of each document alone, capped scores too."""

from __future__ import annotations

import functools

import pytest
import torch
from torch.nn.attention import flex_attention
from transformers import AttentionInterface, masking_utils

from ft_core.models import flex
from ft_core.models.varlen import format_of
from tests.conformance.test_isolation import KEPT_APART, build, worst

KERNEL = flex_attention.flex_attention


@pytest.fixture(autouse=True)
def uncompiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile nothing, which would take a minute, and put back what Transformers had."""
    monkeypatch.setattr(flex_attention, "_FLEX_ATTENTION_DISABLE_COMPILE_DEBUG", True)
    blocks = functools.partial(flex_attention.create_block_mask, _compile=False)
    monkeypatch.setattr(
        masking_utils,
        "create_block_mask",
        lambda *given, **how: blocks(
            *given, **{name: value for name, value in how.items() if name != "_compile"}
        ),
    )
    known = AttentionInterface._global_mapping
    monkeypatch.setitem(known, "flex_attention", functools.partial(flex.attend, KERNEL))


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("family", ["llama", "mistral", "gemma2", "gemma3_text"])
def test_a_packed_document_is_as_if_alone(family: str) -> None:
    assert worst(build(family, KEPT_APART[family][0], "flex_attention"), "positions") < 2e-5


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile:UserWarning")
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_logits_are_those_of_eager(family: str) -> None:
    ids = torch.arange(3, 15)[None]
    places = torch.tensor([[*range(7), *range(5)]])
    with torch.no_grad():
        theirs, ours = (
            build(family, KEPT_APART[family][0], attention)(
                input_ids=ids, position_ids=places, use_cache=False
            ).logits
            for attention in ("eager", "flex_attention")
        )
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize(
    ("heads", "of_keys", "repeated", "shared"), [(4, 4, 4, False), (4, 2, 2, True), (6, 2, 6, False)]
)
def test_keys_are_shared_by_a_power_of_two_of_heads(
    heads: int, of_keys: int, repeated: int, shared: bool
) -> None:
    seen: list[tuple[int, bool]] = []

    def kernel(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, **how: object) -> torch.Tensor:
        assert key.shape == value.shape
        seen.append((key.shape[1], bool(how["enable_gqa"])))
        return query

    query, key = torch.zeros(1, heads, 5, 8), torch.zeros(1, of_keys, 5, 8)
    out, weights = flex.attend(kernel, torch.nn.Identity(), query, key, key, None)  # type: ignore[arg-type]
    assert (out.shape, weights) == ((1, 5, heads, 8), None)
    assert seen == [(repeated, shared)]


def test_all_three_are_in_the_format_of_autocast() -> None:
    formats: set[torch.dtype] = set()

    def kernel(*tensors: torch.Tensor, **how: object) -> torch.Tensor:
        formats.update(each.dtype for each in tensors)
        return tensors[0]

    query, value = torch.zeros(1, 2, 5, 8), torch.zeros(1, 2, 5, 8, dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        assert format_of(value) == torch.bfloat16
        flex.attend(kernel, torch.nn.Identity(), query, query, value, None)  # type: ignore[arg-type]
    assert formats == {torch.bfloat16}


def test_arguments_of_the_compiler_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[dict[str, object]] = []

    def compiled(function: object, **arguments: object) -> object:
        assert function is KERNEL
        given.append(arguments)
        return function

    monkeypatch.setattr(torch, "compile", compiled)
    flex.register({"dynamic": False})
    flex.register()
    assert given == [{"dynamic": False}, {}]
