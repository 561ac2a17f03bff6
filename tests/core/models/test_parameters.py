from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import ModelError
from ft_core.models.adapter import apply_adapter, target_modules
from ft_core.models.load import load_model
from ft_core.models.parameters import (
    fetch_model_config,
    local_model_config,
    model_folder,
    outline_folder,
    positions,
    read_header,
    read_outline,
)
from ft_core.models.targets import trained_parameters


def write_safetensors(file: Path, shapes: dict[str, list[int]]) -> None:
    """Write a safetensors file that has a header and no data."""
    entries = {
        name: {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]} for name, shape in shapes.items()
    }
    header = json.dumps({"__metadata__": {"format": "pt"}, **entries}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header)


def test_the_headers_count_what_the_model_has(tiny_model: Path, make_config: Callable[..., Config]) -> None:
    outline = read_outline(str(tiny_model))
    assert outline is not None
    assert outline.total == load_model(make_config()).num_parameters() == 3_219_776


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"lora_r": 8}, 16_384),
        ({"lora_r": 4, "lora_target_modules": ["q_proj", "v_proj"]}, 1_792),
        ({"lora_r": 4, "lora_target_linear": True}, 8_192),
        ({"lora_r": 8, "peft_use_dora": True}, 17_408),
        (
            {"lora_r": 8, "lora_target_modules": ["q_proj"], "lora_modules_to_save": ["embed_tokens"]},
            3_147_776,
        ),
    ],
)
def test_adapter_parameters_are_those_that_peft_makes(
    keys: dict[str, Any], expected: int, tiny_model: Path, make_config: Callable[..., Config]
) -> None:
    config = make_config(adapter="lora", **keys)
    outline = read_outline(str(tiny_model))
    assert outline is not None
    counted = trained_parameters(
        outline,
        rank=config.lora_r or 0,
        target_modules=target_modules(config),
        modules_to_save=config.lora_modules_to_save or (),
        use_dora=config.peft_use_dora,
    )
    made = apply_adapter(load_model(config), config)
    assert counted == sum(weight.numel() for weight in made.parameters() if weight.requires_grad) == expected


def test_tied_weights_that_are_stored_twice_count_once(tmp_path: Path) -> None:
    shapes = {
        "model.embed_tokens.weight": [10, 4],
        "lm_head.weight": [10, 4],
        "model.layers.0.mlp.up_proj.weight": [8, 4],
    }
    write_safetensors(tmp_path / "model.safetensors", shapes)
    (tmp_path / "config.json").write_text('{"tie_word_embeddings": true}')
    tied = outline_folder(tmp_path)
    (tmp_path / "config.json").write_text('{"tie_word_embeddings": false}')
    untied = outline_folder(tmp_path)
    assert tied is not None
    assert untied is not None
    assert (tied.total, untied.total) == (72, 112)


def test_shards_are_added_up_and_adapters_left_out(tmp_path: Path) -> None:
    write_safetensors(tmp_path / "model-00001-of-00002.safetensors", {"a.weight": [3, 2]})
    write_safetensors(tmp_path / "model-00002-of-00002.safetensors", {"b.bias": [5]})
    write_safetensors(tmp_path / "adapter_model.safetensors", {"c.weight": [100, 100]})
    outline = outline_folder(tmp_path)
    assert outline is not None
    assert outline.total == 11
    assert list(outline.linear_layers()) == ["a"]


def test_embeddings_heads_and_experts_are_no_linear_layers(tmp_path: Path) -> None:
    names = [
        "model.embed_tokens",
        "lm_head",
        "transformer.wte",
        "model.layers.0.mlp.experts.3.up_proj",
        "model.layers.0.q_proj",
    ]
    write_safetensors(tmp_path / "model.safetensors", {f"{name}.weight": [4, 4] for name in names})
    outline = outline_folder(tmp_path)
    assert outline is not None
    assert list(outline.linear_layers()) == ["model.layers.0.q_proj"]
    assert (outline.output_head, outline.modules["transformer.wte"].kind) == ("lm_head", "embedding")
    assert outline.modules["model.layers"].parameters == 32


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, (20).to_bytes(8, "little") + b"not json" * 3])
def test_a_file_that_is_no_safetensors_file_counts_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    assert read_header(tmp_path / "model.safetensors") is None
    assert outline_folder(tmp_path) is None


def test_nothing_is_known_of_a_model_that_is_not_here(tmp_path: Path) -> None:
    assert read_outline(str(tmp_path)) is None
    assert read_outline("nobody/no-such-model") is None  # HF_HUB_OFFLINE is set for all tests
    assert read_outline("not a hub id at all!") is None
    assert local_model_config("nobody/no-such-model") == {}


def test_a_model_in_the_hubs_cache_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    repository = tmp_path / "models--some--model"
    snapshot = repository / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc")
    (snapshot / "config.json").write_text('{"model_type": "llama"}')
    write_safetensors(snapshot / "model.safetensors", {"a.weight": [3, 2]})
    outline = read_outline("some/model")
    assert outline is not None
    assert outline.total == 6
    assert local_model_config("some/model") == {"model_type": "llama"}


@pytest.mark.parametrize("content", ["{", "[1]", "[" * 100_000, "\udcff"])
def test_a_config_that_is_no_map_is_a_sentence(content: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(ModelError, match="of the model in"):
        local_model_config(str(tmp_path))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"max_position_embeddings": 2048}, 2048),
        ({"n_positions": 1024}, 1024),
        ({"max_seq_len": 512}, 512),
        ({"text_config": {"max_position_embeddings": 64}}, 64),
        ({"max_position_embeddings": "many"}, None),
        ({"max_position_embeddings": True}, None),
        ({"text_config": 3}, None),
        ({}, None),
    ],
)
def test_the_positions_that_a_config_says(config: dict[str, Any], expected: int | None) -> None:
    assert positions(config) == expected


def test_a_hub_models_config_is_fetched_and_its_code_only_where_it_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: list[tuple[str, str | None, list[str]]] = []

    def download(repo: str, *, revision: str | None, allow_patterns: list[str]) -> None:
        asked.append((repo, revision, allow_patterns))
        raise OSError("no network")

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    fetch_model_config("some/model", None, with_code=False)  # HF_HUB_OFFLINE is set for all tests
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    fetch_model_config(str(tmp_path), None, with_code=True)
    assert asked == []
    fetch_model_config("some/model", None, with_code=False)
    fetch_model_config("some/model", "v2", with_code=True)
    assert asked == [("some/model", None, ["config.json"]), ("some/model", "v2", ["config.json", "*.py"])]
    assert model_folder("some/model") is None
