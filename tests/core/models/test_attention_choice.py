"""Which attention a run uses on which machine, and the words that the plan has for it."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.config.problems import ConfigError
from ft_core.errors import MissingExtra
from ft_core.models.attention_choice import choose_attention
from ft_core.models.attention_paths import NO_FLASH, NO_FLEX, NO_SDPA, device_obstacle
from ft_core.models.hardware import Device, Hardware
from tests.conformance.test_isolation import KEPT_APART, REFUSED

GIB = 1024**3


def gpu(name: str, *capability: int) -> Hardware:
    return Hardware("cuda", (Device(name, 40 * GIB, 40 * GIB, (capability[0], capability[1])),), 8, 16, 8)


CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
T4, A100, L4, H100, B200 = (
    gpu("Tesla T4", 7, 5),
    gpu("A100", 8, 0),
    gpu("L4", 8, 9),
    gpu("H100", 9, 0),
    gpu("B200", 10, 0),
)
MIXED = Hardware("cuda", (H100.devices[0], T4.devices[0]), 8, 16, 8)

PACKED = {"sample_packing": True, "sequence_len": 64}
LLAMA = {"model_type": "llama", "hidden_size": 64, "num_attention_heads": 4}
GEMMA = {"model_type": "gemma", "hidden_size": 64, "num_attention_heads": 4, "head_dim": 256}
GEMMA_2 = {**GEMMA, "model_type": "gemma2", "head_dim": 128, "attn_logit_softcapping": 50.0}
DROPPING = {**LLAMA, "attention_dropout": 0.1}
NARROW = {**LLAMA, "hidden_size": 32}

SEES_ALL = "torch's own fused attention, and no package beyond torch"
ALONE = "torch's own kernel for packed rows, which computes each document alone"
MASKED = "torch's own fused attention, over a mask of documents: "
ON_NVIDIA = "torch's kernel for documents runs on NVIDIA GPUs only"
TOO_OLD = "torch's kernel for documents needs an Ampere GPU or newer"
ASKED = "'attn_implementation' in the config"
FLASH_2 = "of the package flash-attn, which computes each document alone"
FLASH_3 = "of the package flash-attn-3 for Hopper GPUs, which computes each document alone"
FLASH_4 = "of the package flash-attn-4, the fastest that computes each document alone"
XFORMERS = "of the package xformers, which computes each document alone on GPUs too that others do not run on"
FASTER_4 = "; flash_attention_4 would be faster: pip install --pre flash-attn-4"
FASTER_2 = "; flash_attention_2 would be faster: pip install flash-attn --no-build-isolation"
FLEXIBLE = "; flex_attention would take less memory on long rows"
FASTER_X = "; xformers would be faster: pip install xformers"


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return a function that makes this machine have torch 2.11 and the packages that it is given, and no other."""

    def packages(*names: str, torch: str = "2.11.0+cu130") -> None:
        def version(name: str) -> str:
            if name == "torch":
                return torch
            if name in names:
                return "1"
            raise importlib.metadata.PackageNotFoundError

        shared = any(name in names for name in ("flash-attn", "flash-attn-4"))
        monkeypatch.setattr("importlib.metadata.version", version)
        found = {"flash_attn"} if shared else set[str]()
        monkeypatch.setattr("importlib.util.find_spec", lambda name: name if name in found else None)

    packages()
    return packages


