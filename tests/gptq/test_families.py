"""Every family that gptqmodel can quantise trains an adapter beside the quantised layers.

A few of them in every test run; all with ``FT_TEST_RECORD=tests/gptq/families.json python -m pytest tests/gptq/test_families.py``,
which writes down what worked for the page of models (`tests.conformance.models_page`).
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.conformance.families import FAMILIES, write_model
from tests.conformance.trained import assert_trained, config_of, train

pytest.importorskip("gptqmodel")

FILE = os.environ.get("FT_TEST_RECORD")
CANNOT = ("BTLM", "Cerebras", "Falcon", "Jamba", "MPT", "Mamba", "Qwen 2 MoE", "RWKV")
"""Families that optimum and gptqmodel do not quantise, or not at this size, and those that are refused."""

SOME = ("Mixtral", "Pythia")
IDS = range(3, 259)
KEYS: dict[str, Any] = {"adapter": "lora", "gptq": True}


@pytest.fixture(scope="module")
def record() -> Iterator[dict[str, dict[str, Any]]]:
    """Return what worked, by family, which is written down at the end."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    worked: dict[str, dict[str, Any]] = {}
    yield worked
    gc.unfreeze()
    torch.set_num_threads(threads)
    if FILE:
        packages = ("gptqmodel", "optimum", "torch", "transformers", "peft")
        versions = {package: importlib.metadata.version(package) for package in packages}
        Path(FILE).write_text(
            json.dumps({"device": "a CPU", "versions": versions, "worked": worked}, indent=1) + "\n"
        )


def quantised(folder: Path) -> Path:
    """Quantise the model in a folder to 4 bit by GPTQ, and return the folder of the other."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, GPTQConfig

    random = torch.Generator().manual_seed(0)
    rows = [torch.randint(IDS[0], IDS[-1], (1, 64), generator=random) for _ in range(4)]
    settings = GPTQConfig(
        bits=4,
        group_size=32,
        dataset=[{"input_ids": row, "attention_mask": torch.ones_like(row)} for row in rows],
        tokenizer=AutoTokenizer.from_pretrained(folder),
        model_seqlen=64,
        backend="gptq_torch",
    )
    model: Any = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=settings, device_map={"": "cpu"}, dtype=torch.float32
    )
    model.config.quantization_config.dataset = None
    target = folder.with_name(f"{folder.name}, GPTQ")
    model.save_pretrained(target)
    AutoTokenizer.from_pretrained(folder).save_pretrained(target)
    return target


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, family in FAMILIES.items()
        if family.code != "tokenizer" and name not in CANNOT and (FILE or name in SOME)
    ],
)
def test_an_adapter_trains_beside_quantised_layers(
    name: str,
    record: dict[str, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = tmp_path / name
    write_model(FAMILIES[name], whole)
    config = config_of(quantised(whole), KEYS)
    seen = train(config, tmp_path, "run", monkeypatch)
    assert_trained(seen, config)
    assert any(hasattr(module, "qweight") for module in seen.model.modules())
    record[name] = {"GPTQ": {"losses": [round(loss, 4) for loss in seen.losses]}}
