"""How many layers are computed again in the backward pass, in place of keeping what they made. Torch-free.

Keeping is faster by a quarter to a half, and takes most of the memory of a step. Where ``gradient_checkpointing`` is left
open, as many layers keep theirs as the estimate says that the device has room for; the first ones of the model are
computed again, since the last ones' memory is free again by the time that the backward pass comes to those.
`ft_core.models.checkpointing` is what tells the layers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from ft_core.data.preference import Preferences
from ft_core.models.fused.choose import choose_fused
from ft_core.models.liger import chosen_kernels
from ft_core.models.parameters import layer_count
from ft_core.models.precision import choose_precision
from ft_core.train.memory import MemoryEstimate, estimate_memory

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel

    from ft_core.config import Config
    from ft_core.data import Samples
    from ft_core.models.hardware import Hardware

# Of a device's memory, what an estimate may fill; a host has other processes to feed.
_SHARE = {"cuda": 0.85, "mps": 0.7, "cpu": 0.7}


@dataclass(frozen=True)
class Recompute:
    """Layers that are computed again.

    Attributes
    ----------
    layers, of
        How many, of how many.
    reason
        Why, for the plan.
    """

    layers: int
    of: int
    reason: str

    @property
    def words(self) -> str:
        """What becomes of activations, in words; empty where nothing is computed again."""
        if not self.layers:
            return ""
        return (
            f"computed again in {'all' if self.layers == self.of else f'{self.layers} of'} {self.of} layers"
        )


def choose_recompute(
    config: Config,
    layers: int,
    estimate: Callable[[int], MemoryEstimate | None],
    *,
    kind: Literal["cuda", "mps", "cpu"],
    memory: int,
) -> Recompute:
    """Return how many layers are computed again, as few as the memory allows where the config leaves it open.

    Parameters
    ----------
    config
        The run's config.
    layers
        How many the model has.
    estimate
        Returns the memory of a step in which so many layers are computed again, or None where that is not known.
    kind
        What trains.
    memory
        What one rank can fill, in bytes.
    """
    asked = config.gradient_checkpointing
    if asked != "auto":
        return Recompute(layers if asked else 0, layers, "'gradient_checkpointing' in the config")
    limit = _SHARE[kind] * memory
    for again in range(layers + 1):
        found = estimate(again)
        if found is None:
            return Recompute(0, layers, "the model's shape is not known")
        if found.total <= limit:
            return Recompute(
                again, layers, "what is kept of the others fits into memory" if again else "all fits"
            )
    return Recompute(layers, layers, "memory is short")


def recompute_as_planned(
    config: Config,
    hardware: Hardware,
    model: PreTrainedModel | PeftModel,
    samples: Samples | Preferences,
    *,
    world_size: int,
) -> int:
    """Have a loaded model's layers computed again as `choose_recompute` says for its samples; return how many are.

    Parameters
    ----------
    config, hardware
        The run's config, and what this machine has.
    model
        The model, with its adapter.
    samples
        What it trains on, whose longest row counts.
    world_size
        How many ranks share the host's memory.
    """
    from ft_core.models.checkpointing import recompute_layers
    from ft_core.models.load import attention_of
    from ft_core.models.quantise import count_parameters

    model_config = model.config.to_dict()
    trainable = count_parameters(model, trainable=True)
    frozen = [weight for weight in model.parameters() if not weight.requires_grad]
    length = trained = None
    if not (isinstance(samples, Preferences) or config.streaming):
        if not (config.sample_packing or config.pad_to_sequence_len):
            length = int(samples.train.lengths.max())
        share = float(samples.train.trained.sum()) / max(1, int(samples.train.lengths.sum()))
        trained = share * config.micro_batch_size * (length or config.sequence_len)
    estimate = partial(
        estimate_memory,
        config,
        choose_precision(config, hardware),
        model_config,
        kind=hardware.kind,
        attention=attention_of(model),
        parameters=count_parameters(model),
        trainable=trainable,
        base_bytes=sum(weight.numel() * weight.element_size() for weight in frozen),
        length=length,
        trained_tokens=trained,
        fused=choose_fused(config, hardware)[0],
        liger=chosen_kernels(config, model_config, hardware),
    )
    chosen = choose_recompute(
        config,
        layer_count(model_config),
        lambda again: estimate(recompute=again),
        kind=hardware.kind,
        memory=hardware.device_memory if hardware.devices else hardware.memory // world_size,
    )
    return recompute_layers(model, config, chosen.layers)
