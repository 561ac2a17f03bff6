"""Checks of the optimizer and its own settings."""

from __future__ import annotations

from ft_core.config.checks.asked import BOTH, Asked, refuse_pairs
from ft_core.config.schema.values import names

# The optimizers of Transformers' trainer_optimizer.py of 5.23 that get none of Adam's numbers.
WITHOUT_ADAM = names(
    "adafactor sgd adagrad rmsprop rmsprop_bnb rmsprop_bnb_8bit rmsprop_bnb_32bit adamw_anyprecision lomo adalomo "
    "grokadamw schedule_free_sgd"
)

PAIRS = (
    (
        "embedding_lr_scale",
        "embedding_lr",
        "'embedding_lr' and 'embedding_lr_scale' both say how fast the embeddings learn",
        BOTH,
    ),
)


def check_optimizer(asked: Asked) -> None:
    """Report an optimizer that lacks what it needs, and warn of settings that it does not read."""
    draft = asked.draft
    refuse_pairs(asked, PAIRS)
    optimizer = asked.value("optimizer")
    if optimizer.startswith(("galore_", "apollo_")) and asked.lacks("optim_target_modules"):
        message = f"'optimizer: {optimizer}' needs 'optim_target_modules': which layers it projects"
        draft.report(("optimizer",), message, "add 'optim_target_modules: all_linear'")
    scheduler = asked.value("lr_scheduler")
    if optimizer.startswith("schedule_free_") and scheduler not in ("constant", "constant_with_warmup"):
        message = f"'optimizer: {optimizer}' does without a schedule, and 'lr_scheduler: {scheduler}' lowers its learning rate"
        draft.warn(("optimizer",), message, "write 'lr_scheduler: constant'")
    if optimizer not in WITHOUT_ADAM:
        return
    for key in ("adam_beta1", "adam_beta2", "adam_epsilon"):
        if draft.given(key):
            draft.warn((key,), f"'{key}' has no effect with 'optimizer: {optimizer}'", "remove the line")
