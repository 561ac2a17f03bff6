from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, ConfigError
from ft_core.models import apply_adapter, load_model
from ft_core.models.load import fit_embeddings
from ft_core.models.tokenizer import load_vocabulary
from ft_core.train.figures import figures
from ft_core.train.plan import make_plan


def counted(config: Config) -> tuple[int, int]:
    """Return the parameters in all, and those that train, of the model as a run makes it."""
    model: Any = load_model(config)
    new = fit_embeddings(model, config, load_vocabulary(config)[1])
    if config.adapter:
        model = apply_adapter(model, config, new)
    every = list(model.parameters())
    return sum(w.numel() for w in every), sum(w.numel() for w in every if w.requires_grad)


@pytest.mark.parametrize(
    ("keys", "words", "training"),
    [
        ({}, "", ""),
        (
            {"tokens": ["<a>", "<b>"]},
            "2 new tokens (<a> <b>), embeddings resized from 49,152 to 49,154",
            "trained: 2 rows of embed_tokens beside the adapter",
        ),
        (
            {"added_tokens_overrides": {"5": "<think>"}},
            "1 overridden token (<think>)",
            "trained: 1 row of embed_tokens beside the adapter",
        ),
        (
            {"tokens": ["<a>"], "adapter": ...},
            "1 new token (<a>), embeddings resized from 49,152 to 49,153",
            "trained with all weights",
        ),
        (
            {"tokens": ["<a>"], "lora_modules_to_save": ["embed_tokens", "lm_head"]},
            "1 new token (<a>), embeddings resized from 49,152 to 49,153",
            "trained: with embed_tokens, lm_head",
        ),
        (
            {"resize_token_embeddings_to_32x": True, "special_tokens": {"eos_token": "<|new|>"}},
            "1 new token (<|new|>), embeddings resized from 49,152 to 49,184",
            "trained: 32 rows of embed_tokens beside the adapter",
        ),
        (
            {"tokens": ["<a>", "<b>", "<c>", "<d>", "<e>"], "peft_trainable_token_indices": [1]},
            "5 new tokens (<a> <b> <c> <d> ...), embeddings resized from 49,152 to 49,157",
            "trained: 6 rows of embed_tokens beside the adapter",
        ),
        (
            {"peft_trainable_token_indices": [1, 2]},
            "no new ones",
            "trained: 2 rows of embed_tokens beside the adapter",
        ),
    ],
)
@pytest.mark.parametrize("exact", [False, True], ids=["files", "model"])
def test_the_plan_says_and_counts_what_becomes_of_the_vocabulary(
    keys: dict[str, Any],
    words: str,
    training: str,
    exact: bool,
    make_config: Callable[..., Config],
    tmp_path: Path,
) -> None:
    config = make_config(**keys)
    plan = make_plan(config, root=tmp_path, exact=exact)
    assert (plan.vocabulary, plan.vocabulary_reason) == (words, training)
    assert [(line.value, line.reason) for line in figures(plan) if line.name == "Vocabulary"] == (
        [(words, training)] if words else []
    )
    assert (plan.parameters, plan.trainable) == counted(config)


def test_a_token_that_is_there_already_is_told(make_config: Callable[..., Config], tmp_path: Path) -> None:
    config = make_config(
        tokens=["<a>", "<|im_start|>"],
        special_tokens={"eos_token": "<|im_end|>", "additional_special_tokens": ["<|im_end|>"]},
    )
    plan = make_plan(config, root=tmp_path)
    assert [(w.key, w.message, w.fix) for w in plan.warnings if "in the vocabulary" in w.message] == [
        (
            "tokens[1]",
            "'<|im_start|>' is in the vocabulary already, with the id 1: nothing is added",
            "remove it",
        ),
        (
            "special_tokens.additional_special_tokens[0]",
            "'<|im_end|>' is in the vocabulary already, with the id 2: nothing is added",
            "remove it",
        ),
    ]


@pytest.mark.parametrize(
    ("keys", "at", "message"),
    [
        (
            {"added_tokens_overrides": {"50": "<a>"}},
            "added_tokens_overrides",
            "'added_tokens_overrides' names the id 50, which is no reserved token of this tokenizer",
        ),
        (
            {"peft_trainable_token_indices": {"embed_tokens": [99999]}},
            "peft_trainable_token_indices",
            "'peft_trainable_token_indices' names the id 99999, and 'embed_tokens' has 49,152 rows",
        ),
        (
            {"tokens": ["<a>"], "lora_target_modules": ["embed_tokens", "q_proj"]},
            "lora_target_modules",
            "'embed_tokens' cannot have both an adapter and rows of new tokens that are trained",
        ),
    ],
)
def test_what_cannot_be_stops_the_plan_at_its_line(
    keys: dict[str, Any], at: str, message: str, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError) as raised:
        make_plan(make_config(**keys), root=tmp_path, exact=True)
    assert [(p.key, p.message) for p in raised.value.problems if p.severity == "error"] == [(at, message)]
