"""Liger's kernels in the place of a model's own norms, rotary positions and gated activations.

They compute the same in fewer passes over memory (https://arxiv.org/abs/2410.10989). Its kernels of the loss are not used: ours
(`ft_core.train.targets`) makes the logits of trained tokens alone, some at a time, where Liger's makes those of all tokens; it
also trains adapters on the head. Importing this module imports neither torch nor transformers.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from ft_core.errors import MissingExtra
from ft_core.models.fused.choose import choose_fused

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from ft_core.config import Config, Problem
    from ft_core.models.hardware import Hardware

KERNELS = {
    "liger_rope": "rotary positions",
    "liger_rms_norm": "RMS norms",
    "liger_layer_norm": "layer norms",
    "liger_glu_activation": "gated activations",
}
"""Keys that ask for a kernel, and what it computes."""

FAMILIES = (
    "gemma", "gemma2", "gemma3_text", "granite", "llama", "mistral", "mixtral", "olmo2", "phi3", "qwen2", "qwen3", "qwen3_moe",
    "smollm3",
)  # fmt: skip
"""Families whose norms, positions and activations Liger computes as they do; none of them has layer norms."""

_TRIED = (0, 8)
_ARGUMENTS = {
    "liger_rope": ("rope",),
    "liger_rms_norm": ("rms_norm",),
    "liger_glu_activation": ("swiglu", "geglu"),
}


def asked_kernels(config: Config) -> list[str]:
    """Return the keys by which a config asks for Liger's kernels, those of the loss left out."""
    asked = {
        "liger_rope": config.liger_rope,
        "liger_rms_norm": config.liger_rms_norm,
        "liger_layer_norm": config.liger_layer_norm,
        "liger_glu_activation": config.liger_glu_activation,
    }
    return [key for key in KERNELS if asked[key]]


def chosen_kernels(config: Config, model_config: Mapping[str, Any], hardware: Hardware) -> list[str]:
    """Return the keys of the kernels that a model gets: those asked for, and where nothing is said those that are safe here.

    Parameters
    ----------
    config
        The run's config.
    model_config
        The model's ``config.json``.
    hardware
        What this machine has.
    """
    chosen = asked_kernels(config)
    able = (
        hardware.kind == "cuda"
        and model_config.get("model_type") in FAMILIES
        and not config.torch_compile
        and _is_tried()
    )
    open_keys = {"liger_rope": config.liger_rope, "liger_rms_norm": config.liger_rms_norm}
    if "mlp" not in choose_fused(config, hardware)[0]:
        open_keys["liger_glu_activation"] = config.liger_glu_activation
    by_itself = [key for key, value in open_keys.items() if able and value is None]
    return [key for key in KERNELS if key in (*chosen, *by_itself)]


def _is_tried() -> bool:
    """Say whether a Liger is installed whose kernels were compared with every family's own (tests/gpu/test_liger.py)."""
    try:
        version = importlib.metadata.version("liger-kernel")
    except importlib.metadata.PackageNotFoundError:
        return False
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= _TRIED


def asked_loss(config: Config) -> str | None:
    """Return the key by which a config asks for a loss in less memory, which ours takes already."""
    asked = {
        "liger_cross_entropy": config.liger_cross_entropy,
        "liger_fused_linear_cross_entropy": config.liger_fused_linear_cross_entropy,
        "cut_cross_entropy": config.cut_cross_entropy,
    }
    return next((key for key, on in asked.items() if on), None)


def check_liger(config: Config, model_config: Mapping[str, Any], hardware: Hardware) -> list[Problem]:
    """Return what is wrong with the kernels that a config asks for, on this machine and for its model.

    Parameters
    ----------
    config
        The run's config.
    model_config
        The model's ``config.json``; empty where it is not known yet.
    hardware
        What this machine has.

    Raises
    ------
    MissingExtra
        They could be used, and the package is not installed.
    """
    asked = asked_kernels(config)
    if not asked:
        return []
    family = str(model_config.get("model_type", ""))
    obstacle = ""
    if hardware.kind != "cuda":
        obstacle = "Liger's kernels run on NVIDIA GPUs only"
    elif family and family not in FAMILIES:
        obstacle = f"Liger's kernels are not known to compute what {family} models do"
    if obstacle:
        message = f"'{asked[0]}' cannot be used here: {obstacle}"
        return [config.problem(asked[0], message, "remove it: the results are the same without")]
    if importlib.util.find_spec("liger_kernel") is None:
        raise MissingExtra(
            f"'{asked[0]}' needs the package liger-kernel, which is not installed.",
            "pip install liger-kernel",
        )
    if "liger_layer_norm" not in asked or not family:
        return []
    message = f"'liger_layer_norm' has no effect: {family} models have RMS norms in place of layer norms"
    return [config.problem("liger_layer_norm", message, "remove it", severity="warning")]


def apply_liger(model: PreTrainedModel, config: Config, hardware: Hardware) -> None:
    """Put the kernels that a config asks for, or leaves open, into a model.

    The function of rotary positions is replaced in the family's whole module, as Liger does it: in every model of this
    process.

    Parameters
    ----------
    model
        The base model, without an adapter.
    config
        The run's config.
    hardware
        What this machine has.

    Raises
    ------
    ConfigError
        The model or the machine cannot have them.
    MissingExtra
        The package is not installed.
    """
    problems = check_liger(config, model.config.to_dict(), hardware)
    if any(problem.severity == "error" for problem in problems):
        raise config.refused(problems)
    if chosen := chosen_kernels(config, model.config.to_dict(), hardware):
        liger: Any = importlib.import_module("liger_kernel.transformers")
        kernels = {name: key in chosen for key, names in _ARGUMENTS.items() for name in names}
        liger._apply_liger_kernel_to_instance(
            model=model, cross_entropy=False, fused_linear_cross_entropy=False, **kernels
        )


def liger_words(keys: Collection[str]) -> str:
    """Return what of the model Liger computes, for the plan; nothing where it computes nothing.

    >>> liger_words(["liger_rope", "liger_rms_norm"])
    'rotary positions, RMS norms'
    """
    return ", ".join(KERNELS[key] for key in keys if key != "liger_layer_norm")


def loss_words(config: Config) -> tuple[str, str]:
    """Return how the loss is computed and why, where a config asks for a way to; two empty texts else."""
    key = asked_loss(config)
    if key is None or config.rl or config.reward_model:
        return "", ""
    return (
        "within the output head",
        f"as '{key}' asks: the logits of some trained tokens at a time, and never of all",
    )
