"""Checks of the kernels that compute the loss."""

from __future__ import annotations

from itertools import pairwise

from ft_core.config.checks.asked import Asked

KERNELS = (
    "cut_cross_entropy",
    "chunked_cross_entropy",
    "liger_cross_entropy",
    "liger_fused_linear_cross_entropy",
)
"""Ways to compute the loss, of which one can be chosen."""


def check_loss(asked: Asked) -> None:
    """Report two ways to compute one loss."""
    chosen = [key for key in KERNELS if asked.value(key)]
    for first, second in pairwise(chosen):
        message = f"'{first}' and '{second}' both replace how the loss is computed"
        asked.draft.report((second,), message, "keep one of them", at="key")
    if asked.value("flash_attn_cross_entropy") and chosen:
        message = f"'flash_attn_cross_entropy' and '{chosen[0]}' both replace how the loss is computed"
        asked.draft.warn(("flash_attn_cross_entropy",), message, "keep one of them")
