"""Merging: the model that comes of it says what adapter and base said side by side, in every family and variant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GemmaConfig,
    GemmaForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    MixtralConfig,
    MixtralForCausalLM,
)

from ft_core.config import Config, load_config
from ft_core.errors import ModelError, RunError
from ft_core.infer.load import Models
from ft_core.infer.merge import Merged, merge, source_of_config
from ft_core.infer.merging import merge_weights
from ft_core.infer.source import find_source
from ft_core.models import apply_adapter, load_model
from ft_core.models.add_adapter import add_adapter
from ft_core.models.load import fit_embeddings
from ft_core.models.tokenizer import load_vocabulary
from ft_core.runs import Run, RunWriter, create_run
from ft_core.train.saving import save_weights

IDS = torch.tensor([[5, 900, 31, 7, 20000, 44, 2, 1, 12, 49000]])
QLORA: dict[str, Any] = {"adapter": "qlora", "load_in_4bit": True}

Tuned = tuple[Run, torch.Tensor]


@pytest.fixture(scope="module")
def families(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return folders of tiny random models that keep their weights in ways of their own."""
    size = len(AutoTokenizer.from_pretrained(tiny_model))
    shape: dict[str, Any] = {"vocab_size": size, "hidden_size": 32, "num_hidden_layers": 1}
    heads: dict[str, Any] = {"num_attention_heads": 2, "num_key_value_heads": 1, "intermediate_size": 64}
    torch.manual_seed(2)
    models: dict[str, Any] = {
        "gpt2": GPT2LMHeadModel(GPT2Config(vocab_size=size, n_embd=64, n_layer=1, n_head=2, n_positions=128)),
        "mixtral": MixtralForCausalLM(MixtralConfig(**shape, **heads, num_local_experts=3)),
        "gemma": GemmaForCausalLM(GemmaConfig(**shape, **heads, head_dim=16)),
    }
    folder = tmp_path_factory.mktemp("families")
    for name, model in models.items():
        model.save_pretrained(folder / name)
        AutoTokenizer.from_pretrained(tiny_model).save_pretrained(folder / name)
    return {"llama": tiny_model, **{name: folder / name for name in models}}


@pytest.fixture
def tune(families: dict[str, Path], dictionary: Path, tmp_path: Path) -> Callable[..., Tuned]:
    """Return a function that makes a run whose adapter is random, and what its model says, in fp32."""

    def make(family: str = "llama", **keys: Any) -> Tuned:
        config = load_config(
            {
                "base_model": str(families[family]),
                "learning_rate": 1e-3,
                "datasets": [{"path": str(dictionary), "type": "chat_template"}],
                "chat_template": "chatml",
                "adapter": "lora",
                "lora_r": 4,
                "lora_alpha": 16,
                "bf16": False,
                **keys,
            }
        )
        text = config.to_yaml(absolute_paths=True)
        run = create_run("poet", config_text=text, resolved_text=text, plan={}, root=tmp_path)
        with RunWriter(run.directory):
            pass
        torch.manual_seed(3)
        tokenizer, changes = load_vocabulary(config)
        base = load_model(config)
        model: Any = apply_adapter(base, config, fit_embeddings(base, config, changes)).eval()
        for weight in model.parameters():
            if weight.requires_grad:
                weight.data += torch.randn(weight.shape) * 0.1
        save_weights(model, run.final)
        tokenizer.save_pretrained(run.final)
        with torch.no_grad():
            return run, model(IDS, use_cache=False).logits[0]

    return make


def merged_here(run: Run, tmp_path: Path, *, dtype: str = "fp32", dequantise: bool = True) -> dict[str, Any]:
    """Merge in this process, which saves a start of Python and torch."""
    tmp_path.mkdir(exist_ok=True)
    source = vars(find_source(run))
    request = {"source": source, "target": str(tmp_path / "merged"), "staging": str(tmp_path / ".writing")}
    return merge_weights({**request, "dtype": dtype, "dequantise": dequantise}, lambda *_: None)


def says(folder: Path | str) -> torch.Tensor:
    with torch.no_grad():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(IDS).logits[0]


def assert_says(folder: Path, logits: torch.Tensor, bound: float = 2e-5) -> None:
    scale = logits.abs().max().item()
    assert (says(folder) - logits).abs().max().item() <= bound * max(1.0, scale)


