"""Checks of methods that learn from preferences and rewards, and of the formats that they read."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked, datasets_of
from ft_core.config.document import Path
from ft_core.config.schema.values import names

PAIRED = ("dpo", "ipo", "simpo", "orpo", "kto")
"""Methods that read answers which are marked as better and worse, or as good and bad."""

SUPERVISED = names(
    "alpaca alpaca_chat alpaca_instruct alpaca_w_system completion concisechoice context_qa creative_acr explainchoice "
    "gpteacher input_output jeopardy llama2_chat messages metharme oasst orcamini pretrain pygmalion reflection summarizetldr"
)
"""Formats whose rows hold one answer."""

PREFERENCES = names("chatml llama3 passthrough zephyr")
"""Formats whose rows hold answers that are marked."""


def check_preference(asked: Asked) -> None:
    """Report formats that the method does not read, and settings that contradict it."""
    for path, _ in datasets_of(asked.config, asked.draft):
        at = (*path, "type")
        kind = asked.value(*at)
        if isinstance(kind, str) and not asked.unclear(*at):
            _check_format(asked, at, kind)
    if not asked.unclear("rl"):
        _check_losses(asked)
    _check_generations(asked)
    if asked.value("rl") == "ebft" and asked.lacks("ebft"):
        asked.draft.report(
            ("rl",), "'rl: ebft' needs its settings in 'ebft'", "add 'ebft: {mode: structured}'"
        )


def _check_format(asked: Asked, at: Path, kind: str) -> None:
    rl = asked.value("rl")
    format_name = kind.split(".")[0].split(":")[0]
    if format_name in PREFERENCES and asked.lacks("rl"):
        message = f"'type: {kind}' holds preferences, which only a method of 'rl' learns from"
        fix = "add 'rl: dpo', or use 'type: chat_template' for conversations"
    elif format_name in SUPERVISED and rl in PAIRED:
        message = f"'type: {kind}' holds no preferences, which 'rl: {rl}' learns from"
        fix = f"use 'type: {'chat_template.argilla' if rl == 'orpo' else 'chatml.intel'}'"
    elif format_name == "bradley_terry" and asked.lacks("reward_model"):
        message = f"'type: {kind}' holds pairs of answers, which only 'reward_model: true' learns from"
        fix = "add 'reward_model: true'"
    elif format_name in (*SUPERVISED, "chat_template") and asked.value("reward_model"):
        message = f"'type: {kind}' holds no pairs of answers, which 'reward_model' learns from"
        fix = "use 'type: bradley_terry.chat_template'"
    else:
        return
    asked.draft.report(at, message, fix)


def _check_losses(asked: Asked) -> None:
    """Report losses of DPO beside another method, or that do not go with their weights."""
    draft = asked.draft
    losses, weights = asked.value("dpo_loss_type"), asked.value("dpo_loss_weights")
    if asked.value("rl") != "dpo":
        for key, value in (("dpo_loss_type", losses), ("dpo_loss_weights", weights)):
            if value:
                draft.report(
                    (key,), f"'{key}' is read by 'rl: dpo' alone", "write 'rl: dpo', or remove it", at="key"
                )
    elif weights and asked.lacks("dpo_loss_type"):
        message = "'dpo_loss_weights' needs 'dpo_loss_type': which losses are weighted"
        draft.report(("dpo_loss_weights",), message, "add 'dpo_loss_type: [sigmoid, sft]'", at="key")
    elif isinstance(weights, list) and isinstance(losses, tuple) and len(weights) != len(losses):
        message = f"'dpo_loss_weights' and 'dpo_loss_type' differ in length: {len(weights)} and {len(losses)}"
        draft.report(("dpo_loss_weights",), message, "write one weight for each loss", at="key")


def _check_generations(asked: Asked) -> None:
    """Report groups of GRPO's answers that teach nothing, or that do not go into a batch."""
    number, batch = asked.value("trl", "num_generations"), asked.value("trl", "generation_batch_size")
    if asked.value("rl") != "grpo" or not isinstance(number, int):
        return
    path = ("trl", "num_generations")
    if number < 2:
        message = f"'num_generations' must be at least 2, not {number}: answers to a prompt are compared with each other"
        asked.draft.report(path, message, "write 'num_generations: 8'")
    elif isinstance(batch, int) and batch % number:
        message = f"'generation_batch_size: {batch}' is no multiple of 'num_generations: {number}'"
        fix = f"write 'generation_batch_size: {-(-batch // number) * number}'"
        asked.draft.report(("trl", "generation_batch_size"), message, fix)
