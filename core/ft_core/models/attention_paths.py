"""The ways to compute attention, and what each needs: a package, a GPU, a kind of model. Torch-free.

=====================  ==========================================================================================
``eager``              matrix products, as they are written; every model has it
``sdpa``               torch's own fused attention, over a mask where rows are packed or padded
``flex_attention``     torch's compiled attention, over the blocks of a mask that hold anything
``varlen``             torch's own kernel for documents (`ft_core.models.varlen`)
``xformers``           kernels for documents that older GPUs have too (`ft_core.models.xformers_path`)
``flash_attention_2``  those of the package flash-attn; ``_3`` and ``_4`` are made for Hopper GPUs and newer
=====================  ==========================================================================================

Which families have which follows Transformers; what the kernels take follows their own documentation. A mistake here would
not train a wrong model: packed documents are compared with lone ones on the device before the first step
(`ft_core.train.isolation`).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ft_core.models.hardware import Hardware, torch_version
from ft_core.models.parameters import first_number, text_config

EAGER, SDPA, FLEX = "eager", "sdpa", "flex_attention"
VARLEN, XFORMERS = "varlen", "xformers"
FLASH_2, FLASH_3, FLASH_4 = "flash_attention_2", "flash_attention_3", "flash_attention_4"

PER_DOCUMENT = (VARLEN, XFORMERS, FLASH_2, FLASH_3, FLASH_4)
"""Attention that is told where documents begin, and computes each alone."""

TELLS_BOUNDS = (
    "cohere", "gemma", "gemma2", "gemma3_text", "gpt_neox", "granite", "llama", "mistral", "mixtral", "olmo2", "phi", "phi3",
    "qwen2", "qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "starcoder2",
)  # fmt: skip
"""Families that hand the bounds of documents on to attention, and whose scores the kernels compute as they do."""

NO_SDPA = (
    "bloom", "codegen", "deepseek_v4", "falcon_mamba", "gemma2", "gpt_neo", "gpt_neox_japanese", "gpt_oss", "gptj", "mamba",
    "mamba2", "mimo_v2_flash", "mpt", "openai-gpt", "rwkv", "vaultgemma", "xglm", "xlm", "xlnet", "xlstm",
)  # fmt: skip
"""Families whose scores ``sdpa`` cannot compute, or that Transformers has no such path for."""

NO_FLASH = (
    "bloom", "codegen", "deepseek_v32", "deepseek_v4", "doge", "falcon_mamba", "gpt_neox_japanese", "gpt_oss", "granite_swa",
    "granitemoe_swa", "llama4", "llama4_text", "mamba", "mamba2", "mimo_v2_flash", "mpt", "openai-gpt", "rwkv", "xglm", "xlm",
    "xlnet", "xlstm",
)  # fmt: skip
"""Families without a path through the packages of flash attention; those of gpt_oss and its like have sinks besides scores."""


NO_FLEX = (
    "bamba", "bloom", "codegen", "deepseek_v32", "deepseek_v4", "falcon", "falcon_h1", "falcon_mamba", "gpt-sw3", "gpt2",
    "gpt_bigcode", "gpt_neo", "gpt_neox_japanese", "gpt_oss", "gptj", "jamba", "kimi_linear", "mamba", "mamba2",
    "mimo_v2_flash", "mpt", "olmo_hybrid", "olmoe", "openai-gpt", "persimmon", "qwen3_5", "qwen3_5_moe", "qwen3_5_moe_text",
    "qwen3_5_text", "qwen3_next", "rwkv", "stablelm", "xglm", "xlm", "xlnet", "xlstm", "zamba",
)  # fmt: skip
"""Families without a path through ``flex_attention``."""

_VARLEN_TORCH = (2, 11)  # the first whose kernel takes a scale and a window
# The backward pass of larger heads takes more shared memory than other GPUs have.
_LARGE_HEADS, _LARGE_HEADS_ELSEWHERE = 256, 192
_LARGE_GPUS = ((8, 0), (9, 0), (10, 0))
_HOPPER = (9, 0)
_SMALLEST_FLEX_HEAD = 16


@dataclass(frozen=True)
class Kernel:
    """What an attention that computes documents alone needs.

    Attributes
    ----------
    distribution, install
        The package that holds it, and how to get that; empty for torch's own.
    least
        The compute capability that a GPU needs at least.
    hopper_only
        Whether it runs on Hopper GPUs alone.
    caps, drops
        Whether it can cap scores (Gemma 2), and drop some at random.
    """

    distribution: str
    install: str
    least: tuple[int, int]
    hopper_only: bool = False
    caps: bool = True
    drops: bool = False

    @property
    def subject(self) -> str:
        """What a sentence calls it."""
        return self.distribution or "torch's kernel for documents"


KERNELS = {
    VARLEN: Kernel("", "", (8, 0), caps=False),
    XFORMERS: Kernel("xformers", "pip install xformers", (7, 0), caps=False, drops=True),
    FLASH_2: Kernel("flash-attn", "pip install flash-attn --no-build-isolation", (8, 0), drops=True),
    FLASH_3: Kernel(
        "flash-attn-3",
        "build it from the folder 'hopper' of https://github.com/Dao-AILab/flash-attention",
        _HOPPER,
        hopper_only=True,
    ),
    FLASH_4: Kernel("flash-attn-4", "pip install --pre flash-attn-4", _HOPPER),
}


def is_installed(attention: str) -> bool:
    """Say whether the package of an attention is here; torch's own always is."""
    kernel = KERNELS.get(attention)
    # flash-attn and flash-attn-4 share the module flash_attn, so the module proves nothing.
    return kernel is None or not kernel.distribution or _has_distribution(kernel.distribution)


