"""What a run was made with beside its config: versions and chat templates, so that another day's run can be told from it."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config

PACKAGES = (
    "ft-jupyter", "torch", "transformers", "tokenizers", "datasets", "peft", "accelerate", "trl", "bitsandbytes",
    "gptqmodel", "flash-attn", "liger-kernel",
)  # fmt: skip
"""Packages that what a run learns can depend on."""


def versions() -> dict[str, str]:
    """Return the version of Python and of each of `PACKAGES` that is installed."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # noqa: PERF203 - asked once a run
            continue
    return found


def template_digests(config: Config, tokenizer: PreTrainedTokenizerBase) -> dict[str, str]:
    """Return the SHA-256 of each chat template that the datasets are written with, by where it is from.

    A template that changes between two versions of a model trains another model by the same config.
    """
    from ft_core.data import resolve_template

    chats = [dataset for dataset in config.datasets if dataset.type == "chat_template"]
    templates = [resolve_template(config, tokenizer, dataset) for dataset in chats]
    return {template.origin: hashlib.sha256(template.text.encode()).hexdigest() for template in templates}
