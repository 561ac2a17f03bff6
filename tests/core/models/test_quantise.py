"""Quantised bases: how they are kept, what of them is never rounded, and that gradients go through them."""

from __future__ import annotations

import importlib.util
import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import MissingExtra, ModelError
from ft_core.models import apply_adapter, load_model
from ft_core.models.outline import Module, Outline
from ft_core.models.precision import Precision
from ft_core.models.quantise import (
    Quantised,
    base_bytes,
    count_parameters,
    dequantised_weight,
    quantised_base,
    require_packages,
)

QLORA: dict[str, Any] = {"adapter": "qlora", "load_in_4bit": True}
INT8: dict[str, Any] = {"adapter": "lora", "load_in_8bit": True}
NF4 = 0.5 + 1 / 64 + 4 / (64 * 256)
IDS = torch.arange(12)[None]


def kinds(model: Any, kind: str) -> set[str]:
    """Return the last parts of the names of all layers of a class."""
    named = model.named_modules()
    return {name.rsplit(".", 1)[-1] for name, module in named if type(module).__name__ == kind}


@pytest.mark.parametrize(
    ("keys", "stored", "expected"),
    [
        ({"adapter": "lora"}, None, None),
        (QLORA, None, Quantised("bitsandbytes", "nf4", 4, False, NF4)),
        (INT8, None, Quantised("bitsandbytes", "int8", 8, False, 1.0)),
        (INT8 | {"load_in_4bit": True}, None, Quantised("bitsandbytes", "int8", 8, False, 1.0)),
        (
            QLORA | {"bnb_config_kwargs": {"bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": False}},
            None,
            Quantised("bitsandbytes", "fp4", 4, False, 0.5 + 4 / 64),
        ),
        (
            {"adapter": "lora"},
            {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"},
            Quantised("bitsandbytes", "nf4", 4, True, 0.5 + 4 / 64),
        ),
        (
            QLORA,
            {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
            Quantised("bitsandbytes", "nf4", 4, True, NF4),
        ),
        (
            {"adapter": "lora", "gptq": True},
            {"quant_method": "gptq", "bits": 4, "group_size": 128},
            Quantised("gptq", "gptq", 4, True, 0.5 + 2.5 / 128),
        ),
        (
            {"adapter": "lora"},
            {"quant_method": "gptq", "bits": 8, "group_size": -1},
            Quantised("gptq", "gptq", 8, True, 1.0),
        ),
    ],
)
def test_how_a_base_is_kept(
    make_config: Callable[..., Config],
    keys: dict[str, Any],
    stored: dict[str, Any] | None,
    expected: Quantised | None,
) -> None:
    model_config = {"model_type": "llama"} | ({"quantization_config": stored} if stored else {})
    assert quantised_base(make_config(**keys), model_config) == expected


def test_gpt2_is_not_loaded_as_gptq_has_it(make_config: Callable[..., Config]) -> None:
    stored = {"model_type": "gpt2", "quantization_config": {"quant_method": "gptq", "bits": 4}}
    with pytest.raises(ModelError, match="does not load the layers of gpt2 models that GPTQ quantised"):
        quantised_base(make_config(adapter="lora"), stored)


@pytest.mark.parametrize(
    ("keys", "stored", "message"),
    [
        (
            {"adapter": "lora", "gptq": True},
            None,
            "says that GPTQ quantised '{base}', and its weights are whole",
        ),
        (
            {"adapter": "lora", "gptq": True},
            {"quant_method": "bitsandbytes", "load_in_8bit": True},
            "says that GPTQ quantised '{base}', and bitsandbytes did",
        ),
        (
            {"adapter": "lora"},
            {"quant_method": "awq", "bits": 4},
            "are quantised by 'awq', which no adapter can be trained on here",
        ),
        (
            {},
            {"quant_method": "gptq", "bits": 4},
            "are kept in 4 bit, and those cannot be trained themselves",
        ),
        (
            INT8,
            {"quant_method": "bitsandbytes", "load_in_4bit": True},
            "are kept in 4 bit already, and 'load_in_8bit' asks for 8",
        ),
        (
            {"adapter": "lora", "peft_use_dora": True},
            {"quant_method": "gptq", "bits": 4},
            "DoRA needs whole weights, and those of '{base}' are quantised by GPTQ",
        ),
        (
            {"adapter": "lora", "peft_init_lora_weights": "pissa"},
            {"quant_method": "gptq", "bits": 4},
            "This start of the adapter needs whole weights, and those of '{base}' are quantised by GPTQ",
        ),
    ],
)
def test_what_a_base_cannot_be(
    make_config: Callable[..., Config], keys: dict[str, Any], stored: dict[str, Any] | None, message: str
) -> None:
    config = make_config(**keys)
    model_config = {"model_type": "llama"} | ({"quantization_config": stored} if stored else {})
    with pytest.raises(ModelError) as raised:
        quantised_base(config, model_config)
    assert message.format(base=config.base_model) in raised.value.message
    assert raised.value.fix


@pytest.mark.parametrize(
    ("quantised", "package", "extra"),
    [
        (Quantised("bitsandbytes", "nf4", 4, False, NF4), "bitsandbytes", "gpu"),
        (Quantised("gptq", "gptq", 4, True, 0.5), "gptqmodel", "gptq"),
    ],
)
def test_a_missing_package_is_a_sentence_with_the_pip_line(
    quantised: Quantised, package: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else real("json"))
    with pytest.raises(MissingExtra) as raised:
        require_packages(quantised)
    assert raised.value.message == (
        f"A base model whose weights are kept in {quantised.words} needs the package '{package}', "
        "which is not installed."
    )
    assert raised.value.fix == f"pip install 'ft-jupyter[{extra}]'"


def test_the_bytes_of_a_base() -> None:
    modules = {
        "embed": Module("embedding", 1000),
        "a": Module("linear", 640),
        "b": Module("linear", 1280),
        "lm_head": Module("linear", 1000),
    }
    outline = Outline(3920, modules, embedding="embed", output_head="lm_head")
    bf16 = Precision("bf16", "bf16", "")
    # Two linear layers in few bits, embedding and head in bf16, and the larger layer whole while it is multiplied.
    assert base_bytes(outline, Quantised("bitsandbytes", "int8", 8, False, 1.0), bf16) == (
        1920 + 2 * 2000 + 2 * 1280
    )
    assert base_bytes(outline, Quantised("bitsandbytes", "nf4", 4, False, NF4), bf16) == round(
        1920 * NF4 + 2 * 2000 + 2 * 1280
    )


@pytest.mark.parametrize(("keys", "kind"), [(QLORA, "Linear4bit"), (INT8, "Linear8bitLt")])
def test_every_linear_layer_but_the_head_is_rounded_and_nothing_else_changes_its_format(
    make_config: Callable[..., Config], untied_model: Path, keys: dict[str, Any], kind: str
) -> None:
    config = make_config(base_model=str(untied_model), bf16=True, **keys)
    base: Any = load_model(config)
    assert kinds(base, "Linear") == {"lm_head"}
    assert kinds(base, kind) == {f"{name}_proj" for name in ("q", "k", "v", "o", "gate", "up", "down")}
    model = apply_adapter(base, config)
    packed = {torch.uint8, torch.int8}
    whole = {w.dtype for w in model.parameters() if not w.requires_grad and w.dtype not in packed}
    assert whole == {torch.bfloat16}
    assert {w.dtype for w in model.parameters() if w.requires_grad} == {torch.float32}


def test_parameters_are_counted_one_by_one(make_config: Callable[..., Config]) -> None:
    plain, packed = (
        apply_adapter(load_model(config), config)
        for config in (make_config(adapter="lora"), make_config(**QLORA))
    )
    assert count_parameters(packed) == sum(weight.numel() for weight in plain.parameters())
    trainable = sum(weight.numel() for weight in plain.parameters() if weight.requires_grad)
    assert count_parameters(packed, trainable=True) == trainable


def test_what_an_adapter_saves_whole_is_never_rounded(make_config: Callable[..., Config]) -> None:
    keys = QLORA | {"bnb_config_kwargs": {"llm_int8_skip_modules": ["layers.0.self_attn"]}}
    config = make_config(**keys, lora_modules_to_save=["down_proj"])
    model: Any = load_model(config)
    rounded = {name for name, module in model.named_modules() if type(module).__name__ == "Linear4bit"}
    assert rounded == {
        *(f"model.layers.1.self_attn.{name}_proj" for name in "qkvo"),
        *(f"model.layers.{layer}.mlp.{name}_proj" for layer in (0, 1) for name in ("gate", "up")),
    }
    saved = {n: w.dtype for n, w in apply_adapter(model, config).named_parameters() if "modules_to_save" in n}
    assert set(saved.values()) == {torch.float32}
    assert len(saved) == 2


def test_settings_reach_bitsandbytes(make_config: Callable[..., Config]) -> None:
    arguments = {
        "bnb_4bit_quant_type": "fp4",
        "bnb_4bit_use_double_quant": False,
        "bnb_4bit_compute_dtype": "float32",
    }
    model: Any = load_model(make_config(**QLORA, bf16=True, bnb_config_kwargs=arguments))
    layer = model.model.layers[0].self_attn.q_proj
    state = layer.weight.quant_state
    assert (state.quant_type, state.nested, layer.compute_dtype) == ("fp4", False, torch.float32)
    default: Any = load_model(make_config(**QLORA, bf16=True)).model.layers[0].self_attn.q_proj  # pyright: ignore
    state = default.weight.quant_state
    assert (state.quant_type, state.nested, default.compute_dtype) == ("nf4", True, torch.bfloat16)


@pytest.mark.parametrize("keys", [QLORA, INT8])
@pytest.mark.parametrize("bf16", [False, True])
def test_gradients_are_those_of_the_rounded_weights_before_and_after_an_evaluation(
    make_config: Callable[..., Config], keys: dict[str, Any], bf16: bool
) -> None:
    """On a processor with bf16 instructions an evaluation once ended every later gradient at the head."""
    config = make_config(**keys, bf16=bf16, lora_target_modules=["q_proj"])
    model: Any = load_model(config)
    reference: Any = load_model(make_config(adapter="lora", bf16=False))
    for name, module in model.named_modules():
        if type(module).__name__ in ("Linear4bit", "Linear8bitLt"):
            reference.get_submodule(name).weight.data = dequantised_weight(module).float()
    torch.manual_seed(0)
    models = [apply_adapter(each, config).train() for each in (model, reference)]

    def gradients(adapted: Any) -> list[torch.Tensor]:
        torch.manual_seed(1)
        with torch.no_grad():
            for name, weight in adapted.named_parameters():
                if "lora_" in name:
                    weight.copy_(torch.randn(weight.shape) / 8)
        adapted.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16 and adapted is models[0]):
            adapted(input_ids=IDS, labels=IDS).loss.backward()
        return [w.grad.clone() for w in adapted.parameters() if w.requires_grad]

    before, expected = gradients(models[0]), gradients(models[1])
    models[0].eval()
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
        models[0](input_ids=IDS)
    models[0].train()
    after = gradients(models[0])
    for first, second, right in zip(before, after, expected, strict=True):
        assert first.equal(second)
        # Rounding of the activations: bf16 has 8 bits.
        tolerance = 0.05 if bf16 else 1e-4
        assert (first - right).norm() <= tolerance * right.norm()


def test_8_bit_layers_do_not_flood_the_log(
    make_config: Callable[..., Config], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    model: Any = load_model(make_config(**INT8, bf16=True))
    with torch.no_grad():
        model.eval()(IDS)
    assert [record.message for record in caplog.records if "MatMul8bitLt" in record.message] == []


def test_a_checkpoint_that_bitsandbytes_rounded_is_loaded_as_it_is(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    model: Any = load_model(make_config(**QLORA, bf16=False))
    folder = tmp_path / "rounded"
    shutil.copytree(tiny_model, folder, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    model.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text())["quantization_config"]["load_in_4bit"] is True
    config = make_config(base_model=str(folder), adapter="lora", bf16=False)
    loaded: Any = load_model(config)
    layer, same = loaded.model.layers[1].mlp.up_proj, model.model.layers[1].mlp.up_proj
    assert dequantised_weight(layer).equal(dequantised_weight(same))
    apply_adapter(loaded, config).train()(input_ids=IDS, labels=IDS).loss.backward()
