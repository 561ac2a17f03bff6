"""An estimate of the memory that training peaks at. Torch-free.

It adds up what every run holds: weights, gradients and optimizer state of what trains, the activations kept for the
backward pass, and the logits. What is there at the same time decides (`MemoryEstimate.total`).
Activations are counted by the layer, as Korthikanti et al. 2022 do (https://arxiv.org/abs/2205.05198, sec. 4), less the score
matrix that fused attention does not keep.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ft_core.models.fused.choose import Part
from ft_core.models.hardware import GIB
from ft_core.models.parameters import first_number, layer_count, text_config
from ft_core.models.precision import Precision
from ft_core.train.logits import all_logit_bytes, logit_bytes

if TYPE_CHECKING:
    from ft_core.config import Config

# The interpreter with its libraries, or a CUDA context with its kernels' workspaces.
_BASE = {"cuda": 0.8 * GIB, "mps": 0.7 * GIB, "cpu": 0.5 * GIB}
# Bytes of optimizer state for each trained parameter, by the first mark that the optimizer's name holds; Adam's two fp32
# moments else. Muon's embeddings have those too; most weights are in matrices.
_OPTIMIZER_BYTES = (
    ("ademamix_8bit", 3),
    ("ademamix", 12),
    ("grokadamw", 12),
    ("lion_8bit", 1),
    ("lion", 4),
    ("rmsprop_bnb_8bit", 1),
    ("rmsprop", 4),
    ("adagrad", 4),
    ("8bit", 2),
    ("4bit", 1),
    ("adafactor", 0.1),
    ("schedule_free_sgd", 4),
    ("sgd", 0),
    ("lomo", 0),
    ("muon", 4),
)
_ADAM_BYTES = 8

# Bytes that a layer keeps of a token for the backward pass, for each number of its hidden and of its intermediate size, by
# whether an adapter trains and by the bytes of the compute format. Counted with torch's saved_tensors_hooks on a Llama
# with adapters on all linear layers; fewer adapters keep less.
_KEPT = {(False, 2): (36, 8), (False, 4): (40, 16), (True, 2): (28, 8), (True, 4): (32, 16)}
# What of that is not kept where layers are computed in one step with their adapters, counted likewise.
_FUSED: dict[tuple[Part, int], tuple[int, int]] = {
    ("mlp", 2): (4, 4), ("mlp", 4): (0, 8), ("qkv", 2): (4, 0), ("qkv", 4): (0, 0), ("o", 2): (0, 0), ("o", 4): (0, 0),
}  # fmt: skip
# What the host's allocator holds for each byte of short-lived tensors: blocks that were freed and do not fit again.
_SPREAD = {"cpu": 1.3}

ERROR = {"cpu": "within about 25 %"}
"""How far off the estimate was from what training peaked at, by kind of device (docs/reference/plan.md)."""


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes of a training step on one rank, part by part.

    Attributes
    ----------
    base
        What the process takes before it holds a model.
    weights
        Weights in the formats that they are held and multiplied in.
    optimizer
        The optimizer's state of what trains.
    gradients
        Gradients of what trains, in fp32.
    activations
        What the forward pass keeps for the backward pass.
    logits
        The logits that are there at a time, and what the loss makes of them.
    recomputed
        The layer whose activations are computed again in the backward pass; 0 where none are.
    """

    base: int
    weights: int
    optimizer: int
    gradients: int
    activations: int
    logits: int
    recomputed: int

    @property
    def total(self) -> int:
        """The peak: with the logits, or at one of the ends of the backward pass, in bytes.

        Gradients come while activations go, so the two are never there whole at a time.
        """
        at_loss = self.activations + self.logits
        backward_begins = self.activations + self.recomputed
        backward_ends = self.gradients + self.recomputed
        return self.base + self.weights + self.optimizer + max(at_loss, backward_begins, backward_ends)


