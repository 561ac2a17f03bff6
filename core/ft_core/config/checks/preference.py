"""Checks of methods that learn from preferences and rewards, and of the formats that they read."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked, datasets_of
from ft_core.config.document import Path
from ft_core.config.problems import did_you_mean, listed
from ft_core.config.schema.dataset import Dataset
from ft_core.config.schema.dataset_type import (
    PREFERENCE_FORMAT_KEYS,
    FunctionSource,
    PromptFormat,
    is_function,
)
from ft_core.config.schema.preference import DPO_LOSSES
from ft_core.config.schema.values import names

PAIRED = ("dpo", "ipo", "simpo", "orpo", "kto")
"""Methods that read answers which are marked as better and worse, or as good and bad."""

COMPARED = ("dpo", "ipo", "kto")
"""Methods whose loss compares the model with the one that it started from."""

BEGINS_AS_NOTHING = (True, "gaussian")
"""Beginnings of an adapter that leave the model as it is."""

READ_BY = {
    **dict.fromkeys(
        names("dpo_loss_type dpo_loss_weights dpo_label_smoothing dpo_use_weighting dpo_ld_alpha"), ("dpo",)
    ),
    "rl_beta": ("dpo", "ipo", "kto", "simpo"),
    "precompute_ref_log_probs": ("dpo", "ipo"),
    "orpo_alpha": ("orpo",),
    **dict.fromkeys(names("simpo_gamma cpo_alpha"), ("simpo",)),
    **dict.fromkeys(names("kto_desirable_weight kto_undesirable_weight"), ("kto",)),
}
"""Settings, and the methods that read them."""

ROW_BY_ROW = names(
    "batch_flattening eval_sample_packing group_by_length streaming dataset_shard_num push_dataset_to_hub generate_samples"
)
"""What changes how rows are laid out or read, which answers that are compared have no room for."""

_AS_TEXT = "answers are compared row by row"

SUPERVISED = names(
    "alpaca alpaca_chat alpaca_instruct alpaca_w_system completion concisechoice context_qa creative_acr explainchoice "
    "gpteacher input_output jeopardy llama2_chat messages metharme oasst orcamini pretrain pygmalion reflection summarizetldr"
)
"""Formats whose rows hold one answer."""

PREFERENCES = names("chatml llama3 passthrough zephyr")
"""Formats whose rows hold answers that are marked."""


def check_preference(asked: Asked) -> None:
    """Report formats that the method does not read, and settings that contradict it."""
    for path, dataset in datasets_of(asked.config, asked.draft):
        at = (*path, "type")
        kind = asked.value(*at)
        if asked.unclear(*at):
            continue
        if isinstance(kind, str):
            _check_format(asked, at, kind)
        elif isinstance(kind, (PromptFormat, FunctionSource)):
            _check_map(asked, at, dataset)
    if not asked.unclear("rl"):
        _check_readers(asked)
        _check_losses(asked)
        _check_layout(asked)
    _check_generations(asked)
    if asked.value("rl") == "ebft" and asked.lacks("ebft"):
        asked.draft.report(
            ("rl",), "'rl: ebft' needs its settings in 'ebft'", "add 'ebft: {mode: structured}'"
        )


def _check_format(asked: Asked, at: Path, kind: str) -> None:
    rl = asked.value("rl")
    format_name = kind.split(".")[0].split(":")[0]
    if (format_name in PREFERENCES or kind.startswith("chat_template.")) and _is_supervised(asked):
        message = f"'type: {kind}' holds preferences, which only a method of 'rl' learns from"
        fix = "add 'rl: dpo', or use 'type: chat_template' for conversations"
    elif (format_name in SUPERVISED or is_function(kind)) and rl in PAIRED:
        message = f"'type: {kind}' holds no preferences, which 'rl: {rl}' learns from"
        fix = f"use 'type: {'chat_template.argilla' if rl == 'orpo' else 'chatml.intel'}'"
    elif format_name == "bradley_terry" and asked.lacks("reward_model"):
        message = f"'type: {kind}' holds pairs of answers, which only 'reward_model: true' learns from"
        fix = "add 'reward_model: true'"
    elif (format_name in (*SUPERVISED, *PREFERENCES, "chat_template") or is_function(kind)) and asked.value(
        "reward_model"
    ):
        if kind == "passthrough":
            return
        message = f"'type: {kind}' holds no pairs of answers, which 'reward_model' learns from"
        fix = "use 'type: bradley_terry.chat_template'"
    else:
        return
    asked.draft.report(at, message, fix)


def _is_supervised(asked: Asked) -> bool:
    """Whether nothing but supervised fine-tuning is asked for."""
    return asked.lacks("rl") and asked.lacks("reward_model")


def _check_map(asked: Asked, at: Path, dataset: Dataset) -> None:
    """Report a format that is spelled out for rows of the other kind, and code that reads rows."""
    if isinstance(dataset.type, FunctionSource):
        if not _is_supervised(asked):
            message = "'type' is a function, and preference data is read by a named type or a map"
            asked.draft.report(at, message, "use a map with field_prompt, field_chosen and field_rejected")
        return
    if not isinstance(dataset.type, PromptFormat):
        return
    given = dataset.type.model_fields_set
    marked = next((key for key in PREFERENCE_FORMAT_KEYS if key in given), None)
    if marked and _is_supervised(asked):
        message = f"'type' is a map of preference data ('{marked}'), which only a method of 'rl' learns from"
        fix = "add 'rl: dpo', or use field_instruction, field_input and field_output"
        asked.draft.report((*at, marked), message, fix)
    other = next((key for key in given if key not in (*PREFERENCE_FORMAT_KEYS, "field_system")), None)
    if other and not _is_supervised(asked):
        message = f"'type' is a map of instructions ('{other}'), which hold no preferences"
        asked.draft.report((*at, other), message, "use field_prompt, field_chosen and field_rejected")


def _check_readers(asked: Asked) -> None:
    """Report settings of another method than the one that trains."""
    rl = asked.value("rl")
    for key, methods in READ_BY.items():
        if rl not in methods and asked.given(key) and asked.value(key) is not False:
            quoted = [f"'rl: {method}'" for method in methods]
            message = f"'{key}' is read by {listed(quoted)} alone"
            asked.draft.report((key,), message, f"write {quoted[0]}, or remove it", at="key")
    if asked.given("center_rewards_coefficient") and asked.lacks("reward_model"):
        message = "'center_rewards_coefficient' is read by 'reward_model: true' alone"
        asked.draft.report(
            ("center_rewards_coefficient",), message, "add 'reward_model: true', or remove it", at="key"
        )
    if rl and asked.value("reward_model"):
        message = "'reward_model' trains a model that scores answers, and 'rl' one that writes them"
        asked.draft.report(("reward_model",), message, "remove one of the two", at="key")


def _check_layout(asked: Asked) -> None:
    """Report what answers that are compared cannot stand beside, and warn of what has no effect on them."""
    if _is_supervised(asked) or asked.value("rl") in ("grpo", "gdpo", "ebft"):
        return
    what = "reward_model" if asked.value("reward_model") else "rl"
    for key in ROW_BY_ROW:
        if asked.value(key):
            message = f"'{key}' cannot stand beside '{what}': {_AS_TEXT}"
            asked.draft.report((key,), message, f"remove '{key}'", at="key")
    if what == "reward_model" and asked.value("sample_packing"):
        message = f"'sample_packing' cannot stand beside 'reward_model': {_AS_TEXT}"
        asked.draft.report(("sample_packing",), message, "remove 'sample_packing'", at="key")
    if (
        asked.value("rl") == "kto"
        and asked.value("micro_batch_size") == 1
        and not asked.unclear("micro_batch_size")
    ):
        message = "'rl: kto' compares the rows of a micro-batch, and 'micro_batch_size' is 1"
        asked.draft.report(("rl",), message, "write 'micro_batch_size: 2' or more")
    if asked.value("rl") in COMPARED:
        _check_start(asked)
    if asked.value("lora_dropout"):
        message = f"'lora_dropout' has no effect with '{what}': answers are compared without dropout"
        asked.draft.warn(("lora_dropout",), message, "remove the line", at="key")


def _check_start(asked: Asked) -> None:
    """Report adapters that change what the model says from the start: it is compared with the model without them."""
    rl, init = asked.value("rl"), asked.value("peft_init_lora_weights")
    fix = "remove it"
    if init not in (None, *BEGINS_AS_NOTHING):
        message = (
            f"'rl: {rl}' compares the model with itself without its adapter, which this beginning changes"
        )
        asked.draft.report(("peft_init_lora_weights",), message, fix, at="key")
    if asked.value("lora_model_dir"):
        message = f"'rl: {rl}' compares the model with itself without its adapter, and this one is not new"
        asked.draft.report(("lora_model_dir",), message, "merge it into the base model first", at="key")


def _check_losses(asked: Asked) -> None:
    """Report losses of DPO that there are not, or that do not go with their weights or the other settings."""
    draft = asked.draft
    losses, weights = asked.value("dpo_loss_type"), asked.value("dpo_loss_weights")
    if asked.value("rl") != "dpo":
        return
    for index, name in enumerate(losses or ()):
        if name not in DPO_LOSSES:
            message = f"'dpo_loss_type' cannot hold '{name}'{did_you_mean(name, DPO_LOSSES)}"
            draft.report(("dpo_loss_type", index), message, f"use one of {', '.join(DPO_LOSSES)}")
    if "exo_pair" in (losses or ()) and asked.lacks("dpo_label_smoothing"):
        message = "the loss 'exo_pair' needs 'dpo_label_smoothing' above 0"
        draft.report(("dpo_loss_type",), message, "add 'dpo_label_smoothing: 0.001'", at="key")
    if asked.value("dpo_use_weighting") and {"aot", "aot_unpaired"} & set(losses or ()):
        message = "'dpo_use_weighting' weighs each pair, and the losses 'aot' and 'aot_unpaired' mix them"
        draft.report(("dpo_use_weighting",), message, "remove one of the two", at="key")
    if weights and asked.lacks("dpo_loss_type"):
        message = "'dpo_loss_weights' needs 'dpo_loss_type': which losses are weighted"
        draft.report(("dpo_loss_weights",), message, "add 'dpo_loss_type: [sigmoid, sft]'", at="key")
    elif weights and losses and len(weights) != len(losses):
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
