"""Which number format a run uses, and why. Torch-free, so that a plan can say it at once.

Two formats are in play: the one that matrices are multiplied in, and the one that trained weights are kept in. Trained
weights (adapters, or every weight in a full fine-tune) are always fp32: in pure bf16 an update smaller than 1/256 of
its weight is rounded away (https://github.com/pytorch/ao/issues/1124), and fp16 weights cannot be unscaled by the
gradient scaler (https://github.com/huggingface/peft/issues/1249). A frozen base may be kept in the compute format.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ft_core.errors import ModelError
from ft_core.models.hardware import Hardware, torch_version

if TYPE_CHECKING:
    from ft_core.config import Config

_MPS_BF16_TORCH = (2, 6)  # the first whose autocast has it


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
            older = next(d for d in hardware.devices if (d.compute_capability or (0, 0)) < (8, 0))
            raise ModelError(
                f"'bf16: true' needs an Ampere GPU or newer, and {older.name} is older.",
                "Write 'bf16: auto' or 'fp16: true'.",
            )
        if hardware.kind == "mps" and torch_version() < _MPS_BF16_TORCH:
            raise ModelError(
                "'bf16: true' needs PyTorch 2.6 or newer on an Apple GPU.",
                "Write 'bf16: auto', which picks what this device can do, or install a newer PyTorch.",
            )
        return "bf16", "'bf16: true'"
    return "fp32", "neither bf16 nor fp16 is on"
