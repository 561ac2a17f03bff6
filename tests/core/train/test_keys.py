"""No key of the config is accepted and then ignored."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ft_core
from ft_core.config import Config, Dataset
from ft_core.config.keys import is_planned

WITHOUT_EFFECT = {
    "tokenizer_type": "the checkpoint names its class; another name is a warning",
    "lora_fan_in_fan_out": "documented as accepted without effect: PEFT finds out by the layer's class",
    "strict": "documented as accepted without effect",
    "plugins": "keys of the accepted ones work without them, and others are refused",
    "sample_packing_group_size": "documented as accepted without effect",
    "hf_use_auth_token": "documented as accepted without effect",
    "preprocess_shards": "documented as accepted without effect",
    "pretrain_multipack_attn": "true is what always happens; false is a warning",
    "pretraining_dataset": "becomes entries of datasets as the config is loaded",
    "input_transform": "it has one value",
    "gpu_memory_limit": "a merge takes no memory of a GPU; beside training it is a warning",
    "lora_on_cpu": "true is what always happens",
    "metric_for_best_model": "both its values name the loss",
}
"""Keys that only the config itself reads, and why that is no silence."""


def attributes_read(*packages: str) -> set[str]:
    """Return the name of every attribute that the code of `packages` reads."""
    root = Path(ft_core.__file__).parent
    files = [file for package in packages for file in (root / package).rglob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


READ = attributes_read("models", "data", "train", "launch")


@pytest.mark.parametrize("key", sorted(key for key in Config.model_fields if not is_planned(key)))
def test_every_key_is_read(key: str) -> None:
    assert (key in READ) != (key in WITHOUT_EFFECT)


@pytest.mark.parametrize(
    "key", sorted(key for key in Dataset.model_fields if not is_planned(key, "datasets"))
)
def test_every_key_of_a_dataset_is_read(key: str) -> None:
    assert (key in READ) != (key in WITHOUT_EFFECT)
