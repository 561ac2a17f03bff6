from __future__ import annotations

from typing import Any

import pytest

from ft_core.models.attention import isolation


@pytest.mark.parametrize(
    ("model_config", "attention", "by"),
    [
        ({"model_type": "llama"}, "sdpa", "positions"),
        ({"model_type": "llama"}, "flash_attention_2", "varlen"),
        ({"model_type": "llama"}, "flash_attention_4", "varlen"),
        ({"model_type": "llama"}, "xformers", "varlen"),
        ({"model_type": "llama"}, "flex_attention", "positions"),
        ({"model_type": "stablelm"}, "flash_attention_2", "positions"),
        ({"model_type": "llama"}, "varlen", "varlen"),
        ({"model_type": "some-new-family"}, "sdpa", "positions"),
        ({}, "sdpa", "positions"),
        ({"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}, "sdpa", "positions"),
        ({"model_type": "falcon", "alibi": False}, "sdpa", "mask"),
        ({"model_type": "mpt"}, "eager", "mask"),
        ({"model_type": "opt"}, "sdpa", "mask"),
    ],
)
def test_what_keeps_documents_apart(model_config: dict[str, Any], attention: str, by: str) -> None:
    found = isolation(model_config, attention)
    assert (found.by, found.reason) == (by, "")


@pytest.mark.parametrize(
    ("model_config", "attention", "reason"),
    [
        (
            {"model_type": "jamba"},
            "sdpa",
            "its layers carry a state from each document of a row into the next",
        ),
        (
            {"model_type": "rwkv"},
            "eager",
            "its layers carry a state from each document of a row into the next",
        ),
        (
            {"model_type": "qwen3_5", "text_config": {"model_type": "qwen3_5_text"}},
            "sdpa",
            "its layers carry a state from each document of a row into the next",
        ),
        (
            {"model_type": "falcon", "alibi": True},
            "eager",
            "it computes the distances between tokens from a mask in which a row is one document",
        ),
        (
            {"model_type": "falcon"},
            "flash_attention_2",
            "it needs a mask of documents, which 'flash_attention_2' does not take",
        ),
        (
            {"model_type": "gpt_oss"},
            "eager",
            "its mask does not look at where the documents of a row begin",
        ),
    ],
)
def test_what_cannot(model_config: dict[str, Any], attention: str, reason: str) -> None:
    found = isolation(model_config, attention)
    assert (found.by, found.reason) == (None, reason)
