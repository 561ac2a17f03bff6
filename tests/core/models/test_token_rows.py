"""Rows of new tokens in every family: what is planned is what PEFT makes, and what it saves says the same again."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoConfig, AutoModelForCausalLM

from ft_core.config import Config
from ft_core.infer.load import adapter_rows, grow_embeddings
from ft_core.models import apply_adapter
from ft_core.models.added_tokens import TokenChanges
from ft_core.models.load import fit_embeddings
from ft_core.models.skeleton import outline_of
from ft_core.models.targets import trained_parameters
from ft_core.models.token_rows import grown, new_rows, refused_rows, token_rows, trained_rows

SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 100,
}

FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {**SHAPE, "tie_word_embeddings": True},
    "mistral": {**SHAPE, "num_key_value_heads": 2},
    "gemma2": {**SHAPE, "num_key_value_heads": 2, "head_dim": 8},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 100, "n_positions": 64},
    "gpt_neox": SHAPE,
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "vocab_size": 100},
    "mpt": {"d_model": 32, "n_layers": 2, "n_heads": 4, "vocab_size": 100},
    "opt": {**SHAPE, "ffn_dim": 48, "word_embed_proj_dim": 32},
    "mixtral": {**SHAPE, "num_key_value_heads": 2, "num_local_experts": 4},
}
"""Family to what its config is made of."""

CHANGES = TokenChanges(added={"<a>": 100, "<b>": 101}, replaced={"<r>": 7}, own_rows=100, rows=102)
IDS = torch.tensor([[1, 7, 100, 3, 101, 7, 2]])


def build(family: str) -> Any:
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(family, **FAMILIES[family]))


def logits(model: Any) -> torch.Tensor:
    model.eval()
    with torch.no_grad():
        return model(input_ids=IDS).logits


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family(family: str, make_config: Callable[..., Config], tmp_path: Path) -> None:
    config = make_config(adapter="lora")
    torch.manual_seed(0)
    base = build(family)
    base.save_pretrained(tmp_path / "base")
    before = outline_of(base)
    rows, new = new_rows(config, CHANGES, 100)
    assert (rows, new) == (102, (7, 100, 101))
    planned = grown(before, rows)
    assert fit_embeddings(base, config, CHANGES) == new
    assert dataclasses.asdict(outline_of(base)) == dataclasses.asdict(planned)

    held = token_rows(config, planned, new)
    assert refused_rows(config, planned, held) == []
    assert list(held) == [
        planned.embedding,
        *([] if planned.output_head in planned.tied else [planned.output_head]),
    ]
    model = apply_adapter(base, config, new)
    trainable = [weight for weight in model.parameters() if weight.requires_grad]
    assert sum(weight.numel() for weight in trainable) == trained_parameters(
        planned, rank=8, target_modules="all-linear"
    ) + trained_rows(planned, held)

    model.train()
    optimizer = torch.optim.SGD(trainable, lr=0.5)
    torch.nn.functional.cross_entropy(model(input_ids=IDS).logits[0, :-1], IDS[0, 1:]).backward()
    optimizer.step()
    model.save_pretrained(tmp_path / "adapter", save_embedding_layers=False)

    again = type(build(family)).from_pretrained(tmp_path / "base")
    assert adapter_rows(tmp_path / "adapter", again) == 102
    grow_embeddings(again, 102)
    loaded: Any = PeftModel.from_pretrained(again, str(tmp_path / "adapter"))
    assert torch.equal(logits(loaded), logits(model))
    merged = loaded.merge_and_unload()
    merged.save_pretrained(tmp_path / "merged")
    whole = type(build(family)).from_pretrained(tmp_path / "merged")
    assert torch.equal(logits(whole), logits(merged))


def test_what_grows_at_the_mean_says_new_tokens_as_often_as_others() -> None:
    model = build("llama")
    old = model.get_input_embeddings().weight.detach().clone()
    grow_embeddings(model, 103)
    weight = model.get_input_embeddings().weight
    assert torch.equal(weight[:100], old)
    assert torch.allclose(weight[100:], old.mean(dim=0).expand(3, -1), atol=1e-7)
    assert model.get_output_embeddings().weight is weight
    grow_embeddings(model, 50)
    assert weight.shape[0] == model.get_input_embeddings().weight.shape[0] == 103