def device_obstacle(attention: str, hardware: Hardware) -> str:
    """Return why no model can run an attention on this device, or nothing where one can."""
    if attention == FLEX and hardware.kind != "cuda":
        return "torch computes no gradients of flex attention without an NVIDIA GPU"
    if (kernel := KERNELS.get(attention)) is None:
        return ""
    if hardware.kind != "cuda":
        return f"{kernel.subject} runs on NVIDIA GPUs only"
    least = min(_capabilities(hardware))
    if kernel.hopper_only and set(_capabilities(hardware)) != {_HOPPER}:
        return f"{kernel.subject} needs a Hopper GPU, such as an H100"
    if least < kernel.least:
        names = {_HOPPER: "a Hopper GPU or newer", (8, 0): "an Ampere GPU or newer"}
        return f"{kernel.subject} needs {names.get(kernel.least, 'a Volta GPU or newer')}"
    if attention == XFORMERS and importlib.util.find_spec("flash_attn") and not is_installed(FLASH_2):
        return "xformers cannot be imported where flash-attn-4 is installed without flash-attn"
    if attention == XFORMERS and (cuda := _other_cuda()):
        return f"the installed xformers is built for CUDA {cuda[0]}, and torch for CUDA {cuda[1]}"
    if attention == VARLEN and torch_version() < _VARLEN_TORCH:
        return "torch's kernel for documents came with torch 2.11"
    return ""


def _other_cuda() -> tuple[int, int] | None:
    """Return the CUDA versions that xformers and torch are built for where they differ: its kernels are not loaded then."""
    found = importlib.util.find_spec("xformers")
    torch = re.search(r"\+cu(\d+)\d$", importlib.metadata.version("torch"))
    if torch is None or found is None or not found.submodule_search_locations:
        return None
    with suppress(OSError, ValueError, KeyError, TypeError):
        told = json.loads((Path(found.submodule_search_locations[0]) / "cpp_lib.json").read_text("utf-8"))
        ours, theirs = int(told["version"]["cuda"]) // 100, int(torch.group(1))
        return (ours, theirs) if ours != theirs else None
    return None


def model_obstacle(attention: str, model_config: Mapping[str, Any], hardware: Hardware, compute: str) -> str:
    """Return why a model cannot run with an attention on a device that can, or nothing where it can.

    Parameters
    ----------
    attention
        The attention's name.
    model_config
        The model's ``config.json``; an empty one has no obstacle but where a family must be known.
    hardware
        What this machine has.
    compute
        The number format that it computes in: ``bf16``, ``fp16`` or ``fp32``.
    """
    text = text_config(model_config)
    family = str(text.get("model_type", ""))
    lacking = {SDPA: NO_SDPA, FLEX: NO_FLEX, FLASH_2: NO_FLASH, FLASH_3: NO_FLASH, FLASH_4: NO_FLASH}
    if family in lacking.get(attention, ()):
        return f"{family} models have no path through {attention}"
    if attention == FLEX:
        return _against_flex(text)
    if (kernel := KERNELS.get(attention)) is None:
        return ""
    if compute == "fp32" and not (attention == XFORMERS and max(_capabilities(hardware)) <= _HOPPER):
        return f"{kernel.subject} computes in bf16 or fp16"
    if attention in (VARLEN, XFORMERS) and family not in TELLS_BOUNDS:
        return f"{family or 'unknown'} models are not known to work with {kernel.subject}"
    size = head_size(text)
    if size and (size % 8 or size > largest_head(attention, hardware)):
        return f"{kernel.subject} takes no heads of {size} numbers"
    if text.get("attn_logit_softcapping") and not kernel.caps:
        return f"{kernel.subject} cannot cap scores, as {family} models do"
    if text.get("attention_dropout") and not kernel.drops:
        return f"{kernel.subject} has no dropout"
    return ""


def head_size(text: Mapping[str, Any]) -> int:
    """Return the numbers of a head by the language model's config, 0 where they are not known."""
    heads = first_number(text, "num_attention_heads", "n_head") or 1
    return first_number(text, "head_dim") or first_number(text, "hidden_size", "n_embd") // heads


def largest_head(attention: str, hardware: Hardware) -> int:
    """Return the numbers of the largest head that a kernel takes on every one of the GPUs."""
    found = _capabilities(hardware)
    if attention == XFORMERS and max(found) < (8, 0):
        return 65_536
    if attention == FLASH_4:
        return _LARGE_HEADS if set(found) == {_HOPPER} else 128
    if attention == FLASH_2:
        return _LARGE_HEADS
    return _LARGE_HEADS if set(found) <= set(_LARGE_GPUS) else _LARGE_HEADS_ELSEWHERE


def _against_flex(text: Mapping[str, Any]) -> str:
    size = head_size(text)
    if 0 < size < _SMALLEST_FLEX_HEAD:
        return f"flex attention takes no heads of {size} numbers"
    return "flex attention has no dropout" if text.get("attention_dropout") else ""


def _capabilities(hardware: Hardware) -> list[tuple[int, int]]:
    return [device.compute_capability or (0, 0) for device in hardware.devices]


def _has_distribution(name: str) -> bool:
    with suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(name))
    return False
