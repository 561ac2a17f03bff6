from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models import apply_adapter, load_model, load_tokenizer
from ft_core.models.load import check_embeddings


def dtypes(model: Any, *, trainable: bool) -> set[torch.dtype]:
    return {weight.dtype for weight in model.parameters() if weight.requires_grad is trainable}


def test_a_full_fine_tune_keeps_master_weights_in_fp32(make_config: Callable[..., Config]) -> None:
    model = load_model(make_config(bf16=True))
    assert dtypes(model, trainable=True) == {torch.float32}
    assert dtypes(model, trainable=False) == set()


def test_lora_freezes_a_bf16_base_and_keeps_its_adapter_in_fp32(make_config: Callable[..., Config]) -> None:
    config = make_config(bf16=True, adapter="lora", lora_modules_to_save=["embed_tokens"])
    model = apply_adapter(load_model(config), config)
    assert dtypes(model, trainable=False) == {torch.bfloat16}
    assert dtypes(model, trainable=True) == {torch.float32}


def test_the_cache_is_off_and_attention_is_as_planned(make_config: Callable[..., Config]) -> None:
    model = load_model(make_config())
    assert (model.config.use_cache, model.config._attn_implementation) == (False, "sdpa")
    assert load_model(make_config(attn_implementation="eager")).config._attn_implementation == "eager"


def test_an_attention_that_is_not_there_is_a_sentence(make_config: Callable[..., Config]) -> None:
    with pytest.raises(ModelError, match="cannot run with the attention 'flash_attention_2'") as raised:
        load_model(make_config(attn_implementation="flash_attention_2"))
    assert "attn_implementation" in raised.value.fix


def test_sampling_settings_that_contradict_do_not_stop_a_save(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "generation_config.json").write_text(
        json.dumps({"temperature": 0.6, "top_p": 0.9, "do_sample": False})
    )
    model = load_model(make_config(base_model=str(folder)))
    model.save_pretrained(tmp_path / "saved")
    assert json.loads((tmp_path / "saved" / "generation_config.json").read_text())["temperature"] == 0.6


def test_embeddings_trained_beside_an_adapter_are_saved_and_stay_tied(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    from peft import PeftModel

    # In fp32 whatever the processor: without autocast the trained fp32 embeddings would meet a bf16 base.
    config = make_config(
        bf16=False, adapter="lora", lora_target_modules=["q_proj"], lora_modules_to_save=["embed_tokens"]
    )
    model: Any = apply_adapter(load_model(config), config)
    ids = torch.arange(10)[None]
    with torch.no_grad():
        model.get_input_embeddings().weight[:10] += 0.5
        trained = model.eval()(ids).logits
    assert model.get_output_embeddings().weight[3].equal(model.get_input_embeddings().weight[3])
    model.save_pretrained(tmp_path / "adapter")
    loaded = PeftModel.from_pretrained(load_model(config), tmp_path / "adapter")
    with torch.no_grad():
        torch.testing.assert_close(loaded.eval()(ids).logits, trained, rtol=0, atol=1e-6)


def test_targets_that_match_nothing_list_what_exists(make_config: Callable[..., Config]) -> None:
    config = make_config(adapter="lora", lora_target_modules=["q_proj", "query_key_value"])
    with pytest.raises(ModelError) as raised:
        apply_adapter(load_model(config), config)
    assert (
        raised.value.message == "lora_target_modules names 'query_key_value', which this model does not have."
    )
    assert "q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj" in raised.value.fix


def test_modules_to_save_that_match_nothing_are_named(make_config: Callable[..., Config]) -> None:
    config = make_config(adapter="lora", lora_modules_to_save=["wte"])
    with pytest.raises(ModelError, match="lora_modules_to_save names 'wte'") as raised:
        apply_adapter(load_model(config), config)
    assert "embed_tokens" in raised.value.fix


@pytest.mark.parametrize(("keys", "scale"), [({}, 16 / 4), ({"peft_use_rslora": True}, 16 / 4**0.5)])
def test_the_adapter_is_scaled_as_configured(
    keys: dict[str, Any], scale: float, make_config: Callable[..., Config]
) -> None:
    config = make_config(
        adapter="lora", lora_r=4, lora_alpha=16, lora_dropout=0.25, lora_target_modules=["q_proj"], **keys
    )
    model: Any = apply_adapter(load_model(config), config)
    layer = model.base_model.model.model.layers[0].self_attn.q_proj
    assert layer.scaling["default"] == scale
    assert layer.lora_dropout["default"].p == 0.25


def test_the_tokenizer_keeps_its_own_padding_token(make_config: Callable[..., Config]) -> None:
    tokenizer = load_tokenizer(make_config())
    assert (tokenizer.pad_token, tokenizer.padding_side) == ("<|im_end|>", "right")


def test_special_tokens_are_chosen_from_the_vocabulary(make_config: Callable[..., Config]) -> None:
    tokenizer = load_tokenizer(make_config(special_tokens={"eos_token": "<|endoftext|>"}))
    assert (tokenizer.eos_token, tokenizer.eos_token_id) == ("<|endoftext|>", 0)
    with pytest.raises(
        ModelError, match="special_tokens: pad_token: the tokenizer's vocabulary has no token '<nix>'"
    ):
        load_tokenizer(make_config(special_tokens={"pad_token": "<nix>"}))


def edited_tokenizer(tiny_model: Path, folder: Path, **changes: str | None) -> Path:
    """Copy the model with other special tokens; None removes one."""
    shutil.copytree(tiny_model, folder)
    file = folder / "tokenizer_config.json"
    settings = {**json.loads(file.read_text()), **changes}
    file.write_text(json.dumps({key: value for key, value in settings.items() if value is not None}))
    return folder


def test_a_missing_padding_token_is_found_in_the_vocabulary(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    folder = edited_tokenizer(tiny_model, tmp_path / "model", pad_token=None)
    assert load_tokenizer(make_config(base_model=str(folder))).pad_token == "<|endoftext|>"


def test_a_tokenizer_without_an_end_is_refused(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    folder = edited_tokenizer(tiny_model, tmp_path / "model", eos_token=None)
    with pytest.raises(ModelError, match="has no end-of-sequence token"):
        load_tokenizer(make_config(base_model=str(folder)))


def test_a_tokenizer_that_is_not_there_is_a_sentence(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    config = make_config().model_copy(update={"tokenizer_config": str(tmp_path / "nowhere")})
    with pytest.raises(ModelError) as raised:
        load_tokenizer(config)
    assert raised.value.message == f"The tokenizer folder '{tmp_path / 'nowhere'}' does not exist."


def test_a_tokenizer_with_more_tokens_than_embeddings_is_refused(make_config: Callable[..., Config]) -> None:
    config = make_config()
    tokenizer = load_tokenizer(config)
    model = load_model(config)
    check_embeddings(model, tokenizer)
    tokenizer.add_tokens(["<brand-new>"])
    with pytest.raises(ModelError, match="49,153 tokens and the model embeddings for 49,152"):
        check_embeddings(model, tokenizer)
