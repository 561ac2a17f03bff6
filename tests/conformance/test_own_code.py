"""Models and tokenizers whose Python code lies beside them (BTLM, XGen), and one whose code changes its weights (RWKV)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from ft_core.errors import ModelError
from ft_core.infer.load import Models
from ft_core.infer.merging import merge_weights
from ft_core.infer.source import find_source
from ft_core.models.load import load_model
from ft_core.models.tokenizer import load_tokenizer
from ft_core.train import make_plan
from tests.conformance.families import FAMILIES, write_model
from tests.conformance.matrix import CPU
from tests.conformance.trained import Trained, config_of, train

LORA: dict[str, Any] = {"adapter": "lora", "trust_remote_code": True}
IDS = torch.arange(3, 23)[None]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model and a tokenizer of own code."""
    root = tmp_path_factory.mktemp("families")
    for name in ("BTLM", "XGen"):
        write_model(FAMILIES[name], root / name)
    return root


@pytest.fixture
def run_of(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Trained]:
    """Return a function that trains a family with the keys that are given."""

    def run(name: str, **keys: Any) -> Trained:
        return train(
            config_of(models / name, {"trust_remote_code": True, **keys}), tmp_path, "run", monkeypatch
        )

    return run


@pytest.mark.parametrize(
    ("name", "what", "load"), [("BTLM", "base model", load_model), ("XGen", "tokenizer", load_tokenizer)]
)
def test_code_is_not_run_unasked(models: Path, name: str, what: str, load: Callable[[Any], Any]) -> None:
    with pytest.raises(ModelError) as raised:
        load(config_of(models / name, {"adapter": "lora"}))
    assert raised.value.message == (
        f"The {what} '{models / name}' needs Python code from its own repository, which is not run unasked."
    )
    assert raised.value.fix == "Read that code, and if you trust it write 'trust_remote_code: true'."


def test_a_run_says_so_too(models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = train(config_of(models / "BTLM", {"adapter": "lora"}), tmp_path, "run", monkeypatch)
    assert seen.run is not None
    assert seen.run.state == "failed"
    assert seen.run.error is not None
    assert "is not run unasked" in seen.run.error.message


def test_a_plan_takes_the_attention_that_the_code_has(models: Path) -> None:
    config = config_of(models / "BTLM", LORA)
    plan = make_plan(config, hardware=CPU, exact=False)
    assert (plan.attention, plan.attention_reason) == (
        "eager",
        "the model's own code has no path through sdpa",
    )


def test_code_that_has_a_path_through_sdpa_gets_it(models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "BTLM"
    write_model(FAMILIES["BTLM"], folder)
    code = folder / "modeling_btlm.py"
    code.write_text(
        code.read_text().replace("    config_class", "    _supports_sdpa = True\n    config_class")
    )
    assert make_plan(config_of(folder, LORA), hardware=CPU, exact=False).attention == "sdpa"


def test_a_model_of_own_code_that_is_not_known_by_name_is_asked_whether_documents_stay_apart(
    models: Path, run_of: Callable[..., Trained], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ft_core.models.attention._OTHERS", {})
    seen = run_of("BTLM", adapter="lora", sample_packing=True)
    assert seen.run is not None
    assert seen.run.error is not None
    assert "the documents of a row change each other" in seen.run.error.message


@pytest.mark.parametrize("name", ["BTLM", "XGen"])
@pytest.mark.parametrize("keys", [{}, {"adapter": "lora", "lora_r": 4}], ids=["full", "LoRA"])
def test_what_was_trained_is_loaded_asked_and_merged(
    run_of: Callable[..., Trained], tmp_path: Path, name: str, keys: dict[str, Any]
) -> None:
    seen = run_of(name, learning_rate=0.02, **keys)
    assert seen.run is not None
    assert seen.run.state == "completed", seen.run.log_tail(30)
    source = find_source(seen.run)
    loaded = Models(source, "cpu")
    assert type(loaded.tokenizer).__name__ == ("XgenTokenizer" if name == "XGen" else "TokenizersBackend")
    assert loaded.tokenizer.decode(loaded.tokenizer("a fox").input_ids) == "a fox"
    with torch.no_grad():
        trained = seen.model.eval()(input_ids=IDS).logits
        with loaded.using("base") as base:
            before = base(input_ids=IDS).logits
        with loaded.using("tuned") as tuned:
            torch.testing.assert_close(tuned(input_ids=IDS).logits, trained)
    assert (before - trained).abs().max() > 0.01
    if not keys:
        return
    target = tmp_path / "merged"
    request = {"source": vars(source), "target": str(target), "staging": str(tmp_path / ".writing")}
    merged = merge_weights({**request, "dtype": "fp32", "dequantise": True}, lambda *_: None)
    assert merged["difference"] < 1e-4
    whole = AutoModelForCausalLM.from_pretrained(target, trust_remote_code=name == "BTLM")
    with torch.no_grad():
        torch.testing.assert_close(whole.eval()(input_ids=IDS).logits, trained, rtol=1e-4, atol=1e-4)
    assert (
        len(AutoTokenizer.from_pretrained(target, trust_remote_code=name == "XGen")("a fox").input_ids) == 5
    )


@pytest.mark.parametrize("keys", [{}, {"adapter": "lora"}], ids=["full", "LoRA"])
def test_an_rwkv_model_is_what_was_trained_after_an_evaluation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keys: dict[str, Any]
) -> None:
    """It would halve the weights of its second layer in place as it evaluates, be saved so, and halve them again."""
    write_model(FAMILIES["RWKV"], tmp_path / "RWKV")
    config = config_of(tmp_path / "RWKV", {**keys, "learning_rate": 0.02, "val_set_size": 1, "eval_steps": 1})
    seen = train(config, tmp_path, "run", monkeypatch)
    assert seen.run is not None
    with torch.no_grad(), Models(find_source(seen.run), "cpu").using("tuned") as tuned:
        trained = seen.model.train()(input_ids=IDS, use_cache=False).logits
        for model in (seen.model.eval(), tuned.train(), tuned.eval()):
            torch.testing.assert_close(model(input_ids=IDS, use_cache=False).logits, trained)
