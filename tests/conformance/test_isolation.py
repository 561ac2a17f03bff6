"""CORRECTNESS 2, 3 and 4: a packed document is computed as if it were alone, in every family and in train mode.

Models are tiny and random (`tests.conformance.families`); windows are shorter than the documents, so that a window counts too.
"""

from __future__ import annotations

import contextlib
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from packaging.version import Version

from ft_core.data import Sample
from ft_core.data.collate import PackCollator
from ft_core.errors import ModelError
from ft_core.models.attention import isolation
from ft_core.train.isolation import check_isolation, leaked_share, model_inputs
from tests.conformance.families import FALCON, HEADS, SHAPES, WIDE, WINDOW

VOCABULARY = 96
CPU = torch.device("cpu")
OLD_FALCON = ["falcon"] if Version(transformers.__version__) < Version("5.24") else []
"""Transformers 5.24 keeps its documents apart by positions; before it, they leaked."""

KEPT_APART: dict[str, tuple[dict[str, Any], str]] = {
    family: (dict(SHAPES[family]), names)
    for family, names in {
        "llama": "sdpa eager",
        "mistral": "sdpa eager",
        "mixtral": "sdpa eager",
        "qwen2": "sdpa eager",
        "qwen2_moe": "sdpa eager",
        "qwen3": "sdpa eager",
        "qwen3_moe": "sdpa eager",
        "gemma": "sdpa eager",
        "gemma2": "eager",
        "gemma3_text": "sdpa eager",
        "phi": "sdpa eager",
        "phi3": "sdpa eager",
        "smollm3": "sdpa eager",
        "starcoder2": "sdpa eager",
        "stablelm": "sdpa eager",
        "gpt_neox": "sdpa eager",
        "gpt2": "sdpa eager",
        "gptj": "eager",
        "falcon": "sdpa eager",
        "mpt": "eager",
        "opt": "sdpa eager",
    }.items()
}
REFUSED: dict[str, dict[str, Any]] = {
    **{family: dict(SHAPES[family]) for family in ("jamba", "rwkv", "mamba", "bloom")},
    "falcon": {**FALCON, "alibi": True},
    "gpt_oss": {**WINDOW, **HEADS, "num_local_experts": 4, "num_experts_per_tok": 2},
}
PATHS = [(family, attention) for family, (_, names) in KEPT_APART.items() for attention in names.split()]


def build(family: str, shape: dict[str, Any], attention: str) -> Any:
    """Return a random model without dropout, whose weights are large enough for every token to matter."""
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        family, vocab_size=VOCABULARY, pad_token_id=0, bos_token_id=1, eos_token_id=2, **shape
    )
    for name, value in vars(config).items():
        if "drop" in name and isinstance(value, float):
            setattr(config, name, 0.0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation=attention, dtype=torch.float32)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.normal_(0, 0.15)
    return model.train()


def documents() -> list[Sample]:
    """Return three documents, of 9, 7 and 5 tokens."""
    random = np.random.default_rng(1)
    return [
        Sample(ids, ids, (), row, "rows.jsonl")
        for row, ids in enumerate(random.integers(3, VOCABULARY, size) for size in (9, 7, 5))
    ]


def worst(model: Any, by: Any, **broken: Any) -> float:
    """Return the largest difference of a logit between a packed document and the same one alone.

    `broken` replaces what the model is called with; ``...`` takes it away.
    """
    samples = documents()
    batch: dict[str, Any] = PackCollator(pad_token_id=0, length=24)([samples])
    del batch["labels"]
    inputs = {**model_inputs(batch, by), **broken}
    with torch.no_grad():
        packed = model(**{name: value for name, value in inputs.items() if value is not ...}).logits[0]
        start, found = 0, 0.0
        for sample in samples:
            alone = model(input_ids=torch.tensor(sample.input_ids)[None].long(), use_cache=False).logits[0]
            found = max(found, (packed[start : start + len(sample)] - alone).abs().max().item())
            start += len(sample)
    return found


def by(model: Any, attention: str) -> Any:
    return isolation(model.config.to_dict(), attention).by


@pytest.mark.parametrize(("family", "attention"), PATHS)
def test_a_packed_document_is_as_if_alone(family: str, attention: str) -> None:
    model = build(family, KEPT_APART[family][0], attention)
    assert worst(model, by(model, attention)) < 2e-5


@pytest.mark.parametrize(
    "family", [family for family in KEPT_APART if family not in ("falcon", "mpt", "opt")]
)
def test_documents_leak_where_the_cache_is_left_at_its_default(family: str) -> None:
    """The bug that this is about, to see that the test above would see it."""
    shape, attention = KEPT_APART[family][0], KEPT_APART[family][1].split()[0]
    model = build(family, shape, attention)
    assert worst(model, by(model, attention), use_cache=...) > 0.1


@pytest.mark.parametrize(
    "broken",
    [
        {"attention_mask": torch.ones(1, 24, dtype=torch.int64)},
        {"attention_mask": torch.tensor([[1] * 9 + [2] * 7 + [3] * 5 + [0] * 3])},
        {"position_ids": torch.arange(24)[None]},
        {"position_ids": ...},
    ],
    ids=["mask of ones", "mask of document numbers", "positions that run on", "no positions"],
)
def test_documents_leak_in_llama_with(broken: dict[str, Any]) -> None:
    assert worst(build("llama", WIDE, "sdpa"), "positions", **broken) > 0.1


@pytest.mark.parametrize("family", ["mpt", "opt", *OLD_FALCON])
def test_documents_leak_by_positions_in(family: str) -> None:
    """Why these get a mask of documents."""
    model = build(family, KEPT_APART[family][0], "eager")
    assert worst(model, "positions") > 0.1


@pytest.mark.parametrize("family", ["mistral", "gemma2", "gemma3_text"])
def test_a_mask_of_documents_breaks_the_window_of(family: str) -> None:
    """Why no other family gets one."""
    model = build(family, KEPT_APART[family][0], "eager")
    assert worst(model, "mask") > 0.1


@pytest.mark.parametrize("family", REFUSED)
def test_what_is_refused_leaks(family: str) -> None:
    model = build(family, REFUSED[family], "eager")
    assert by(model, "eager") is None
    if family == "falcon" and not OLD_FALCON:
        return
    with torch.no_grad():
        assert leaked_share(model.eval(), "positions", CPU) > 0.01


def check(model: Any, how: Any) -> None:
    check_isolation(model, how, compute="fp32", device=CPU, autocast=contextlib.nullcontext())


@pytest.mark.parametrize(
    ("family", "how"), [("llama", "positions"), ("mistral", "positions"), ("mpt", "mask")]
)
def test_a_model_that_isolates_passes_the_check_before_training(family: str, how: str) -> None:
    model = build(family, KEPT_APART[family][0], "eager")
    check(model, how)
    assert model.training


def test_a_model_that_leaks_is_found_out_before_training() -> None:
    """As a family that nobody has looked at would be, or one that a new version of Transformers changed."""
    model = build("mpt", {**KEPT_APART["mpt"][0], "d_model": 32}, "eager")
    with pytest.raises(ModelError) as error:
        check(model, "positions")
    assert str(error.value.message).startswith(
        "'sample_packing' cannot be used with this model: the documents of a row change each other, by 1 of what"
    )
    assert "group_by_length" in error.value.fix
    assert model.training
