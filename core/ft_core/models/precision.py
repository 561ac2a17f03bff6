"""Which number format and which attention a run uses, and why. Torch-free, so that a plan can say it at once.

Two formats are in play: the one that matrices are multiplied in, and the one that trained weights are kept in. Trained
weights (adapters, or every weight in a full fine-tune) are always fp32: in pure bf16 an update smaller than 1/256 of
its weight is rounded away (https://github.com/pytorch/ao/issues/1124), and fp16 weights cannot be unscaled by the
gradient scaler (https://github.com/huggingface/peft/issues/1249). A frozen base may be kept in the compute format.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ft_core.errors import ModelError
from ft_core.models.hardware import Hardware
from ft_core.models.parameters import first_number, text_config

if TYPE_CHECKING:
    from ft_core.config import Config

# Families whose Transformers code has no scaled-dot-product path, or whose logits need the soft cap of the eager one.
_EAGER_ONLY = ("mpt", "bloom", "rwkv", "mamba", "gptj", "gemma2")

VARLEN = "varlen"
"""The name of attention over documents in torch's own kernel (`ft_core.models.varlen`)."""

VARLEN_FAMILIES = (
    "cohere", "gemma", "gemma3_text", "gpt_neox", "granite", "llama", "mistral", "mixtral", "olmo2", "phi", "phi3", "qwen2",
    "qwen2_moe", "qwen3", "qwen3_moe", "smollm3", "starcoder2",
)  # fmt: skip
"""Families that hand the bounds of documents on to attention, and whose scores the kernel computes as they do."""

_VARLEN_TORCH = (2, 11)  # the first whose kernel takes a scale and a window
_LARGEST_HEAD = 256
# The backward pass of larger heads takes more shared memory than other GPUs have.
_LARGEST_HEAD_ELSEWHERE = 192
_LARGE_GPUS = ((8, 0), (9, 0), (10, 0))


@dataclass(frozen=True)
class Precision:
    """The compute format and, in words, why.

    Attributes
    ----------
    compute
        Format that matrices are multiplied in (autocast); ``fp32`` means no autocast.
    weights
        Format that the weights are loaded in.
    reason
        Why, for the plan.
    """

    compute: Literal["bf16", "fp16", "fp32"]
    weights: Literal["bf16", "fp16", "fp32"]
    reason: str

    @property
    def weight_bytes(self) -> int:
        """Bytes that one loaded weight takes."""
        return 4 if self.weights == "fp32" else 2


def choose_precision(config: Config, hardware: Hardware) -> Precision:
    """Return the formats that `config` asks for on `hardware`.

    Raises
    ------
    ModelError
        The config asks for a format that the hardware cannot train in.
    """
    compute, reason = _compute_format(config, hardware)
    if config.adapter:
        quantised = config.load_in_4bit or config.load_in_8bit or config.gptq
        base = "what of the base is not quantised" if quantised else "frozen base"
        reason += f"; {base} in the same format, adapter in fp32" if compute != "fp32" else ""
        return Precision(compute, compute, reason)
    if config.unfrozen_parameters and hardware.kind != "cpu":
        # Norms of a processor take no weights that are shorter than what they norm.
        reason += "; frozen weights in the same format, trained ones in fp32" if compute != "fp32" else ""
        return Precision(compute, compute, reason)
    if compute != "fp32":
        reason += "; master weights in fp32"
    return Precision(compute, "fp32", reason)


