"""What an inspector loads before anything is looked at."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ft_core.config import load_config
from ft_core.models.kept_tokenizer import open_tokenizer


def test_neither_torch_nor_transformers_is_imported_with_the_package() -> None:
    code = "import sys, ft_core.inspection.inspection; print({'torch', 'transformers', 'datasets'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "set()\n"


def test_nor_with_a_sample_whose_tokenizer_is_kept(
    tiny_model: Path, dictionary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    config = {
        "base_model": str(tiny_model),
        "learning_rate": 1e-3,
        "datasets": [{"path": str(dictionary), "type": "chat_template"}],
    }
    open_tokenizer(load_config(config))
    code = (
        "import sys; from ft_core.config import load_config; from ft_core.inspection.inspection import open_inspection; "
        f"looked = open_inspection(load_config({config!r})).look(0); "
        "print(len(looked.samples[0].sample) > 0, {'torch', 'transformers', 'datasets'} & set(sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "True set()\n"
