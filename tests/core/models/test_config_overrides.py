from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models import skeleton
from ft_core.models.config_overrides import (
    loading_arguments,
    model_settings,
    overridden,
    overrides_of,
)
from ft_core.models.load import load_model
from ft_core.models.parameters import model_config
from ft_core.models.skeleton import build_skeleton, cached_skeleton, outline_of

YARN = {"rope_type": "yarn", "factor": 2.0, "beta_fast": 32.0}


@pytest.mark.parametrize(
    ("stored", "overrides", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"a": 1}, {}),
        ({"a": 1, "b": {"c": 2, "d": 3}}, {"a": 5, "b": {"d": 4}}, {"a": 5, "b": {"c": 2, "d": 4}}),
        (
            {"rope_parameters": {"rope_theta": 5.0, **YARN}},
            {"rope_scaling": {"type": "linear", "factor": 4}},
            {"rope_parameters": {"rope_theta": 5.0, "rope_type": "linear", "factor": 4}},
        ),
        (
            {"rope_parameters": {"rope_theta": 5.0, **YARN}},
            {"rope_parameters": {"factor": 4}},
            {"rope_parameters": {"rope_theta": 5.0, **YARN, "factor": 4}},
        ),
        (
            {"rope_theta": 5.0, "rope_scaling": YARN},
            {"rope_scaling": {"type": "linear", "factor": 4}},
            {"rope_theta": 5.0, "rope_scaling": {"rope_type": "linear", "factor": 4}},
        ),
    ],
)
def test_what_is_written_over(
    stored: dict[str, Any], overrides: dict[str, Any], expected: dict[str, Any]
) -> None:
    before = json.dumps([stored, overrides])
    assert overridden(stored, overrides) == expected
    assert json.dumps([stored, overrides]) == before


def test_ways_for_each_kind_of_attention() -> None:
    stored = {
        "rope_parameters": {"full_attention": {"rope_theta": 1.0}, "sliding_attention": {"rope_theta": 2.0}}
    }
    with pytest.raises(ModelError) as caught:
        overridden(stored, {"rope_scaling": YARN})
    assert caught.value.fix == (
        "Write 'rope_parameters' with full_attention or sliding_attention in overrides_of_model_config."
    )


def test_arguments_and_entries(make_config: Callable[..., Config]) -> None:
    config = make_config(
        overrides_of_model_kwargs={"attention_dropout": 0.1, "use_safetensors": True, "rms_norm_eps": 1e-3},
        overrides_of_model_config={"rms_norm_eps": 1e-4},
    )
    assert overrides_of(config) == {"attention_dropout": 0.1, "rms_norm_eps": 1e-4}
    assert loading_arguments(config) == {"use_safetensors": True}


def test_the_model_has_them(make_config: Callable[..., Config]) -> None:
    overrides = {"rope_scaling": {"rope_type": "linear", "factor": 4.0}, "max_position_embeddings": 2048}
    plain, changed = load_model(make_config()), load_model(make_config(overrides_of_model_config=overrides))
    theta = plain.config.rope_parameters["rope_theta"]
    assert changed.config.rope_parameters == {"rope_type": "linear", "factor": 4.0, "rope_theta": theta}
    assert changed.config.max_position_embeddings == 2048
    rotary: Any = changed.model.rotary_emb
    assert torch.equal(rotary.inv_freq * 4, plain.model.rotary_emb.inv_freq)
    assert all(
        torch.equal(one, other) for one, other in zip(plain.parameters(), changed.parameters(), strict=True)
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            {"rms_norm_esp": 1.0},
            "The config.json of '{}' knows no 'rms_norm_esp', which is to be written over: did you mean 'rms_norm_eps'?",
        ),
        ({"zzz": 1.0}, "The config.json of '{}' knows no 'zzz', which is to be written over."),
        (
            {"intermediate_size": 32},
            "The weights of '{}' are of other shapes than the overrides of its config.",
        ),
        (
            {"num_hidden_layers": 3},
            "'{}' has no weights for model.layers.2.input_layernorm.weight, which the overrides of its config ask for.",
        ),
    ],
)
def test_what_the_model_cannot_have(
    make_config: Callable[..., Config], tiny_model: Path, overrides: dict[str, Any], message: str
) -> None:
    with pytest.raises(ModelError) as caught:
        load_model(make_config(overrides_of_model_config=overrides))
    assert caught.value.message == message.format(tiny_model)


def test_the_outline_is_that_of_the_changed_model(
    make_config: Callable[..., Config], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(folder: Path, *, trust_remote_code: bool) -> dict[str, Any]:
        return json.loads(json.dumps(skeleton.main(str(folder), trust_remote_code=trust_remote_code)))

    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(skeleton, "_ask_child", answer)
    config = make_config(overrides_of_model_config={"num_hidden_layers": 1, "max_position_embeddings": 77})
    built = build_skeleton(config)
    assert built == outline_of(load_model(config)) == cached_skeleton(config)
    assert built is not None
    assert (built.total, built.positions) == (49152 * 64 + 36_992 + 64, 77)
    assert cached_skeleton(make_config()) is None


def test_new_weights(make_config: Callable[..., Config], tiny_model: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((tiny_model / name).read_bytes())
    config = make_config(
        base_model=str(tmp_path), reinit_weights=True, overrides_of_model_config={"num_hidden_layers": 1}
    )
    torch.manual_seed(3)
    one = load_model(config)
    torch.manual_seed(3)
    other = load_model(config)
    assert one.config.num_hidden_layers == 1
    assert {weight.dtype for weight in one.parameters()} == {torch.float32}
    assert all(
        torch.equal(first, second) for first, second in zip(one.parameters(), other.parameters(), strict=True)
    )
    with pytest.raises(ModelError, match=r"has a config.json but no weights"):
        load_model(make_config(base_model=str(tmp_path)))


def test_nothing_written_over_reads_nothing(tiny_model: Path) -> None:
    assert model_settings(str(tiny_model), {}) is None
    changed = model_settings(str(tiny_model), {"attention_dropout": 0.25})
    assert changed is not None
    assert (changed.attention_dropout, changed.name_or_path) == (0.25, str(tiny_model))
    stored = type(changed).from_pretrained(str(tiny_model)).to_dict()
    differing = {key for key, value in changed.to_dict().items() if stored[key] != value}
    assert differing == {"attention_dropout", "_name_or_path"}
    assert "attention_dropout" in model_config(tiny_model)