@pytest.mark.parametrize(
    ("hardware", "keys", "model_config", "attention", "reason"),
    [
        (CPU, {}, LLAMA, "sdpa", SEES_ALL),
        (CPU, {}, {}, "sdpa", SEES_ALL),
        (H100, {}, LLAMA, "sdpa", SEES_ALL),
        (CPU, {}, GEMMA_2, "eager", "gemma2 models have no path through sdpa"),
        (CPU, PACKED, {"model_type": "mpt"}, "eager", "mpt models have no path through sdpa"),
        (H100, PACKED, {"model_type": "gpt_oss"}, "eager", "gpt_oss models have no path through sdpa"),
        (A100, PACKED, GEMMA_2, "eager", "gemma2 models have no path through sdpa" + FLEXIBLE),
        (
            A100,
            PACKED,
            {**GEMMA_2, "head_dim": 8},
            "eager",
            "gemma2 models have no path through sdpa" + FASTER_2,
        ),
        (A100, PACKED, LLAMA, "varlen", ALONE),
        (H100, PACKED, LLAMA, "varlen", ALONE + FASTER_4),
        (A100, {"batch_flattening": True}, LLAMA, "varlen", ALONE),
        (A100, PACKED, GEMMA, "varlen", ALONE),
        (CPU, PACKED, LLAMA, "sdpa", MASKED + ON_NVIDIA),
        (T4, PACKED, LLAMA, "sdpa", MASKED + TOO_OLD + FASTER_X),
        (MIXED, PACKED, LLAMA, "sdpa", MASKED + TOO_OLD + FASTER_X),
        (
            A100,
            PACKED | {"bf16": False},
            LLAMA,
            "sdpa",
            MASKED + "torch's kernel for documents computes in bf16 or fp16" + FASTER_X,
        ),
        (
            A100,
            PACKED,
            {"model_type": "stablelm"},
            "sdpa",
            MASKED + "stablelm models are not known to work with torch's kernel for documents",
        ),
        (
            A100,
            PACKED,
            {},
            "sdpa",
            MASKED + "unknown models are not known to work with torch's kernel for documents",
        ),
        (
            L4,
            PACKED,
            GEMMA,
            "sdpa",
            MASKED + "torch's kernel for documents takes no heads of 256 numbers" + FASTER_2,
        ),
        (
            A100,
            PACKED,
            {**LLAMA, "hidden_size": 48},
            "sdpa",
            MASKED + "torch's kernel for documents takes no heads of 12 numbers",
        ),
        (A100, PACKED, DROPPING, "sdpa", MASKED + "torch's kernel for documents has no dropout" + FASTER_2),
    ],
)
def test_auto_without_a_package(
    hardware: Hardware,
    keys: dict[str, Any],
    model_config: dict[str, Any],
    attention: str,
    reason: str,
    make_config: Callable[..., Config],
    install: Callable[..., None],
) -> None:
    assert choose_attention(make_config(**keys), model_config, hardware) == (attention, reason)


EVERYTHING = ("flash-attn", "flash-attn-3", "flash-attn-4", "xformers")


@pytest.mark.parametrize(
    ("packages", "hardware", "model_config", "attention", "reason"),
    [
        (EVERYTHING, H100, LLAMA, "flash_attention_4", FLASH_4),
        (EVERYTHING, B200, LLAMA, "flash_attention_4", FLASH_4),
        (EVERYTHING, B200, GEMMA, "varlen", ALONE),  # too large a head for the fastest there
        (EVERYTHING, H100, GEMMA, "flash_attention_4", FLASH_4),
        (EVERYTHING, H100, GEMMA_2, "flash_attention_4", FLASH_4),
        (EVERYTHING, H100, DROPPING, "flash_attention_2", FLASH_2),
        (EVERYTHING, A100, LLAMA, "varlen", ALONE),
        (EVERYTHING, A100, GEMMA_2, "flash_attention_2", FLASH_2),
        (EVERYTHING, L4, GEMMA, "flash_attention_2", FLASH_2),
        (EVERYTHING, T4, LLAMA, "xformers", XFORMERS),
        (EVERYTHING, T4, GEMMA_2, "eager", "gemma2 models have no path through sdpa" + FLEXIBLE),
        (EVERYTHING, CPU, LLAMA, "sdpa", MASKED + ON_NVIDIA),
        (("flash-attn-3",), H100, LLAMA, "flash_attention_3", FLASH_3 + FASTER_4),
        (("flash-attn-4",), H100, LLAMA, "flash_attention_4", FLASH_4),
        (("xformers",), A100, DROPPING, "xformers", XFORMERS + FASTER_2),
        (("xformers", "flash-attn-4"), T4, LLAMA, "sdpa", MASKED + TOO_OLD),  # xformers cannot be imported
    ],
)
def test_auto_takes_the_fastest_that_is_here_and_right(
    packages: tuple[str, ...],
    hardware: Hardware,
    model_config: dict[str, Any],
    attention: str,
    reason: str,
    make_config: Callable[..., Config],
    install: Callable[..., None],
) -> None:
    install(*packages)
    assert choose_attention(make_config(**PACKED), model_config, hardware) == (attention, reason)


