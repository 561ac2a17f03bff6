"""Keys of the number formats that weights are kept in and training computes in."""

from __future__ import annotations

from typing import Annotated, Literal

from ft_core.config.schema.topic import Topic
from ft_core.config.schema.values import Choice, Flag


class QuantizationKeys(Topic):
    """Number formats, and quantised base models."""

    bf16: Annotated[bool | Literal["auto"], Choice(("auto",), flags=True)] = "auto"
    """Whether to compute in bfloat16; ``auto``: where the device can."""

    fp16: Annotated[bool, Flag()] = False
    """Whether to compute in float16 with loss scaling, for GPUs without bfloat16."""

    tf32: Annotated[bool | Literal["auto"], Choice(("auto",), flags=True)] = "auto"
    """Whether float32 matrix products may use TensorFloat-32; ``auto``: where the GPU can."""
