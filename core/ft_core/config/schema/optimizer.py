"""Keys of the optimizer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, FreeMap, Number, names

# transformers.training_args.OptimizerNames of 5.23, without those that need optim_target_modules.
OPTIMIZERS = names(
    "adamw_torch_fused adamw_torch adamw_torch_xla adamw_torch_npu_fused adamw_torch_4bit "
    "adamw_torch_8bit adafactor adamw_anyprecision ademamix sgd adagrad adamw_bnb_8bit adamw_8bit "
    "ademamix_8bit lion_8bit lion_32bit paged_adamw_32bit paged_adamw_8bit paged_ademamix_32bit "
    "paged_ademamix_8bit paged_lion_32bit paged_lion_8bit rmsprop rmsprop_bnb rmsprop_bnb_8bit "
    "rmsprop_bnb_32bit lomo adalomo grokadamw schedule_free_radam schedule_free_adamw schedule_free_sgd "
    "stable_adamw"
)

PLANNED_OPTIMIZERS = names(
    "galore_adamw galore_adamw_8bit galore_adafactor galore_adamw_layerwise galore_adamw_8bit_layerwise "
    "galore_adafactor_layerwise apollo_adamw apollo_adamw_layerwise optimi_adamw ao_adamw_4bit "
    "ao_adamw_8bit ao_adamw_fp8 adopt_adamw came_pytorch muon dion q_galore_adamw8bit flash_adamw "
    "flash_lion flash_sgd sinkgd lion_pytorch"
)


class OptimizerKeys(Topic):
    """How gradients change the weights."""

    learning_rate: Annotated[float, Number(above=0)]
    """The largest learning rate, such as ``2e-4`` for LoRA or ``2e-5`` for all weights."""

    optimizer: Annotated[
        str,
        Choice(
            OPTIMIZERS,
            PLANNED_OPTIMIZERS,
            "use 'adamw_torch_fused', or 'adamw_bnb_8bit' to save memory",
        ),
    ] = "adamw_torch_fused"
    """How gradients change the weights: a name of Transformers' ``OptimizerNames``."""

    optim_args: Annotated[dict[str, Any], FreeMap()] = Field(default_factory=dict)
    """Further arguments of the optimizer."""

    adam_beta1: Annotated[float, Number(minimum=0, below=1)] = 0.9
    """Adam's decay of the gradient's mean."""

    adam_beta2: Annotated[float, Number(minimum=0, below=1)] = 0.999
    """Adam's decay of the gradient's square."""

    adam_epsilon: Annotated[float, Number(above=0)] = 1e-8
    """Adam's term against division by zero."""

    weight_decay: Annotated[float, Number(minimum=0)] = 0.0
    """How strongly weights are pulled to zero."""

    max_grad_norm: Annotated[float, Number(minimum=0)] = 1.0
    """Gradients are scaled down to this norm; 0: never."""
