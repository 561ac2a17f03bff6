from __future__ import annotations

from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from ft_core.models.parameters import positions
from ft_core.models.positions import FIXED, ends_at_positions, has_no_positions, is_stretched

LIMIT = 32
SHAPE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "vocab_size": 100,
    "max_position_embeddings": LIMIT,
}
GPT: dict[str, Any] = {"n_embd": 64, "n_head": 4, "n_layer": 1, "vocab_size": 100, "n_positions": LIMIT}
FAMILIES: dict[str, dict[str, Any]] = {
    "biogpt": SHAPE,
    "bloom": {"hidden_size": 64, "n_layer": 1, "n_head": 4, "vocab_size": 100},
    "codegen": {**GPT, "rotary_dim": 8, "n_ctx": LIMIT},
    "ctrl": {**GPT, "dff": 64},
    "falcon": {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4, "vocab_size": 100},
    "gemma2": {**SHAPE, "num_key_value_heads": 2, "head_dim": 16},
    "gpt2": GPT,
    "gpt_bigcode": GPT,
    "gpt_neo": {
        "hidden_size": 64,
        "num_layers": 1,
        "num_heads": 4,
        "attention_types": [[["global"], 1]],
        "vocab_size": 100,
        "max_position_embeddings": LIMIT,
    },
    "gpt_neox": SHAPE,
    "gptj": {**GPT, "rotary_dim": 8},
    "llama": SHAPE,
    "mistral": {**SHAPE, "num_key_value_heads": 2},
    "mpt": {"d_model": 64, "n_layers": 1, "n_heads": 4, "vocab_size": 100, "max_seq_len": LIMIT},
    "openai-gpt": GPT,
    "opt": {**SHAPE, "ffn_dim": 64, "word_embed_proj_dim": 64},
    "phi": SHAPE,
    "phi3": {**SHAPE, "pad_token_id": 0},
    "qwen2": {**SHAPE, "num_key_value_heads": 2},
    "stablelm": {**SHAPE, "num_key_value_heads": 4},
    "starcoder2": {**SHAPE, "num_key_value_heads": 2},
    "xglm": {"d_model": 64, "num_layers": 1, "attention_heads": 4, "ffn_dim": 64, "vocab_size": 100,
             "max_position_embeddings": LIMIT},
}  # fmt: skip


@pytest.mark.parametrize("family", FAMILIES)
def test_the_families_that_end_are_those_that_fail_beyond_their_positions(family: str) -> None:
    config = AutoConfig.for_model(family, **FAMILIES[family])
    said = config.to_dict()
    model = AutoModelForCausalLM.from_config(config).eval()

    def reads(length: int) -> bool:
        try:
            model(input_ids=torch.arange(length)[None] % 90 + 5, use_cache=False)
        except (IndexError, RuntimeError):
            return False
        return True

    limit = positions(said) or LIMIT
    longer = 64 if limit == LIMIT else limit + 1
    assert reads(16)
    assert reads(longer) is not ends_at_positions(said)


def test_every_family_that_ends_is_tried() -> None:
    assert set(FIXED) <= set(FAMILIES)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"rope_scaling": None}, False),
        ({"rope_scaling": {"type": "linear", "factor": 2.0}}, True),
        ({"rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, True),
        ({"rope_parameters": {"rope_type": "default"}}, False),
        ({"rope_parameters": {"full_attention": {"rope_type": "linear"}, "sliding_attention": {"rope_type": "default"}}}, True),
        ({"text_config": {"rope_scaling": {"type": "yarn"}}}, True),
        ({"rope_scaling": "far"}, False),
        ({}, False),
    ],
)  # fmt: skip
def test_scaled_rotary_embeddings(config: dict[str, Any], expected: bool) -> None:
    assert is_stretched(config) is expected


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "bloom"}, True),
        ({"model_type": "falcon", "alibi": True}, True),
        ({"model_type": "falcon", "alibi": False}, False),
        ({"model_type": "llama"}, False),
    ],
)
def test_models_that_count_distances(config: dict[str, Any], expected: bool) -> None:
    assert has_no_positions(config) is expected
