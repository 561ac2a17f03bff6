"""What a kind of device cannot do, whatever the model. Torch-free, so that a plan can say it at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from ft_core.errors import ModelError
from ft_core.models.hardware import Hardware

if TYPE_CHECKING:
    from ft_core.config import Config

_BITSANDBYTES = re.compile(r"bnb|8bit|paged|lion|ademamix")
_WITHOUT_BITSANDBYTES = "adamw_torch_8bit"  # torchao's


def check_device(config: Config, hardware: Hardware) -> None:
    """Raise a ModelError where `config` asks for what no device of this kind can do.

    On Apple's GPUs bitsandbytes and GPTQ have no kernels to train with.
    """
    if hardware.kind != "mps":
        return
    key = next((key for key in ("load_in_4bit", "load_in_8bit", "gptq") if getattr(config, key)), None)
    if key is not None:
        raise ModelError(
            f"'{key}: true' cannot be used on an Apple GPU, which has no kernels for weights in few bits.",
            f"Remove '{key}' and write 'adapter: lora'.",
        )
    if needs_bitsandbytes(config.optimizer):
        raise ModelError(
            f"'optimizer: {config.optimizer}' cannot be used on an Apple GPU, for which bitsandbytes has no optimizers.",
            "Write 'optimizer: adamw_torch'.",
        )


def needs_bitsandbytes(optimizer: str) -> bool:
    """Whether an optimizer is one of bitsandbytes.

    >>> needs_bitsandbytes("paged_adamw_8bit"), needs_bitsandbytes("adamw_torch_8bit"), needs_bitsandbytes("adafactor")
    (True, False, False)
    """
    return _BITSANDBYTES.search(optimizer) is not None and optimizer != _WITHOUT_BITSANDBYTES
