"""A rough estimate of the memory that training peaks at. Torch-free.

It adds up what every run holds: weights, gradients and optimizer state of what trains, the activations kept for the
backward pass, and the logits. It is meant to tell "fits easily", "close" and "cannot fit" apart, no more.
Activations are counted by the layer, as Korthikanti et al. 2022 do (https://arxiv.org/abs/2205.05198, sec. 4), less the score
matrix that fused attention does not keep.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ft_core.models.hardware import GIB
from ft_core.models.parameters import first_number, text_config
from ft_core.models.precision import Precision

if TYPE_CHECKING:
    from ft_core.config import Config

# The interpreter with its libraries, or a CUDA context with its kernels' workspaces.
_BASE = {"cuda": 0.9 * GIB, "mps": 0.7 * GIB, "cpu": 0.5 * GIB}
# Bytes of optimizer state for each trained parameter, by what the optimizer's name holds; Adam's two fp32 moments else.
_OPTIMIZER_BYTES = (
    ("8bit", 2),
    ("4bit", 1),
    ("adafactor", 0.1),
    ("sgd", 0),
    ("lomo", 0),
    ("lion", 4),
    ("rmsprop", 4),
)
_ADAM_BYTES = 8
# Most bytes that one logit of a trained token takes at a time: itself, the copy that the loss takes, the logarithm of its
# probability in fp32, and what becomes of that.
_LOGIT_BYTES = 12

# Bytes that a layer keeps of a token for the backward pass, for each number of its hidden and of its intermediate size, by
# whether an adapter trains and by the bytes of the compute format. Counted with torch's saved_tensors_hooks on a Llama
# with adapters on all linear layers; fewer adapters keep less.
_KEPT = {(False, 2): (36, 8), (False, 4): (40, 16), (True, 2): (28, 8), (True, 4): (32, 16)}
# What the host's allocator holds for each byte of short-lived tensors: blocks that were freed and do not fit again.
_SPREAD = {"cpu": 1.3}

ERROR = {"cpu": "within about 25 %"}
"""How far off the estimate was from what training peaked at, by kind of device (docs/reference/plan.md)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes at the peak of a training step on one rank, part by part."""

    weights: int
    training_state: int
    activations: int
    logits: int
    base: int

    @property
    def total(self) -> int:
        """All parts together, in bytes."""
        return self.weights + self.training_state + self.activations + self.logits + self.base


def estimate_memory(
    config: Config,
    precision: Precision,
    model_config: Mapping[str, Any],
    *,
    kind: str,
    parameters: int,
    trainable: int,
    length: int | None = None,
    real_tokens: int | None = None,
) -> MemoryEstimate | None:
    """Estimate the peak of one rank, or return None where the model's shape is not known.

    Parameters
    ----------
    config, precision
        The run's config and its number formats.
    model_config
        The model's ``config.json``.
    kind
        ``cuda``, ``mps`` or ``cpu``.
    parameters, trainable
        How many parameters the model has in all (adapter included), and how many train.
    length
        Tokens of a row, padding included; `sequence_len` by default, which is the worst case.
    real_tokens
        Tokens of a micro-batch, padding left out; every one by default. Only these can be trained, and the loss works on
        what is trained.
    """
    text = text_config(model_config)
    hidden = first_number(text, "hidden_size", "n_embd", "d_model")
    layers = first_number(text, "num_hidden_layers", "n_layer", "n_layers")
    vocabulary = first_number(text, "vocab_size") or first_number(model_config, "vocab_size")
    if not (hidden and layers and vocabulary):
        return None
    tokens = config.micro_batch_size * (length or config.sequence_len)
    compute_bytes = 4 if precision.compute == "fp32" else 2
    intermediate = first_number(text, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden

    trained_bytes = (
        4 + 4 + next((size for mark, size in _OPTIMIZER_BYTES if mark in config.optimizer), _ADAM_BYTES)
    )
    frozen = parameters - trainable
    # Autocast keeps a copy of the master weights in the compute format for the length of a step.
    copies = trainable * compute_bytes if precision.weights != precision.compute else 0

    spread = _SPREAD.get(kind, 1.0)
    of_hidden, of_intermediate = _KEPT[bool(config.adapter), compute_bytes]
    layer = tokens * (of_hidden * hidden + of_intermediate * intermediate)
    # With checkpointing: each layer's input, in fp32 where master weights make it so, and the one layer that is worked on.
    between = tokens * hidden * (compute_bytes if config.adapter else 4)
    kept = layers * between + layer if config.gradient_checkpointing else layers * layer
    trained = tokens if real_tokens is None else min(real_tokens, tokens)
    logits = vocabulary * (tokens * compute_bytes + trained * (_LOGIT_BYTES - compute_bytes))
    return MemoryEstimate(
        weights=round(frozen * precision.weight_bytes + copies),
        training_state=round(trainable * trained_bytes),
        activations=round(kept * spread),
        logits=round(logits * spread),
        base=round(_BASE[kind]),
    )


def checkpoint_bytes(config: Config, *, parameters: int, trainable: int) -> int:
    """Return the size of one checkpoint on disk: the trained weights in fp32 and the optimizer's state."""
    state = next((size for mark, size in _OPTIMIZER_BYTES if mark in config.optimizer), _ADAM_BYTES)
    saved = trainable if config.adapter else parameters
    return round(saved * 4 + trainable * state)


def less_memory(config: Config) -> str:
    """Return what to change so that the run needs less memory: what leaves the result alone first."""
    if config.micro_batch_size > 1:
        half = config.micro_batch_size // 2
        steps = -(-config.micro_batch_size * config.gradient_accumulation_steps // half)
        return (
            f"Set micro_batch_size: {half} (now {config.micro_batch_size}) and gradient_accumulation_steps: {steps}: "
            "the same result in about half the memory for activations."
        )
    if not config.gradient_checkpointing:
        return "Set gradient_checkpointing: true: the same result in much less memory, about a third slower."
    if not config.adapter:
        return "Set adapter: lora, which trains under a hundredth of the weights."
    return f"Lower sequence_len (now {config.sequence_len}), or use a smaller base_model."


def gib(size: float) -> str:
    """Return a size in bytes as people say it.

    >>> gib(2_500_000_000), gib(300_000_000)
    ('2.3 GiB', '286 MiB')
    """
    return f"{size / GIB:.1f} GiB" if size >= GIB else f"{size / 1024**2:.0f} MiB"


def about_gib(size: float) -> str:
    """Return an estimate in bytes as people say it.

    >>> about_gib(2_500_000_000), about_gib(3_000)
    ('about 2.3 GiB', 'under 1 MiB')
    """
    return f"about {gib(size)}" if size >= 1024**2 else "under 1 MiB"
