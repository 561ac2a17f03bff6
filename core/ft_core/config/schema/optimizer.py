"""Keys of the optimizer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from ft_core.config.problems import did_you_mean, shown
from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import (
    Choice,
    FreeMap,
    MapList,
    Number,
    PathText,
    Planned,
    Text,
    TextList,
    names,
    rejected,
)

# transformers.training_args.OptimizerNames of 5.23, without those that need optim_target_modules; and Muon.
OPTIMIZERS = names(
    "adamw_torch_fused adamw_torch adamw_torch_xla adamw_torch_npu_fused adamw_torch_4bit "
    "adamw_torch_8bit adafactor adamw_anyprecision ademamix sgd adagrad adamw_bnb_8bit adamw_8bit "
    "ademamix_8bit lion_8bit lion_32bit paged_adamw_32bit paged_adamw_8bit paged_ademamix_32bit "
    "paged_ademamix_8bit paged_lion_32bit paged_lion_8bit rmsprop rmsprop_bnb rmsprop_bnb_8bit "
    "rmsprop_bnb_32bit lomo adalomo grokadamw schedule_free_radam schedule_free_adamw schedule_free_sgd "
    "stable_adamw muon"
)

PLANNED_OPTIMIZERS = names(
    "galore_adamw galore_adamw_8bit galore_adafactor galore_adamw_layerwise galore_adamw_8bit_layerwise "
    "galore_adafactor_layerwise apollo_adamw apollo_adamw_layerwise optimi_adamw ao_adamw_4bit "
    "ao_adamw_8bit ao_adamw_fp8 adopt_adamw came_pytorch dion q_galore_adamw8bit flash_adamw "
    "flash_lion flash_sgd sinkgd lion_pytorch"
)


@dataclass(frozen=True)
class RateGroups(MapList):
    """Groups of weights, each a map of ``name``, ``modules`` and ``lr``."""

    def check(self, value: object) -> tuple[dict[str, Any], ...]:
        """Return the groups, `modules` as a tuple and `lr` as a number."""
        kinds = {"name": Text(), "modules": TextList(single=True), "lr": Number(above=0)}
        groups: list[dict[str, Any]] = []
        for index, group in enumerate(super().check(value)):
            if lost := [key for key in kinds if key not in group]:
                raise rejected(
                    f"must hold maps with name, modules and lr; one has no {lost[0]}",
                    "write {name: heads, modules: [lm_head], lr: 1e-5}",
                    index,
                )
            if unknown := [key for key in group if key not in kinds]:
                message = f"must hold maps with name, modules and lr, not {shown(unknown[0])}"
                raise rejected(f"{message}{did_you_mean(unknown[0], list(kinds))}", "remove it", index)
            groups.append({key: kind.check(group[key]) for key, kind in kinds.items()})
        return tuple(groups)

    @property
    def words(self) -> str:
        """What is accepted."""
        return "a list of maps with name, modules and lr"


class OptimizerKeys(Topic):
    """How gradients change the weights."""

    learning_rate: Annotated[float, Number(above=0)]
    """The largest learning rate, which the scheduler starts from and lowers: ``2e-4`` is usual for LoRA, ``2e-5`` for all
    weights. Example: ``learning_rate: 2e-4``."""

    embedding_lr: Annotated[float | None, Number(above=0)] = None
    """Learning rate of the input and output embeddings, where these are trained. Default: learning_rate.
    Example: ``embedding_lr: 1e-5``."""

    embedding_lr_scale: Annotated[float | None, Number(above=0)] = None
    """The same as a multiple of learning_rate. Example: ``embedding_lr_scale: 0.5``."""

    lr_groups: Annotated[tuple[dict[str, Any], ...] | None, RateGroups()] = None
    """Learning rates of their own for some layers: a list of maps with ``name``, ``modules`` (parts of the weights' names)
    and ``lr``; a weight takes the first that it fits. Example: ``lr_groups: [{name: heads, modules: [lm_head], lr: 1e-5}]``."""

    optimizer: Annotated[
        str,
        Choice(
            OPTIMIZERS,
            PLANNED_OPTIMIZERS,
            "use 'adamw_torch_fused', or 'adamw_bnb_8bit' to save memory",
        ),
    ] = "adamw_torch_fused"
    """How gradients change the weights: a name of Transformers' ``OptimizerNames``, or ``muon`` (orthogonal updates of the
    matrices, AdamW for embeddings, head and vectors; https://kellerjordan.github.io/posts/muon/). AdamW keeps two numbers for each
    trained weight; in 8 bit (``adamw_bnb_8bit``, needs the package bitsandbytes) these take a quarter of the memory.
    Example: ``optimizer: adamw_bnb_8bit``."""

    optim_args: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of the optimizer, by its own names. Example: ``optim_args: {foreach: false}``."""

    optim_target_modules: Annotated[
        tuple[str, ...] | Literal["all_linear"] | None,
        TextList(keyword="all_linear"),
        Planned("remove it: no supported optimizer treats some layers apart"),
    ] = None
    """Layers whose gradients the optimizers GaLore and APOLLO project to a lower rank, or ``all_linear``.
    Example: ``optim_target_modules: [q_proj, v_proj]``."""

    torchdistx_path: Annotated[
        str | None, PathText(), Planned("remove it, and install torchdistx itself")
    ] = None
    """Folder of the package torchdistx, for the optimizer ``adamw_anyprecision``. Example: ``torchdistx_path: ./torchdistx``."""

    adam_beta1: Annotated[float, Number(minimum=0, below=1)] = 0.9
    """Adam's decay of the gradient's mean: the nearer to 1, the longer past gradients count.
    Example: ``adam_beta1: 0.9``."""

    adam_beta2: Annotated[float, Number(minimum=0, below=1)] = 0.999
    """Adam's decay of the gradient's square; ``0.95`` is usual for large models. Example: ``adam_beta2: 0.95``."""

    adam_beta3: Annotated[
        float | None, Number(minimum=0, below=1), Planned("remove it, and use 'optimizer: adamw_torch_fused'")
    ] = None
    """Third decay, of the optimizer CAME (https://arxiv.org/abs/2307.02047) alone. Example: ``adam_beta3: 0.9999``."""

    adam_epsilon: Annotated[float, Number(above=0)] = 1e-8
    """Adam's term against division by zero. Example: ``adam_epsilon: 1e-6``."""

    adam_epsilon2: Annotated[
        float | None, Number(above=0), Planned("remove it, and use 'optimizer: adamw_torch_fused'")
    ] = None
    """Second such term, of the optimizer CAME alone. Example: ``adam_epsilon2: 1e-16``."""

    weight_decay: Annotated[float, Number(minimum=0)] = 0.0
    """How strongly weights are pulled to zero: the share that each step takes from them, times the learning rate.
    Example: ``weight_decay: 0.01``."""

    max_grad_norm: Annotated[float, Number(minimum=0)] = 1.0
    """Gradients are scaled down to this norm, all weights taken together; 0: never. Example: ``max_grad_norm: 1.0``."""

    neftune_noise_alpha: Annotated[float | None, Number(minimum=0)] = None
    """Strength of the random noise that is added to the embeddings while training (NEFTune, Jain et al. 2023,
    https://arxiv.org/abs/2310.05914); 5 is usual. Example: ``neftune_noise_alpha: 5``."""
