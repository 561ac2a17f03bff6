"""No key of the config is accepted and then ignored."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import ft_core
from ft_core.config import Config, Dataset

WITHOUT_EFFECT = {
    "model_type": "the checkpoint names its class; another name is a warning",
    "tokenizer_type": "the checkpoint names its class; another name is a warning",
    "strict": "documented as accepted without effect",
    "dataset_prepared_path": "documented as accepted without effect; a warning says so",
}
"""Keys that only the config itself reads, and why that is no silence."""


def attributes_read(*packages: str) -> set[str]:
    """Return the name of every attribute that the code of `packages` reads."""
    root = Path(ft_core.__file__).parent
    files = [file for package in packages for file in (root / package).rglob("*.py")]
    trees = [ast.parse(file.read_text(encoding="utf-8")) for file in files]
    return {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


READ = attributes_read("models", "data", "train", "launch")


@pytest.mark.parametrize("key", sorted(Config.model_fields))
def test_every_key_is_read(key: str) -> None:
    assert (key in READ) != (key in WITHOUT_EFFECT)


@pytest.mark.parametrize("key", sorted(Dataset.model_fields))
def test_every_key_of_a_dataset_is_read(key: str) -> None:
    assert key in READ
