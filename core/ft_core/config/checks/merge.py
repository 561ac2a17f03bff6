"""Checks of the merge at a run's end, and of where it takes its memory."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked


def check_merge(asked: Asked) -> None:
    """Report what cannot be merged, and warn where nothing is, or where a limit is not for training."""
    draft = asked.draft
    if asked.value("merge_lora"):
        if asked.value("reward_model"):
            message = "'merge_lora' makes a language model, and 'reward_model' trains one that scores texts"
            draft.report(("merge_lora",), message, "remove 'merge_lora'", at="key")
        if asked.lacks("adapter"):
            message = "'merge_lora' has no effect: without an adapter there is nothing to merge"
            draft.warn(("merge_lora",), message, "add 'adapter: lora', or remove the line")
        elif asked.value("relora"):
            message = (
                "'merge_lora' has no effect: 'relora' merges the adapter itself, and saves a whole model"
            )
            draft.warn(("merge_lora",), message, "remove the line")
    if asked.value("gpu_memory_limit"):
        message = "'gpu_memory_limit' is for merging: training takes the memory of the GPU that the plan says"
        fix = "remove the line; 'gradient_checkpointing: true' or 'load_in_4bit: true' take less memory"
        draft.warn(("gpu_memory_limit",), message, fix)
