"""Linear layers whose weights GPTQ quantised, as gptqmodel computes with them.

Of its kernels, most have no gradient. One that says it has (``torch_aten``, which is what a processor gets by default)
repacks its weights where it evaluates before it trains, and every later gradient is then less than it should be, without a
word (gptqmodel 7.6, ``TorchAtenLinear.forward``). So weights are always made whole by plain operations of torch, layer by layer
as they are needed, and multiplied as any others.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from transformers import GPTQConfig, PreTrainedModel

_KERNEL = "gptq_torch"


def kernel_settings(bits: int) -> GPTQConfig:
    """Return what ``from_pretrained`` needs so that gradients go through the layers of a GPTQ checkpoint."""
    from transformers import GPTQConfig

    # It says that of these settings it takes the kernel alone, which is what is asked.
    warnings.filterwarnings("ignore", message="You passed `quantization_config`", category=UserWarning)
    return GPTQConfig(bits=bits, backend=_KERNEL)


def is_packed(module: Any) -> bool:
    """Say whether a module is a linear layer of gptqmodel, which is none of torch's and keeps no parameters."""
    return hasattr(module, "qweight")


def parameters_of(module: Any) -> int:
    """Return how many parameters a packed layer stands for."""
    return module.in_features * module.out_features + (module.out_features if module.bias is not None else 0)


def whole_weight(module: Any) -> torch.Tensor:
    """Return the weight, of shape ``(out, in)``, that a packed layer computes with."""
    return module.dequantize_weight().T.contiguous()


def compute_uncompiled(model: PreTrainedModel) -> None:
    """Take back the ``torch.compile`` of every layer's dequantisation.

    Each layer is compiled anew, some twenty seconds before the first step, and after eight of them torch gives up and
    computes the others as they are.
    """
    for module in model.modules():
        if is_packed(module):
            vars(module).pop("dequantize_weight", None)