def estimate_memory(
    config: Config,
    precision: Precision,
    model_config: Mapping[str, Any],
    *,
    kind: str,
    attention: str,
    parameters: int,
    trainable: int,
    base_bytes: int | None = None,
    length: int | None = None,
    trained_tokens: float | None = None,
    recompute: int | None = None,
    fused: Collection[Part] = (),
    liger: Collection[str] = (),
) -> MemoryEstimate | None:
    """Estimate what one rank takes, or return None where the model's shape is not known.

    Parameters
    ----------
    config, precision
        The run's config and its number formats.
    model_config
        The model's ``config.json``.
    kind
        ``cuda``, ``mps`` or ``cpu``.
    attention
        The attention's name, such as ``sdpa``.
    parameters, trainable
        How many parameters the model has in all (adapter included), and how many train.
    base_bytes
        Bytes of the frozen base (`ft_core.models.quantise.base_bytes`); by default every weight is in the loaded format.
    length
        Tokens of a row, padding included; `sequence_len` by default, which is the worst case.
    trained_tokens
        Tokens of a micro-batch that are trained, about; every one by default. The loss works on these alone.
    recompute
        Layers that are computed again in the backward pass; by default all where the config says so, and else none.
    fused
        Layers that are computed in one step with their adapters (`ft_core.models.fused.choose`).
    liger
        Keys of what Liger's kernels compute (`ft_core.models.liger`).
    """
    text = text_config(model_config)
    hidden = first_number(text, "hidden_size", "n_embd", "d_model")
    layers = layer_count(model_config)
    vocabulary = first_number(text, "vocab_size") or first_number(model_config, "vocab_size")
    if not (hidden and layers and vocabulary):
        return None
    length = length or config.sequence_len
    tokens = config.micro_batch_size * length
    compute_bytes = 4 if precision.compute == "fp32" else 2
    intermediate = first_number(text, "intermediate_size", "n_inner", "ffn_dim") or 4 * hidden
    if recompute is None:
        recompute = layers if config.gradient_checkpointing in (True, "offload") else 0
    again = recompute / layers

    # Autocast keeps a copy of the master weights in the compute format for the length of a step; of layers that are
    # recomputed it keeps none.
    copied = again * min(trainable, vocabulary * hidden) + (1 - again) * trainable
    copies = copied * compute_bytes if precision.compute != "fp32" and not config.adapter else 0

    if base_bytes is None:
        base_bytes = (parameters - trainable) * precision.weight_bytes
    if config.relora and kind != "cuda" and precision.weights != "fp32":
        base_bytes += (parameters - trainable) * 4  # exact weights, which a GPU leaves in the host's memory
    spread = _SPREAD.get(kind, 1.0)
    heads = first_number(text, "num_attention_heads", "n_head", "n_heads")
    of_hidden, of_intermediate = _KEPT[bool(config.adapter), compute_bytes]
    for part in fused:
        less_of_hidden, less_of_intermediate = _FUSED[part, compute_bytes]
        of_hidden, of_intermediate = of_hidden - less_of_hidden, of_intermediate - less_of_intermediate
    if compute_bytes == 2 and "liger_rms_norm" in liger:
        of_hidden -= 4
    if "liger_glu_activation" in liger:
        of_intermediate -= 2 * compute_bytes
    if heads:
        # Keys and values that several heads share are narrower.
        narrower = 1 - (first_number(text, "num_key_value_heads", "num_kv_heads") or heads) / heads
        of_hidden -= 2 * compute_bytes * narrower
    layer = tokens * (of_hidden * hidden + of_intermediate * intermediate)
    layer += tokens * length * _of_a_pair(kind, attention, compute_bytes, heads)
    # With checkpointing: each layer's input, in fp32 where master weights make it so, and the one layer that is worked on.
    between = tokens * hidden * (compute_bytes if config.adapter else 4)
    trained = tokens if trained_tokens is None else min(trained_tokens, tokens)
    if config.rl or config.reward_model:
        logits = all_logit_bytes(vocabulary, tokens, trained)
    else:
        logits = logit_bytes(
            model_config,
            vocabulary=vocabulary,
            hidden=hidden,
            targets=trained,
            compute_bytes=compute_bytes,
            head_trains=not config.adapter,
        )
    return MemoryEstimate(
        base=round(_BASE[kind]),
        weights=round(base_bytes + trainable * 4 + copies),
        optimizer=round(trainable * _optimizer_bytes(config)),
        gradients=trainable * 4,
        activations=round((recompute * between + (layers - recompute) * layer) * spread),
        logits=round(logits * spread),
        # Of some layers alone, the rest has given its memory back by then.
        recomputed=round(layer * spread) if recompute == layers else 0,
    )


def _of_a_pair(kind: str, attention: str, compute_bytes: int, heads: int) -> int:
    """Return the bytes that a layer keeps for each token and token that it may look at."""
    if attention == "eager":
        # The probabilities of each head, in fp32 and in the compute format.
        return heads * (4 + compute_bytes)
    # On a GPU each layer makes numbers of the mask that says which tokens a token sees, and keeps them.
    return compute_bytes if kind == "cuda" and attention == "sdpa" else 0


def _optimizer_bytes(config: Config) -> float:
    """Return the bytes of the optimizer's state of one trained parameter."""
    if config.optimizer == "sgd" and config.optim_args.get("momentum"):
        return 4
    return next((size for mark, size in _OPTIMIZER_BYTES if mark in config.optimizer), _ADAM_BYTES)


def checkpoint_bytes(config: Config, *, parameters: int, trainable: int) -> int:
    """Return the size of one checkpoint on disk: the trained weights in fp32 and the optimizer's state."""
    saved = trainable if config.adapter else parameters
    if config.relora:
        saved += parameters  # the base as the restarts have changed it
    state = 0 if config.save_only_model else trainable * _optimizer_bytes(config)
    return round(saved * 4 + state)


def smaller(config: Config) -> dict[str, Any]:
    """Return the keys that `less_memory` advises, where they leave the result alone; empty where it advises another run."""
    if config.micro_batch_size > 1:
        half = config.micro_batch_size // 2
        steps = -(-config.micro_batch_size * config.gradient_accumulation_steps // half)
        return {"micro_batch_size": half, "gradient_accumulation_steps": steps}
    return {"gradient_checkpointing": True} if _keeps(config) else {}


def less_memory(config: Config) -> str:
    """Return what to change so that the run needs less memory: what leaves the result alone first."""
    if config.micro_batch_size > 1:
        half, steps = smaller(config).values()
        return (
            f"Set micro_batch_size: {half} (now {config.micro_batch_size}) and gradient_accumulation_steps: {steps}: "
            "the same result in about half the memory for activations."
        )
    if _keeps(config):
        return "Set gradient_checkpointing: true: the same result in much less memory, about a third slower."
    if not config.adapter:
        return "Set adapter: lora, which trains under a hundredth of the weights."
    return f"Lower sequence_len (now {config.sequence_len}), or use a smaller base_model."


def _keeps(config: Config) -> bool:
    """Say whether some layers may keep their activations."""
    return config.gradient_checkpointing in (False, "auto")


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