def _compute_format(config: Config, hardware: Hardware) -> tuple[Literal["bf16", "fp16", "fp32"], str]:
    """Return the compute format and why."""
    if config.fp16:
        if hardware.kind != "cuda":
            raise ModelError(
                "'fp16: true' needs an NVIDIA GPU: the gradient scaler that fp16 training relies on runs on no other device.",
                "Write 'bf16: auto' instead, which picks what this device can do.",
            )
        return "fp16", "'fp16: true'"
    capability = min((d.compute_capability or (0, 0) for d in hardware.devices), default=(0, 0))
    if config.bf16 == "auto":
        if hardware.kind == "cuda":
            if capability >= (8, 0):
                return "bf16", "'bf16: auto', and the GPU has bf16"
            return (
                "fp16",
                f"'bf16: auto', and a GPU of compute capability {capability[0]}.{capability[1]} has no bf16",
            )
        if hardware.kind == "cpu" and hardware.cpu_bf16:
            return "bf16", "'bf16: auto', and the processor has bf16 instructions"
        return (
            "fp32",
            f"'bf16: auto', and this {'processor' if hardware.kind == 'cpu' else 'device'} has no fast bf16",
        )
    if config.bf16:
        if hardware.kind == "cuda" and capability < (8, 0):
            raise ModelError(
                f"'bf16: true' needs an Ampere GPU or newer, and {hardware.name} is older.",
                "Write 'bf16: auto' or 'fp16: true'.",
            )
        return "bf16", "'bf16: true'"
    return "fp32", "neither bf16 nor fp16 is on"


def choose_attention(config: Config, model_config: Mapping[str, Any], hardware: Hardware) -> tuple[str, str]:
    """Return the attention implementation by its Transformers name, and why.

    Parameters
    ----------
    config
        The run's config.
    model_config
        The model's ``config.json``, or an empty mapping where it is not known yet.
    hardware
        What this machine has.

    Raises
    ------
    ModelError
        The config asks for ``varlen``, which the model or this machine cannot do.
    """
    asked = config.attn_implementation
    obstacle = _against_varlen(config, model_config, hardware)
    if asked == VARLEN and obstacle:
        raise ModelError(
            f"'attn_implementation: varlen' cannot be used here: {obstacle}.",
            "Write 'attn_implementation: auto', which picks what this model and this device can do.",
        )
    if asked == "flash_attention_2" and not obstacle and importlib.util.find_spec("flash_attn") is None:
        return (
            VARLEN,
            "'flash_attention_2' in the config: the package flash-attn is not here, and torch has its kernel",
        )
    if asked != "auto":
        return asked, "'attn_implementation' in the config"
    family = str(model_config.get("model_type", ""))
    if family in _EAGER_ONLY:
        return "eager", f"{family} models have no other exact path"
    if not (config.sample_packing or config.eval_sample_packing or config.batch_flattening):
        return "sdpa", "torch's own fused attention, and no package beyond torch"
    if obstacle:
        return "sdpa", f"torch's own fused attention, over a mask of documents: {obstacle}"
    return VARLEN, "torch's own kernel for packed rows, which computes each document alone"


def _against_varlen(config: Config, model_config: Mapping[str, Any], hardware: Hardware) -> str:
    """Return why ``varlen`` cannot be used, or nothing where it can."""
    if hardware.kind != "cuda":
        return "torch's kernel for documents runs on NVIDIA GPUs only"
    capabilities = [device.compute_capability or (0, 0) for device in hardware.devices]
    if min(capabilities) < (8, 0):
        return "torch's kernel for documents needs an Ampere GPU or newer"
    if choose_precision(config, hardware).compute == "fp32":
        return "torch's kernel for documents computes in bf16 or fp16"
    if _torch_version() < _VARLEN_TORCH:
        return "torch's kernel for documents came with torch 2.11"
    text = text_config(model_config)
    family = str(text.get("model_type", ""))
    if family not in VARLEN_FAMILIES:
        return f"{family or 'unknown'} models are not known to work with torch's kernel for documents"
    size = first_number(text, "head_dim") or (
        first_number(text, "hidden_size") // (first_number(text, "num_attention_heads") or 1)
    )
    largest = _LARGEST_HEAD if set(capabilities) <= set(_LARGE_GPUS) else _LARGEST_HEAD_ELSEWHERE
    if size % 8 or not 0 < size <= largest:
        return f"torch's kernel for documents takes no heads of {size} numbers"
    if text.get("attention_dropout"):
        return "torch's kernel for documents has no dropout"
    return ""


def _torch_version() -> tuple[int, ...]:
    """Return the first two numbers of the installed torch's version, without importing it."""
    return tuple(int(number) for number in re.findall(r"\d+", importlib.metadata.version("torch"))[:2])
