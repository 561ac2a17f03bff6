"""Linear layers whose weights a family reads past them get no adapter and are not rounded; all others do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_core.errors import ModelError
from ft_core.models import apply_adapter, load_model, quantise
from ft_core.models.adapter import count_trained
from ft_core.models.parameters import read_outline
from ft_core.models.skeleton import outline_of
from ft_core.models.targets import adaptable_names
from ft_core.train.model_checks import check_adapter
from tests.conformance.families import FAMILIES, write_model
from tests.conformance.matrix import as_quantised
from tests.conformance.trained import config_of

LORA = {"adapter": "lora", "lora_r": 2}
MAMBA_IN = 2 * 2 * (64 + 256)  # two layers, rank 2, 64 numbers in and twice 128 out


def written(name: str, folder: Path) -> Path:
    write_model(FAMILIES[name], folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("Mamba", {"in_proj"}),
        (
            "Jamba",
            {"in_proj", "x_proj", "out_proj", "q_proj", "k_proj", "v_proj", "o_proj"}
            | {"gate_proj", "up_proj", "down_proj"},
        ),
    ],
)
def test_all_linear_layers_are_those_that_are_called(name: str, layers: set[str], tmp_path: Path) -> None:
    config = config_of(written(name, tmp_path), LORA)
    model: Any = load_model(config)
    outline = outline_of(model)
    assert set(adaptable_names(outline)) >= layers - {"gate_proj", "up_proj", "down_proj"}
    assert "dt_proj" not in adaptable_names(outline)
    adapted = apply_adapter(model, config)
    trained = {path: weight.numel() for path, weight in adapted.named_parameters() if weight.requires_grad}
    assert {path.split(".lora_")[0].rsplit(".", 1)[-1] for path in trained} - layers <= {
        "experts",
        "base_layer",
    }
    assert sum(trained.values()) == count_trained(config, outline)


def test_the_files_of_a_model_tell_it_too(tmp_path: Path) -> None:
    config = config_of(written("Mamba", tmp_path), LORA)
    outline = read_outline(config.base_model)
    assert outline is not None
    assert count_trained(config, outline) == MAMBA_IN


def test_a_layer_that_is_not_called_is_refused_by_name(tmp_path: Path) -> None:
    config = config_of(written("Mamba", tmp_path), {**LORA, "lora_target_modules": ["in_proj", "out_proj"]})
    [problem] = check_adapter(config, outline_of(load_model(config)))
    assert problem.message == (
        "'out_proj' of 'lora_target_modules' is not computed as a linear layer in this model, so it can have no adapter"
    )
    assert (
        problem.fix == "its linear layers are: in_proj; or write 'lora_target_linear: true' for all of them"
    )


def test_layers_that_are_not_called_stay_whole_in_4_bit(tmp_path: Path) -> None:
    model: Any = load_model(config_of(written("Mamba", tmp_path), {"adapter": "qlora", "load_in_4bit": True}))
    rounded = {
        name.rsplit(".", 1)[-1]
        for name, module in model.named_modules()
        if type(module).__name__ == "Linear4bit"
    }
    assert rounded == {"in_proj"}


@pytest.mark.parametrize("name", ["Falcon", "Cerebras"])
def test_a_gptq_checkpoint_that_would_not_be_loaded_is_refused(name: str, tmp_path: Path) -> None:
    family = FAMILIES[name].model_type
    with pytest.raises(ModelError) as raised:
        load_model(config_of(as_quantised(written(name, tmp_path)), LORA))
    assert raised.value.message == (
        f"Transformers does not load the layers of {family} models that GPTQ quantised."
    )
    assert raised.value.fix == "Name the whole model in base_model."


@pytest.mark.parametrize(
    ("keys", "bits", "fix"),
    [
        ({"adapter": "qlora", "load_in_4bit": True}, 4, "Remove 'load_in_4bit', and write 'adapter: lora'."),
        ({"adapter": "lora", "load_in_8bit": True}, 8, "Remove 'load_in_8bit'."),
    ],
)
def test_a_base_of_which_nothing_would_be_rounded_is_refused(
    keys: dict[str, Any], bits: int, fix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Falcon's layers, known by name or not, where Transformers does not replace them."""
    config = config_of(written("Falcon", tmp_path), keys)
    for known in (("falcon",), ()):
        monkeypatch.setattr(quantise, "_WHOLE", known)
        with pytest.raises(ModelError) as raised:
            load_model(config)
        assert raised.value.message == (
            f"'load_in_{bits}bit' cannot be used with this model: "
            "its linear layers are of a class that Transformers leaves whole."
        )
        assert raised.value.fix == fix
