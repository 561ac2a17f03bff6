"""Every family trains on a GPU in every way that its plan does not refuse, attention by attention.

``FT_TEST_RECORD=tests/gpu/families.json python -m pytest tests/gpu/test_families.py`` writes down what worked, and the page of
models (`tests.conformance.models_page`) goes by that.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import ConfigError
from ft_core.errors import MissingExtra
from ft_core.models.hardware import detect_hardware
from ft_core.train import make_plan
from tests.conformance.families import FAMILIES, write_model
from tests.conformance.matrix import WAYS, Way, first_error, keys_of
from tests.conformance.trained import assert_trained, config_of, train

PACKAGES = ("torch", "transformers", "peft", "bitsandbytes", "xformers", "flash-attn", "flash-attn-4")
CELLS = [
    pytest.param(name, way, id=f"{name}-{way.name}")
    for name, family in FAMILIES.items()
    if family.code != "tokenizer"
    for way in WAYS.values()
    if not way.run
]


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the tiny model of each family."""
    root = tmp_path_factory.mktemp("families")
    for family in FAMILIES.values():
        write_model(family, root / family.name)
    return root


@pytest.fixture(scope="session")
def record() -> dict[str, dict[str, Any]]:
    """Return what worked, by family and way."""
    return {}


def write_down(worked: dict[str, dict[str, Any]]) -> None:
    """Write what worked so far, which outlives tests that are broken off."""
    if file := os.environ.get("FT_TEST_RECORD"):
        versions = {}
        for package in PACKAGES:
            with suppress(importlib.metadata.PackageNotFoundError):
                versions[package] = importlib.metadata.version(package)
        content = {"device": torch.cuda.get_device_name(), "versions": versions, "worked": worked}
        Path(file).write_text(json.dumps(content, indent=1) + "\n")


def planned(folder: Path, keys: dict[str, Any]) -> Any:
    """Return the config of a cell, after its plan; skip the test where that refuses on this machine."""
    try:
        config = config_of(folder, keys)
        make_plan(config, hardware=detect_hardware(), root=folder.parent, exact=False)
    except ConfigError as error:
        problem = first_error(error)
        if problem.key == "sample_packing" and "attn_implementation" in keys:
            # Packing is another cell; the attention may well do with rows of one sample.
            return planned(folder, {key: keys[key] for key in keys if key != "sample_packing"})
        pytest.skip(problem.message)
    except MissingExtra as error:
        pytest.skip(error.message)
    return config


@pytest.mark.parametrize(("name", "way"), CELLS)
def test_it_trains(
    name: str,
    way: Way,
    models: Path,
    record: dict[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = planned(models / name, keys_of(FAMILIES[name], way))
    seen = train(config, tmp_path, "run", monkeypatch)
    assert_trained(seen, config)
    record.setdefault(name, {})[way.name] = {
        "attention": seen.told["attention"],
        "packed": config.sample_packing,
        "losses": [round(loss, 4) for loss in seen.losses],
    }
    write_down(record)