def test_capped_scores_take_flash_attention_unpacked_too(
    make_config: Callable[..., Config], install: Callable[..., None]
) -> None:
    install("flash-attn")
    assert choose_attention(make_config(), GEMMA_2, A100) == ("flash_attention_2", FLASH_2)


def test_an_older_torch_has_no_window_in_its_kernel(
    make_config: Callable[..., Config], install: Callable[..., None]
) -> None:
    install(torch="2.10.1")
    found = choose_attention(make_config(**PACKED), LLAMA, A100)
    assert found == ("sdpa", MASKED + "torch's kernel for documents came with torch 2.11" + FASTER_2)


@pytest.mark.parametrize(
    ("asked", "packages", "hardware", "model_config", "found"),
    [
        ("sdpa", (), CPU, LLAMA, ("sdpa", ASKED)),
        ("eager", (), H100, {"model_type": "mpt"}, ("eager", ASKED)),
        ("varlen", (), A100, LLAMA, ("varlen", ASKED)),
        ("xformers", ("xformers",), T4, LLAMA, ("xformers", ASKED)),
        ("flex_attention", (), H100, GEMMA_2, ("flex_attention", ASKED)),
        ("flex_attention", (), T4, LLAMA, ("flex_attention", ASKED)),
        ("flash_attention_2", ("flash-attn",), A100, LLAMA, ("flash_attention_2", ASKED)),
        (
            "flash_attention_2",
            ("flash-attn",),
            A100,
            {"model_type": "stablelm"},
            ("flash_attention_2", ASKED),
        ),
        ("flash_attention_3", ("flash-attn-3",), H100, LLAMA, ("flash_attention_3", ASKED)),
        ("flash_attention_4", ("flash-attn-4",), B200, LLAMA, ("flash_attention_4", ASKED)),
        (
            "flash_attention_2",
            (),
            A100,
            LLAMA,
            (
                "varlen",
                "'flash_attention_2' in the config: the package flash-attn is not here, and torch has its kernel",
            ),
        ),
    ],
)
def test_what_is_asked_for(
    asked: str,
    packages: tuple[str, ...],
    hardware: Hardware,
    model_config: dict[str, Any],
    found: tuple[str, str],
    make_config: Callable[..., Config],
    install: Callable[..., None],
) -> None:
    install(*packages)
    assert choose_attention(make_config(attn_implementation=asked), model_config, hardware) == found


@pytest.mark.parametrize(
    ("asked", "hardware", "model_config", "why"),
    [
        ("varlen", CPU, LLAMA, ON_NVIDIA),
        ("varlen", T4, LLAMA, TOO_OLD),
        ("varlen", A100, GEMMA_2, "torch's kernel for documents cannot cap scores, as gemma2 models do"),
        ("xformers", CPU, LLAMA, "xformers runs on NVIDIA GPUs only"),
        ("xformers", gpu("P100", 6, 0), LLAMA, "xformers needs a Volta GPU or newer"),
        ("xformers", T4, {"model_type": "gpt2"}, "gpt2 models are not known to work with xformers"),
        ("flex_attention", CPU, LLAMA, "torch computes no gradients of flex attention without an NVIDIA GPU"),
        ("flex_attention", H100, {"model_type": "gpt2"}, "gpt2 models have no path through flex_attention"),
        ("flex_attention", H100, NARROW, "flex attention takes no heads of 8 numbers"),
        ("flex_attention", H100, DROPPING, "flex attention has no dropout"),
        ("flash_attention_2", CPU, LLAMA, "flash-attn runs on NVIDIA GPUs only"),
        ("flash_attention_2", T4, LLAMA, "flash-attn needs an Ampere GPU or newer"),
        (
            "flash_attention_2",
            A100,
            {"model_type": "mpt"},
            "mpt models have no path through flash_attention_2",
        ),
        ("flash_attention_3", A100, LLAMA, "flash-attn-3 needs a Hopper GPU, such as an H100"),
        ("flash_attention_3", B200, LLAMA, "flash-attn-3 needs a Hopper GPU, such as an H100"),
        ("flash_attention_4", A100, LLAMA, "flash-attn-4 needs a Hopper GPU or newer"),
        ("flash_attention_4", H100, DROPPING, "flash-attn-4 has no dropout"),
        ("flash_attention_4", B200, GEMMA, "flash-attn-4 takes no heads of 256 numbers"),
        ("sdpa", CPU, GEMMA_2, "gemma2 models have no path through sdpa"),
    ],
)
def test_what_cannot_be_is_a_sentence(
    asked: str,
    hardware: Hardware,
    model_config: dict[str, Any],
    why: str,
    make_config: Callable[..., Config],
    install: Callable[..., None],
) -> None:
    install(*EVERYTHING)
    with pytest.raises(ConfigError) as raised:
        choose_attention(make_config(attn_implementation=asked), model_config, hardware)
    [problem] = raised.value.problems
    assert problem.key == "attn_implementation"
    assert problem.message == f"'attn_implementation: {asked}' cannot be used here: {why}"
    assert (
        problem.fix == "write 'attn_implementation: auto', which picks what this model and this device can do"
    )


