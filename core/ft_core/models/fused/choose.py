"""Whether adapted layers are computed as fused steps, and why. Torch-free, so that a plan can say it at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ft_core.config import Config
    from ft_core.models.hardware import Hardware

Part = Literal["mlp", "qkv", "o"]
"""Layers of feed-forward blocks, those that make queries, keys and values, and those after attention."""

PARTS: tuple[Part, Part, Part] = ("mlp", "qkv", "o")


def choose_fused(config: Config, hardware: Hardware) -> tuple[tuple[Part, ...], str]:
    """Return the parts whose adapted layers are computed as fused steps, and why.

    Parameters
    ----------
    config
        The run's config.
    hardware
        What this machine has.
    """
    asked: dict[Part, bool | None] = {
        "mlp": config.lora_mlp_kernel,
        "qkv": config.lora_qkv_kernel,
        "o": config.lora_o_kernel,
    }
    if not config.adapter:
        return (), "all weights train"
    if (obstacle := _against(config)) is not None:
        return (), obstacle
    on_gpu = hardware.kind == "cuda"
    parts: tuple[Part, ...] = tuple(
        part for part in PARTS if (on_gpu if asked[part] is None else asked[part])
    )
    if any(value is not None for value in asked.values()):
        return parts, "'lora_*_kernel' in the config"
    reason = "the same results in less memory" if on_gpu else "there is no GPU that waits for memory"
    return parts, reason


def fused_words(parts: tuple[Part, ...]) -> str:
    """Return which layers are fused with their adapters, in words.

    >>> fused_words(("mlp", "qkv", "o")), fused_words(("qkv", "o")), fused_words(())
    ('computed in one step with all layers', 'computed in one step with attention', '')
    """
    if not parts:
        return ""
    names: dict[tuple[Part, ...], str] = {
        ("mlp", "qkv", "o"): "all layers",
        ("qkv", "o"): "attention",
        ("mlp",): "feed-forward blocks",
    }
    return f"computed in one step with {names.get(parts, ', '.join(parts))}"


def _against(config: Config) -> str | None:
    """Return why no layer of this run can be, or None."""
    if config.lora_dropout:
        return "'lora_dropout' changes what the adapter reads"
    if config.torch_compile:
        return "'torch_compile' makes fused steps of its own"
    if config.peft_use_dora:
        return "'peft_use_dora' scales the layer's own weights"
    return None
