"""Checks of the batch: the global one, the micro one, and how many of these are summed."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked


def check_batch(asked: Asked) -> None:
    """Report sizes that do not go into each other."""
    config, draft = asked.config, asked.draft
    size, micro, steps = config.batch_size, config.micro_batch_size, config.gradient_accumulation_steps
    keys = ("batch_size", "micro_batch_size", "gradient_accumulation_steps")
    if size is None or any(draft.is_bad((key,)) for key in keys):
        return
    if draft.given("gradient_accumulation_steps"):
        # A resolved config has all three.
        if size != micro * steps:
            message = (
                f"'batch_size: {size}' is not micro_batch_size {micro} x gradient_accumulation_steps {steps}"
            )
            draft.report(("batch_size",), message, "keep 'micro_batch_size' and one of the other two")
    elif not draft.given("micro_batch_size"):
        message = "'batch_size' does not say how many samples a device computes at a time"
        draft.report(("batch_size",), message, "add 'micro_batch_size: 1'", at="key")
    elif size % micro:
        message = f"'batch_size: {size}' is no multiple of 'micro_batch_size: {micro}'"
        draft.report(("batch_size",), message, f"write 'batch_size: {-(-size // micro) * micro}'")