@pytest.mark.parametrize(
    ("family", "keys"),
    [
        ("llama", {}),
        ("llama", {"peft_use_dora": True, "lora_target_modules": ["q_proj", "down_proj"]}),
        ("llama", {"peft_use_rslora": True}),
        ("llama", {"lora_modules_to_save": ["embed_tokens"], "lora_target_modules": ["q_proj"]}),
        ("llama", {"tokens": ["<one>", "<two>"], "lora_target_modules": ["v_proj"]}),
        ("gpt2", {}),
        ("mixtral", {}),
        ("gemma", {}),
        ("llama", QLORA),
        ("gpt2", QLORA),
        ("mixtral", QLORA),
        ("llama", {**QLORA, "tokens": ["<one>", "<two>"], "lora_target_modules": ["v_proj"]}),
    ],
)
def test_the_merged_model_says_what_adapter_and_base_said(
    tune: Callable[..., Tuned], tmp_path: Path, family: str, keys: dict[str, Any]
) -> None:
    run, logits = tune(family, **keys)
    base = find_source(run).base
    answer = merged_here(run, tmp_path)
    assert_says(tmp_path / "merged", logits)
    scale = max(1.0, answer["largest_logit"])
    assert answer["difference"] <= 2e-5 * scale
    assert answer["agreeing"] >= answer["positions"] - 1 > 40
    assert (answer["trained_difference"] is None) is (keys.get("adapter") != "qlora")
    assert (answer["trained_difference"] or 0) <= 2e-5 * scale
    settings = json.loads((tmp_path / "merged" / "config.json").read_text())
    assert "quantization_config" not in settings
    assert (
        settings["architectures"]
        == json.loads((Path(str(base)) / "config.json").read_text())["architectures"]
    )
    # The adapter did something, or the test would see nothing.
    assert (says(str(base))[:, : logits.shape[1]] - logits[:, : says(str(base)).shape[1]]).abs().max() > 1e-2


def test_adapters_on_fused_experts_are_merged(tune: Callable[..., Tuned], tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    run, _ = tune("mixtral")
    base = str(find_source(run).base)
    targets = ["q_proj", "w1", "w2", "w3"]
    lora = LoraConfig(
        r=2, lora_alpha=16, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM"
    )
    torch.manual_seed(4)
    model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).eval()
    assert any("experts" in name for name, weight in model.named_parameters() if weight.requires_grad)
    save_weights(model, run.final)
    with torch.no_grad():
        logits = model(IDS).logits[0]
    answer = merged_here(run, tmp_path)
    assert answer["difference"] <= 2e-5 * max(1.0, answer["largest_logit"])
    assert_says(tmp_path / "merged", logits)


def test_an_8_bit_base_is_merged_as_its_weights_were(tune: Callable[..., Tuned], tmp_path: Path) -> None:
    run, logits = tune(load_in_8bit=True)
    answer = merged_here(run, tmp_path)
    # In 8 bit the activations are rounded too, which no merged weight can have.
    assert answer["difference"] <= 2e-5 * max(1.0, answer["largest_logit"])
    assert_says(tmp_path / "merged", logits, bound=0.05)
    assert answer["quantised"] == "int8"


def test_the_bases_own_weights_are_taken_where_that_is_asked(
    tune: Callable[..., Tuned], tmp_path: Path
) -> None:
    run, _ = tune(**QLORA)
    dequantised, own = (
        merged_here(run, tmp_path / str(choice), dequantise=choice) for choice in (True, False)
    )
    assert own["difference"] <= 2e-5 * max(1.0, own["largest_logit"])
    assert own["trained_difference"] > 100 * dequantised["trained_difference"]


def test_weights_are_added_to_in_fp32_and_rounded_once(tune: Callable[..., Tuned], tmp_path: Path) -> None:
    run, _ = tune(lora_target_modules=["q_proj"])
    merged_here(run, tmp_path / "exact")
    merged_here(run, tmp_path / "short", dtype="auto")
    exact, short = (
        AutoModelForCausalLM.from_pretrained(tmp_path / name / "merged", dtype="auto").state_dict()
        for name in ("exact", "short")
    )
    assert {weight.dtype for weight in short.values()} == {torch.bfloat16}
    for name, weight in exact.items():
        assert weight.to(torch.bfloat16).equal(short[name])


@pytest.mark.parametrize("dora", [False, True])
def test_a_layer_in_16_bit_is_added_to_in_fp32(tune: Callable[..., Tuned], dora: bool) -> None:
    from peft import PeftModel

    run, _ = tune(lora_target_modules=["q_proj"], peft_use_dora=dora)

    def merged_in(dtype: torch.dtype) -> torch.Tensor:
        base: Any = AutoModelForCausalLM.from_pretrained(str(find_source(run).base), dtype=torch.bfloat16)
        model: Any = PeftModel.from_pretrained(base.to(dtype), str(run.final))
        merged: Any = add_adapter(model, lambda *_: None)[0]
        return merged.model.layers[0].self_attn.q_proj.weight

    exact = merged_in(torch.float32)
    assert merged_in(torch.bfloat16).equal(exact.to(torch.bfloat16))


@pytest.mark.parametrize(
    ("keys", "tied"),
    [
        ({"lora_modules_to_save": ["embed_tokens"], "lora_target_modules": ["q_proj"]}, True),
        ({"tokens": ["<one>"], "lora_target_modules": ["q_proj"]}, True),
        ({"lora_target_modules": ["q_proj", "embed_tokens"]}, False),
    ],
)
def test_tied_weights_stay_tied_unless_the_adapter_parted_them(
    tune: Callable[..., Tuned], tmp_path: Path, keys: dict[str, Any], tied: bool
) -> None:
    run, logits = tune(**keys)
    answer = merged_here(run, tmp_path)
    loaded: Any = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    head, embedding = loaded.get_output_embeddings().weight, loaded.get_input_embeddings().weight
    assert (head is embedding, loaded.config.tie_word_embeddings) == (tied, tied)
    assert [note for note in answer["notes"] if "no longer tied" in note] == list(answer["notes"])
    assert bool(answer["notes"]) is not tied
    assert_says(tmp_path / "merged", logits)


