from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config, ConfigError
from ft_core.errors import ModelError
from ft_core.models import apply_adapter, load_model, load_tokenizer
from ft_core.models.load import fit_embeddings
from ft_core.models.tokenizer import load_vocabulary


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


def test_an_attention_that_is_not_there_is_a_sentence_before_anything_is_loaded(
    make_config: Callable[..., Config],
) -> None:
    with pytest.raises(ConfigError, match="'attn_implementation: flash_attention_2' cannot be used here"):
        load_model(make_config(attn_implementation="flash_attention_2"))


def test_an_attention_that_the_library_refuses_is_a_sentence(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it would for a family that nobody has looked at."""
    monkeypatch.setattr("ft_core.models.load.choose_attention", lambda *_: ("flash_attention_2", ""))
    with pytest.raises(ModelError, match="cannot run with the attention 'flash_attention_2'") as raised:
        load_model(make_config())
    assert "attn_implementation" in raised.value.fix


@pytest.mark.parametrize(
    ("attention", "keys", "registered"),
    [
        ("sdpa", {}, []),
        ("varlen", {}, ["varlen"]),
        ("xformers", {}, ["xformers"]),
        ("flex_attention", {"flex_attn_compile_kwargs": {"dynamic": False}}, [{"dynamic": False}]),
    ],
)
def test_an_attention_of_ours_is_made_known_before_the_model_is_loaded(
    attention: str,
    keys: dict[str, Any],
    registered: list[Any],
    make_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found: list[Any] = []
    monkeypatch.setattr("ft_core.models.load.choose_attention", lambda *_: (attention, ""))
    monkeypatch.setattr("ft_core.models.varlen.register", lambda: found.append("varlen"))
    monkeypatch.setattr("ft_core.models.xformers_path.register", lambda: found.append("xformers"))
    monkeypatch.setattr("ft_core.models.flex.register", found.append)

    def load(*_: Any, attn_implementation: str, **__: Any) -> None:
        found.append(attn_implementation)
        raise InterruptedError

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", load)
    with pytest.raises(InterruptedError):
        load_model(make_config(**keys))
    assert found == [*registered, attention]


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


def test_a_tokenizer_of_another_model_with_more_tokens_than_embeddings_is_refused(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    tokenizer = load_tokenizer(make_config())
    tokenizer.add_tokens(["<brand-new>"])
    tokenizer.save_pretrained(tmp_path / "other")
    config = make_config(tokenizer_config=str(tmp_path / "other"))
    with pytest.raises(ModelError, match="49,153 tokens and the model embeddings for 49,152") as raised:
        fit_embeddings(load_model(config), config, load_vocabulary(config)[1])
    assert "Remove 'tokenizer_config'" in raised.value.fix


def test_a_model_grows_to_a_tokenizer_of_its_own_that_has_more_tokens(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    tokenizer = load_tokenizer(make_config())
    tokenizer.add_tokens(["<brand-new>"])
    tokenizer.save_pretrained(folder)
    config = make_config(base_model=str(folder))
    model = load_model(config)
    assert fit_embeddings(model, config, load_vocabulary(config)[1]) == (49152,)
    assert model.get_input_embeddings().weight.shape == (49153, 64)


@pytest.mark.parametrize(
    ("keys", "rows", "new"),
    [
        ({}, 49152, ()),
        ({"tokens": ["<|im_start|>"]}, 49152, ()),
        ({"tokens": ["<a>", "<b>"]}, 49154, (49152, 49153)),
        ({"added_tokens_overrides": {"5": "<a>"}}, 49152, (5,)),
        ({"resize_token_embeddings_to_32x": True}, 49152, ()),
        ({"tokens": ["<a>"], "resize_token_embeddings_to_32x": True}, 49184, tuple(range(49152, 49184))),
    ],
)
def test_the_embeddings_grow_with_the_vocabulary_and_stay_tied(
    keys: dict[str, Any], rows: int, new: tuple[int, ...], make_config: Callable[..., Config]
) -> None:
    config = make_config(**keys)
    model: Any = load_model(config)
    old = model.model.embed_tokens.weight.detach().clone()
    assert fit_embeddings(model, config, load_vocabulary(config)[1]) == new
    assert (model.model.embed_tokens.weight.shape[0], model.config.vocab_size) == (rows, rows)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert torch.equal(model.lm_head.weight[:49152], old)


def test_a_padded_vocabulary_keeps_its_size(
    make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path
) -> None:
    from transformers import LlamaForCausalLM

    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    padded: Any = LlamaForCausalLM.from_pretrained(tiny_model)
    padded.resize_token_embeddings(49160)
    padded.save_pretrained(folder)
    config = make_config(base_model=str(folder), tokens=["<a>"])
    model: Any = load_model(config)
    assert fit_embeddings(model, config, load_vocabulary(config)[1]) == (49152,)
    assert model.model.embed_tokens.weight.shape[0] == 49160


@pytest.mark.parametrize(("mean", "near"), [(True, True), (False, False)])
def test_new_rows_begin_around_the_mean_of_the_old_ones(
    mean: bool, near: bool, make_config: Callable[..., Config]
) -> None:
    def start(seed: int) -> torch.Tensor:
        config = make_config(tokens=["<a>"], mean_resizing_embeddings=mean)
        torch.manual_seed(0)
        model: Any = load_model(config)
        with torch.no_grad():
            model.model.embed_tokens.weight += 1
        torch.manual_seed(seed)
        fit_embeddings(model, config, load_vocabulary(config)[1])
        return model.model.embed_tokens.weight[49152].detach()

    assert (abs(float(start(1).mean()) - 1) < 0.1) is near
    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def rows_of_adapter(model: Any) -> dict[str, list[int]]:
    return {
        name.removeprefix("base_model.model."): module.token_indices["default"]
        for name, module in model.named_modules()
        if type(module).__name__ == "TrainableTokensLayer" and module.tied_adapter is None
    }


EMBED, HEAD = "model.embed_tokens.token_adapter", "lm_head.token_adapter"


@pytest.mark.parametrize(
    ("tied", "keys", "rows"),
    [
        (True, {"tokens": ["<a>"]}, {EMBED: [49152]}),
        (False, {"tokens": ["<a>"]}, {EMBED: [49152], HEAD: [49152]}),
        (True, {"tokens": ["<a>"], "lora_modules_to_save": ["embed_tokens"]}, {}),
        (True, {"tokens": ["<a>"], "lora_modules_to_save": ["lm_head"]}, {}),
        (False, {"tokens": ["<a>"], "lora_modules_to_save": ["embed_tokens"]}, {HEAD: [49152]}),
        (False, {"tokens": ["<a>"], "lora_modules_to_save": ["embed_tokens", "lm_head"]}, {}),
        (True, {"peft_trainable_token_indices": [7, 5]}, {EMBED: [5, 7]}),
        (False, {"peft_trainable_token_indices": [7]}, {EMBED: [7]}),
        (False, {"peft_trainable_token_indices": {"lm_head": [7]}}, {HEAD: [7]}),
        (True, {"peft_trainable_token_indices": {"lm_head": [7]}}, {EMBED: [7]}),
        (
            False,
            {"peft_trainable_token_indices": [7], "tokens": ["<a>"]},
            {EMBED: [7, 49152], HEAD: [49152]},
        ),
    ],
)
def test_the_plan_counts_what_trains_beside_an_adapter(
    tied: bool,
    keys: dict[str, Any],
    rows: dict[str, list[int]],
    make_config: Callable[..., Config],
    tiny_model: Path,
    untied_model: Path,
) -> None:
    from ft_core.models.skeleton import outline_of
    from ft_core.models.targets import trained_parameters
    from ft_core.models.token_rows import grown, new_rows, token_rows, trained_rows

    config = make_config(base_model=str(tiny_model if tied else untied_model), adapter="lora", **keys)
    base = load_model(config)
    changes = load_vocabulary(config)[1]
    after, new = new_rows(config, changes, 49152)
    planned = grown(outline_of(base), after)
    assert fit_embeddings(base, config, changes) == new
    assert outline_of(base) == planned
    model = apply_adapter(base, config, new)
    assert rows_of_adapter(model) == rows
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    whole = config.lora_modules_to_save or ()
    assert trained == trained_parameters(
        planned, rank=8, target_modules="all-linear", modules_to_save=whole
    ) + trained_rows(planned, token_rows(config, planned, new))
    assert dtypes(model, trainable=True) == {torch.float32}


@pytest.mark.parametrize(
    ("keys", "message", "fix"),
    [
        (
            {"peft_trainable_token_indices": [49152]},
            "'peft_trainable_token_indices' names the id 49152, and 'embed_tokens' has 49,152 rows.",
            "Name ids of the tokenizer's tokens.",
        ),
        (
            {"peft_trainable_token_indices": {"embeddings": [1]}},
            "'peft_trainable_token_indices' names 'embeddings', which this model does not have.",
            "Its embeddings are: embed_tokens.",
        ),
        (
            {"tokens": ["<a>"], "lora_target_modules": ["q_proj", "embed_tokens"]},
            "'embed_tokens' cannot have both an adapter and rows of new tokens that are trained.",
            "Write 'lora_modules_to_save: [embed_tokens, lm_head]' to train 'embed_tokens' whole.",
        ),
    ],
)
def test_rows_that_cannot_train_are_refused(
    keys: dict[str, Any], message: str, fix: str, make_config: Callable[..., Config]
) -> None:
    config = make_config(adapter="lora", **keys)
    model = load_model(config)
    new = fit_embeddings(model, config, load_vocabulary(config)[1])
    with pytest.raises(ModelError) as raised:
        apply_adapter(model, config, new)
    assert (raised.value.message, raised.value.fix) == (message, fix)


def test_a_head_with_a_bias_is_refused(make_config: Callable[..., Config]) -> None:
    """PEFT would leave the bias out of the logits."""
    config = make_config(adapter="lora", tokens=["<a>"])
    model: Any = load_model(config)
    model.lm_head.bias = torch.nn.Parameter(torch.zeros(49152))
    new = fit_embeddings(model, config, load_vocabulary(config)[1])
    with pytest.raises(ModelError, match="this output head has a bias"):
        apply_adapter(model, config, new)