@pytest.mark.parametrize(
    ("asked", "hardware", "model_config", "package", "install_line"),
    [
        ("xformers", T4, LLAMA, "xformers", "pip install xformers"),
        ("flash_attention_4", H100, LLAMA, "flash-attn-4", "pip install --pre flash-attn-4"),
        (
            "flash_attention_3",
            H100,
            LLAMA,
            "flash-attn-3",
            "build it from the folder 'hopper' of https://github.com/Dao-AILab/flash-attention",
        ),
        (
            "flash_attention_2",
            L4,
            GEMMA,
            "flash-attn",
            "pip install flash-attn --no-build-isolation",
        ),
    ],
)
def test_a_missing_package_is_a_sentence(
    asked: str,
    hardware: Hardware,
    model_config: dict[str, Any],
    package: str,
    install_line: str,
    make_config: Callable[..., Config],
    install: Callable[..., None],
) -> None:
    with pytest.raises(MissingExtra) as raised:
        choose_attention(make_config(attn_implementation=asked), model_config, hardware)
    message = f"'attn_implementation: {asked}' needs the package {package}, which is not installed."
    assert (raised.value.message, raised.value.fix) == (message, install_line)


@pytest.mark.parametrize("family", sorted({*KEPT_APART, *REFUSED}))
def test_no_family_is_given_a_path_that_transformers_has_not(family: str) -> None:
    """A newer version may have more of them: gptj got sdpa in 5.24."""
    from transformers import AutoConfig, AutoModelForCausalLM

    model: Any = AutoModelForCausalLM._model_mapping[type(AutoConfig.for_model(family))]
    assert model._supports_sdpa or family in NO_SDPA
    assert model._supports_flash_attn or family in NO_FLASH
    assert model._supports_flex_attn or family in NO_FLEX


@pytest.mark.parametrize(
    ("torch", "built", "obstacle"),
    [
        (
            "2.11.0+cu130",
            '{"version": {"cuda": 1208}}',
            "the installed xformers is built for CUDA 12, and torch for CUDA 13",
        ),
        ("2.11.0+cu130", '{"version": {"cuda": 1300}}', ""),
        ("2.11.0+cu128", '{"version": {"cuda": 1208}}', ""),
        # Nothing is known of these.
        ("2.11.0", '{"version": {"cuda": 1208}}', ""),
        ("2.11.0+cu130", '{"version": {"cuda": null}}', ""),
        ("2.11.0+cu130", "", ""),
    ],
)
def test_xformers_of_another_cuda_has_no_kernels(
    torch: str, built: str, obstacle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "xformers"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('nobody imports it for this')")
    (package / "cpp_lib.json").write_text(built)
    monkeypatch.syspath_prepend(tmp_path)
    version = importlib.metadata.version
    monkeypatch.setattr(
        importlib.metadata, "version", lambda name: torch if name == "torch" else version(name)
    )
    assert device_obstacle("xformers", T4) == obstacle
