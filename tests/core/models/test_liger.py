"""Liger's kernels: for which models and machines, and what of them is asked for. tests/gpu/test_liger.py computes with them."""

from __future__ import annotations

import importlib.metadata
import types
from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config, ConfigError
from ft_core.errors import MissingExtra
from ft_core.models import liger
from ft_core.models.hardware import Device, Hardware

CPU = Hardware("cpu", (), 8, 16, 8)
GPU = Hardware("cuda", (Device("H100", 80, 80, (9, 0)),), 8, 16, 8)
LLAMA = {"model_type": "llama"}
ALL = {"liger_rope": True, "liger_rms_norm": True, "liger_glu_activation": True}
NONE = dict.fromkeys(ALL, False)
WITHOUT = "remove it: the results are the same without"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.8.5")


@pytest.mark.parametrize(
    ("keys", "model_config", "hardware", "problems"),
    [
        ({}, {"model_type": "gpt2"}, CPU, []),
        ({"liger_fused_linear_cross_entropy": True}, {"model_type": "gpt2"}, CPU, []),
        (ALL, LLAMA, GPU, []),
        (ALL, {}, GPU, []),  # not known before it is loaded
        (
            ALL,
            LLAMA,
            CPU,
            [
                (
                    "error",
                    "'liger_rope' cannot be used here: Liger's kernels run on NVIDIA GPUs only",
                    WITHOUT,
                )
            ],
        ),
        (
            {"liger_rms_norm": True},
            {"model_type": "gpt2"},
            GPU,
            [
                (
                    "error",
                    "'liger_rms_norm' cannot be used here: Liger's kernels are not known to compute what gpt2 models do",
                    WITHOUT,
                )
            ],
        ),
        (
            {"liger_rope": True, "liger_layer_norm": True},
            LLAMA,
            GPU,
            [
                (
                    "warning",
                    "'liger_layer_norm' has no effect: llama models have RMS norms in place of layer norms",
                    "remove it",
                )
            ],
        ),
    ],
)
def test_what_model_and_machine_can_have(
    keys: dict[str, Any],
    model_config: dict[str, Any],
    hardware: Hardware,
    problems: list[tuple[str, str, str]],
    make_config: Callable[..., Config],
    installed: None,
) -> None:
    found = liger.check_liger(make_config(**keys), model_config, hardware)
    assert [(each.severity, each.message, each.fix) for each in found] == problems


def test_a_missing_package_is_a_sentence(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtra) as raised:
        liger.check_liger(make_config(liger_glu_activation=True), LLAMA, GPU)
    assert raised.value.message == (
        "'liger_glu_activation' needs the package liger-kernel, which is not installed."
    )
    assert raised.value.fix == "pip install liger-kernel"


@pytest.mark.parametrize(
    ("keys", "called"),
    [
        (NONE, None),
        (NONE | {"liger_fused_linear_cross_entropy": True}, None),
        (NONE | {"liger_rope": True}, {"rope": True, "rms_norm": False, "swiglu": False, "geglu": False}),
        (ALL, {"rope": True, "rms_norm": True, "swiglu": True, "geglu": True}),
        # By itself; a block that is one step with its adapters has its activation in it.
        ({}, {"rope": True, "rms_norm": True, "swiglu": True, "geglu": True}),
        ({"adapter": "lora"}, {"rope": True, "rms_norm": True, "swiglu": False, "geglu": False}),
        (
            {"adapter": "lora", "lora_mlp_kernel": False, "liger_rope": False},
            {"rope": False, "rms_norm": True, "swiglu": True, "geglu": True},
        ),
        ({"torch_compile": True}, None),
    ],
)
def test_what_liger_is_asked_to_replace(
    keys: dict[str, Any],
    called: dict[str, bool] | None,
    make_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
    installed: None,
) -> None:
    """Its losses are named too: left out, they are replaced by default."""
    given: list[dict[str, Any]] = []
    library = types.SimpleNamespace(_apply_liger_kernel_to_instance=lambda **how: given.append(how))
    monkeypatch.setattr("importlib.import_module", lambda name: library)
    model: Any = types.SimpleNamespace(config=types.SimpleNamespace(to_dict=lambda: LLAMA))
    liger.apply_liger(model, make_config(**keys), GPU)
    losses = {"cross_entropy": False, "fused_linear_cross_entropy": False}
    assert given == ([] if called is None else [{"model": model, **losses, **called}])


def test_a_model_that_cannot_have_them_is_refused(
    make_config: Callable[..., Config], installed: None
) -> None:
    model: Any = types.SimpleNamespace(config=types.SimpleNamespace(to_dict=lambda: {"model_type": "gpt2"}))
    with pytest.raises(ConfigError, match="'liger_rope' cannot be used here"):
        liger.apply_liger(model, make_config(liger_rope=True), GPU)


@pytest.mark.parametrize(
    ("keys", "words", "loss"),
    [
        ({}, "", ("", "")),
        (ALL | {"liger_layer_norm": True}, "rotary positions, RMS norms, gated activations", ("", "")),
        (
            {"liger_rms_norm": True, "liger_fused_linear_cross_entropy": True},
            "RMS norms",
            (
                "within the output head",
                "as 'liger_fused_linear_cross_entropy' asks: the logits of some trained tokens at a time, and never of all",
            ),
        ),
        # A method of preferences has a loss of its own.
        (
            {
                "liger_fused_linear_cross_entropy": True,
                "rl": "dpo",
                "datasets": [{"path": "org/data", "type": "chatml.intel"}],
            },
            "",
            ("", ""),
        ),
        (
            {"cut_cross_entropy": True},
            "",
            (
                "within the output head",
                "as 'cut_cross_entropy' asks: the logits of some trained tokens at a time, and never of all",
            ),
        ),
    ],
)
def test_words_of_the_plan(
    keys: dict[str, Any], words: str, loss: tuple[str, str], make_config: Callable[..., Config]
) -> None:
    config = make_config(**keys)
    assert (liger.liger_words(liger.asked_kernels(config)), liger.loss_words(config)) == (words, loss)


@pytest.mark.parametrize(
    ("family", "hardware", "version", "chosen"),
    [
        ("llama", GPU, "0.8.0", list(ALL)),
        ("llama", GPU, "0.10.1", list(ALL)),
        ("llama", GPU, "0.7.9", []),
        ("llama", GPU, "", []),
        ("gpt2", GPU, "0.8.5", []),
        ("llama", CPU, "0.8.5", []),
    ],
)
def test_unasked_it_computes_only_what_was_tried(
    family: str,
    hardware: Hardware,
    version: str,
    chosen: list[str],
    make_config: Callable[..., Config],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def installed(name: str) -> str:
        if not version:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr("importlib.metadata.version", installed)
    assert liger.chosen_kernels(make_config(), {"model_type": family}, hardware) == chosen
