"""Every family of models, in every way to train it: the cells of the page of models (`tests.conformance.models_page`).

A cell is what the product says. Each family's tiny model goes through the plan of a run with the column's keys: either the plan
refuses, in a sentence, or a test trains that cell. `tests.conformance.test_families` is parametrized over these cells.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from unittest import mock

from ft_core.config import ConfigError, Problem
from ft_core.errors import FtError
from ft_core.models.hardware import Device, Hardware
from tests.conformance.families import FAMILIES, Family, write_model
from tests.conformance.trained import config_of

QUANTISED = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 64 * GIB, 60 * GIB, cpu_bf16=True)
H100 = Hardware("cuda", (Device("NVIDIA H100", 80 * GIB, 79 * GIB, (9, 0)),), 16, 128 * GIB, 120 * GIB)

LORA: dict[str, Any] = {"adapter": "lora"}
PACKED: dict[str, Any] = {**LORA, "sample_packing": True}


@dataclass(frozen=True)
class Way:
    """A way to train: one column of the page.

    Attributes
    ----------
    name
        The column's head.
    keys
        Keys of the config.
    on
        What it takes: any processor, an NVIDIA GPU, or a base that GPTQ quantised.
    run
        The way whose run shows this one too, so that no test need train it again; itself by default.
    """

    name: str
    keys: Mapping[str, Any]
    on: Literal["cpu", "cuda", "gptq"] = "cpu"
    run: str = ""


def _attention(name: str, attention: str) -> Way:
    return Way(name, {**PACKED, "bf16": True, "attn_implementation": attention}, "cuda")


WAYS = {
    way.name: way
    for way in (
        Way("full fp32", {"bf16": False}),
        Way("full bf16", {"bf16": True, "attn_implementation": "eager"}),
        Way("full fp16", {"bf16": False, "fp16": True}, "cuda"),
        Way("LoRA", LORA),
        Way("QLoRA", {"adapter": "qlora", "load_in_4bit": True}),
        Way("8 bit", {**LORA, "load_in_8bit": True}),
        Way("GPTQ", {**LORA, "gptq": True}, "gptq"),
        Way("packing", PACKED),
        Way("eager", {"bf16": True, "attn_implementation": "eager"}, run="full bf16"),
        Way("sdpa", {**LORA, "attn_implementation": "sdpa"}, run="LoRA"),
        _attention("varlen", "varlen"),
        _attention("flex", "flex_attention"),
        _attention("xformers", "xformers"),
        _attention("flash 2", "flash_attention_2"),
        _attention("flash 4", "flash_attention_4"),
    )
}
"""The columns of the page by name, in their order."""


@dataclass(frozen=True)
class Cell:
    """A family trained in a way.

    Attributes
    ----------
    family, way
        Which, in which way.
    keys
        Keys of the config. Rows are packed by an attention for documents wherever the family lets them be.
    refusal
        The sentence with which the plan of such a run refuses it; empty where it does not.
    """

    family: Family
    way: Way
    keys: Mapping[str, Any]
    refusal: str = ""

    @property
    def name(self) -> str:
        """``Llama, LoRA``."""
        return f"{self.family.name}, {self.way.name}"

    @property
    def run(self) -> tuple[str, str]:
        """The family and the way whose training run shows this cell."""
        # XGen is a Llama; what is its own is the tokenizer, and one run with that is enough.
        twin = self.family.code == "tokenizer" and self.way.name != "LoRA"
        return "Llama" if twin else self.family.name, self.way.run or self.way.name


def cells(root: Path) -> Iterator[Cell]:
    """Write the tiny model of each family into the folder `root`, and return every cell of the page, in its order."""
    with offline():
        for family in FAMILIES.values():
            folder = root / family.name
            write_model(family, folder)
            for way in WAYS.values():
                yield _cell(family, folder, way)


def _cell(family: Family, folder: Path, way: Way) -> Cell:
    keys = keys_of(family, way)
    key, refusal = _refusal(folder, keys, way)
    if key == "sample_packing" and way.on == "cuda":
        # That is another column; the attention may well do with rows of one sample.
        keys.pop("sample_packing")
        _, refusal = _refusal(folder, keys, way)
    return Cell(family, way, keys, refusal)


def _refusal(folder: Path, keys: Mapping[str, Any], way: Way) -> tuple[str, str]:
    """Return the key that the plan of a run refuses and the sentence, or nothing and nothing."""
    from ft_core.train.plan import make_plan

    if way.on == "gptq":
        folder = as_quantised(folder)
    try:
        config = config_of(folder, keys)
        make_plan(config, hardware=H100 if way.on == "cuda" else CPU, root=folder.parent, exact=False)
    except ConfigError as error:
        return first_error(error).key, first_error(error).message
    except FtError as error:
        return "", error.message.rstrip(".")
    return "", ""


def as_quantised(folder: Path) -> Path:
    """Return the folder of a model whose config says that GPTQ quantised it; a plan looks no further."""
    quantised = folder.with_name(f"{folder.name}, GPTQ")
    if not quantised.exists():
        shutil.copytree(folder, quantised)
        content = json.loads((folder / "config.json").read_text())
        (quantised / "config.json").write_text(json.dumps({**content, "quantization_config": QUANTISED}))
    return quantised


def keys_of(family: Family, way: Way) -> dict[str, Any]:
    """Return the keys of a cell's config."""
    return {**way.keys, **({"trust_remote_code": True} if family.code else {})}


def first_error(error: ConfigError) -> Problem:
    """Return the first problem that a config is refused for."""
    return next(problem for problem in error.problems if problem.severity == "error")


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Let the plan answer as if every package were here, ask no hub, and time nothing."""
    with (
        mock.patch("ft_core.models.attention_choice.is_installed", return_value=True),
        mock.patch("ft_core.train.plan.require_packages"),
        mock.patch("ft_core.train.plan.estimate_duration", return_value=None),
        mock.patch.dict(os.environ, {"HF_HUB_OFFLINE": "1"}),
    ):
        yield