def test_what_lies_beside_the_weights(tune: Callable[..., Tuned], tmp_path: Path) -> None:
    run, _ = tune(tokens=["<one>"])
    answer = merged_here(run, tmp_path)
    folder = tmp_path / "merged"
    names = {file.name for file in folder.iterdir()}
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= names
    assert not any("adapter" in name for name in names)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.convert_tokens_to_ids("<one>") == len(tokenizer) - 1
    assert tokenizer.chat_template
    assert answer["size"] == (folder / "model.safetensors").stat().st_size
    assert find_source(folder).choices == ("base",)
    assert not (tmp_path / ".writing").exists()


def test_a_disk_that_is_too_small_is_a_sentence(
    tune: Callable[..., Tuned], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, _ = tune()
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    with pytest.raises(ModelError, match=r"free, and the merged model takes about 1\d MiB"):
        merged_here(run, tmp_path)
    assert not (tmp_path / "merged").exists()


def test_the_process_that_merges(tune: Callable[..., Tuned]) -> None:
    run, _ = tune(bf16=True)
    heard: list[str] = []
    made = merge(run, on_progress=lambda what, _done, _total: heard.append(what))
    assert made.folder == str(run.directory / "merged")
    assert list(dict.fromkeys(heard)) == ["loading the base", "merging", "saving", "reading it back"]
    assert (made.dtype, made.quantised, made.trained_difference) == ("bf16", "", None)
    assert made.render().splitlines()[0] == f"merged      {made.folder}"
    with pytest.raises(RunError, match="There is something at") as raised:
        merge(run)
    assert "--overwrite" in raised.value.fix


def test_an_interrupt_leaves_nothing(tune: Callable[..., Tuned]) -> None:
    run, _ = tune()

    def interrupt(what: str, _done: int, _total: int | None) -> None:
        if what == "reading it back":  # everything is written
            assert (run.directory / ".writing-merged" / "config.json").is_file()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        merge(run, on_progress=interrupt)
    assert [file.name for file in run.directory.iterdir() if "merged" in file.name] == []


def test_what_is_no_adapter_is_refused(tiny_model: Path) -> None:
    with pytest.raises(ModelError, match="is no adapter: there is nothing to merge"):
        merge(tiny_model)


def test_a_config_names_the_adapter(tune: Callable[..., Tuned], tmp_path: Path) -> None:
    run, _ = tune()

    def config(**keys: Any) -> Config:
        return load_config(find_config(run), keys, check_paths=False)

    with pytest.raises(ModelError, match="names no 'output_dir'"):
        source_of_config(config(), None, tmp_path)
    with pytest.raises(ModelError, match="holds no adapter"):
        source_of_config(config(output_dir=str(tmp_path / "none")), None, tmp_path)
    for named, keys in ((None, {"output_dir": str(run.final)}), (str(run.final), {})):
        source = source_of_config(config(**keys), named, tmp_path)
        assert (source.tuned, source.adapter, source.base) == (str(run.final), True, find_source(run).base)
        assert load_config(Path(str(source.config))).adapter == "lora"


def find_config(run: Run) -> Path:
    return run.directory / "resolved.yaml"


def test_a_chat_keeps_the_base_in_as_few_bits_as_training_did(tune: Callable[..., Tuned]) -> None:
    run, logits = tune(**QLORA)
    models = Models(find_source(run), "cpu")
    with models.using("tuned") as model:
        kinds = {type(weight).__name__ for weight in model.parameters()}
        with torch.no_grad():
            said = model(IDS, use_cache=False).logits[0].float()
    assert "Params4bit" in kinds
    # The chat multiplies in bf16 where the processor can.
    assert (said - logits).abs().max() <= 0.05 * logits.abs().max()
    with models.using("base") as model, torch.no_grad():
        assert (model(IDS, use_cache=False).logits[0].float() - logits).abs().max() > 0.1 * logits.abs().max()


def test_what_is_told() -> None:
    made = Merged(
        "out", "base", "final", 1234567, 2469134, "bf16", 120, 119, 0.01234, 15.5, "nf4", 0.02, ("a note",)
    )
    assert made.render() == (
        "merged      out\n"
        "base        base, as its nf4 weights were\n"
        "adapter     final\n"
        "weights     1,234,567 in bf16, 2 MiB\n"
        "difference  at most 0.012 in a logit from adapter and base side by side (the largest logit is 15.5)\n"
        "            at most 0.02 from the nf4 model that was trained\n"
        "next token  the same at 119 of 120 positions\n"
        "note        a note"
    )
