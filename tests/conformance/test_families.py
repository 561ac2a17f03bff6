"""Every cell of the page of models: what it says works is trained here, and what it says is refused is refused, in these words.

Tiny random models go through the product's own path, from the config to the saved model, in this process.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.errors import FtError
from ft_core.models.adapter import count_trained
from ft_core.models.hardware import Hardware
from ft_core.models.load import attention_of, load_model
from ft_core.models.skeleton import outline_of
from ft_core.train.packing import require_isolation
from tests.conformance.families import FAMILIES
from tests.conformance.matrix import CPU, H100, WAYS, Cell, as_quantised, cells, keys_of, offline
from tests.conformance.models_page import PAGE
from tests.conformance.models_page import page as written
from tests.conformance.trained import Trained, assert_trained, config_of, train

NAMES = [(family, way) for family in FAMILIES for way in WAYS]
IDS = torch.arange(3, 23)[None]


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    """Let tiny models not wait for a second thread, and Trainer's garbage collection not look at what was imported."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    gc.freeze()
    yield
    gc.unfreeze()
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that `page` writes the tiny model of each family into."""
    return tmp_path_factory.mktemp("families")


@pytest.fixture(scope="module")
def page(quick: None, models: Path) -> dict[tuple[str, str], Cell]:
    """Return the cells of the page, by family and way."""
    return {(cell.family.name, cell.way.name): cell for cell in cells(models)}


@pytest.fixture(scope="module")
def trained(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Trained]:
    """Return a function that trains a family in a way, once however often it is asked."""

    @cache
    def run(family: str, way: str) -> Trained:
        config = config_of(models / family, keys_of(FAMILIES[family], WAYS[way]))
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FT_PREPARED_DIR", str(tmp_path_factory.mktemp("prepared")))
            return train(config, tmp_path_factory.mktemp("runs"), "run", patch)

    return run


@pytest.mark.parametrize(("family", "way"), NAMES, ids=map("-".join, NAMES))
def test_cell(
    family: str,
    way: str,
    page: dict[tuple[str, str], Cell],
    models: Path,
    trained: Callable[[str, str], Trained],
) -> None:
    cell = page[family, way]
    if cell.refusal:
        assert refused(models / family, cell) == cell.refusal
    elif cell.way.on == "cpu":
        seen = trained(*cell.run)
        config = config_of(models / family, cell.keys)
        assert_trained(seen, config)
        asked = cell.keys.get("attn_implementation")
        assert asked in (None, seen.told["attention"])
        assert_reloads(seen, config)


def test_the_page_is_what_the_product_says(models: Path, page: dict[tuple[str, str], Cell]) -> None:
    """If not: ``python -m tests.conformance.models_page > docs/reference/models.md``."""
    assert PAGE.read_text(encoding="utf-8") == written(models, tuple(page.values()))


def load_for_rows(config: Any, hardware: Hardware) -> None:
    """Load a model, and look for what keeps its rows' documents apart, as a run does before it trains."""
    model = load_model(config, hardware=hardware)
    require_isolation(config, model.config.to_dict(), attention_of(model))


def refused(folder: Path, cell: Cell) -> str:
    """Return the sentence with which a run ends before it trains: as its model is loaded, or as its rows are packed."""
    config = config_of(as_quantised(folder) if cell.way.on == "gptq" else folder, cell.keys)
    with offline(), pytest.raises(FtError) as raised:
        load_for_rows(config, H100 if cell.way.on == "cuda" else CPU)
    problems = getattr(raised.value, "problems", ())
    return problems[0].message if problems else raised.value.message.rstrip(".")


def assert_reloads(seen: Trained, config: Any) -> None:
    """Assert that what was saved is what was trained, and that the plan counts what trains."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    assert seen.run is not None
    if not config.adapter:
        again: Any = AutoModelForCausalLM.from_pretrained(
            seen.run.final, trust_remote_code=config.trust_remote_code
        )
        theirs, ours = dict(again.named_parameters()), dict(seen.model.named_parameters())
        assert theirs.keys() == ours.keys()
        assert [name for name, weight in theirs.items() if not torch.equal(weight, ours[name])] == []
        return
    base = load_model(config)
    assert seen.told["trainable_parameters"] == count_trained(config, outline_of(base))
    again = PeftModel.from_pretrained(base, seen.run.final)
    with torch.no_grad():
        theirs, ours = (model.eval()(input_ids=IDS, use_cache=False).logits for model in (again, seen.model))
    torch.testing.assert_close(theirs, ours)
