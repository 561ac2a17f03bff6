"""Which keys there are: ours, those that Axolotl has and we do not support yet, and slips.

``axolotl_keys.json`` lists the keys of Axolotl 0.21's schema, its plugins' arguments and a few that it dropped, each with
Axolotl's default. A key of that list that asks for nothing (empty, false, or that default) passes, so that its
configs load unchanged; one that asks for something is an error that says so, never a silence.
"""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Any, Literal

from ft_core.config.config import Config
from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.problems import did_you_mean, nearest, shown
from ft_core.config.schema.data import Dataset
from ft_core.config.schema.tokenizer import SpecialTokens
from ft_core.config.schema.topic import Topic

Level = Literal["top", "dataset", "special_tokens"]

MODELS: dict[Level, type[Topic]] = {"top": Config, "dataset": Dataset, "special_tokens": SpecialTokens}

ADVICE = {
    "sample_packing": "remove it: each sample is a row of its own, padded to the longest of its batch",
    "eval_sample_packing": "remove it: each sample is a row of its own, padded to the longest of its batch",
    "load_in_4bit": "remove it: weights are kept in 16 bit; 'gradient_checkpointing: true' or a smaller base_model saves memory",
    "load_in_8bit": "remove it: weights are kept in 16 bit; 'gradient_checkpointing: true' or a smaller base_model saves memory",
    "plugins": "remove it: no plugin is loaded; the results differ only in speed and memory for kernel plugins such as liger",
    "wandb_project": "remove it: the loss curve is drawn in the notebook and kept in the run's events.jsonl",
    "deepspeed": "remove it: every GPU holds the whole model",
    "fsdp": "remove it: every GPU holds the whole model",
    "fsdp_config": "remove it: every GPU holds the whole model",
    "rl": "remove it: only supervised fine-tuning works, on datasets of type 'chat_template', 'alpaca' or 'completion'",
    "lora_model_dir": "remove it: training starts from a new adapter",
    "resume_from_checkpoint": "remove it: a run starts from base_model",
    "auto_resume_from_checkpoints": "remove it: a run starts from base_model",
    "pretraining_dataset": "use 'datasets' with 'type: completion'",
    "batch_size": "use micro_batch_size and gradient_accumulation_steps",
    "tokens": "remove it: the vocabulary stays as it is",
    "added_tokens_overrides": "remove it: the vocabulary stays as it is",
    "group_by_length": "remove it: samples are trained in random order",
    "hub_model_id": "remove it, and upload the run's folder 'final' when it is done",
    "cosine_min_lr_ratio": "use 'lr_scheduler: cosine_with_min_lr' and 'lr_scheduler_kwargs: {min_lr_rate: 0.1}'",
    "flex_attention": "use 'attn_implementation: sdpa'",
    "xformers_attention": "use 'attn_implementation: sdpa'",
    "sage_attention": "use 'attn_implementation: sdpa'",
    "s2_attention": "use 'attn_implementation: sdpa'",
    "bfloat16": "use 'bf16: true'",
    "float16": "use 'fp16: true'",
    "float32": "use 'bf16: false'",
    "train_on_split": "use 'split'",
    "conversation": "use 'type: chat_template'",
    "drop_system_message": "remove the system messages from the data",
    "message_field_training_detail": "use message_field_training to choose whole messages",
    "additional_special_tokens": "remove it: the vocabulary stays as it is",
    "lora_on_cpu": "remove it",
}
"""What to do without the keys that are used most."""


@cache
def axolotl_keys() -> dict[Level, dict[str, Any]]:
    """Return Axolotl's keys at each level, with their defaults."""
    return json.loads(resources.files("ft_core.config").joinpath("axolotl_keys.json").read_text("utf-8"))


def is_planned(key: str, level: Level = "top") -> bool:
    """Whether Axolotl has `key` and we do not support it yet."""
    return key in axolotl_keys()[level] and key not in MODELS[level].model_fields


def keep_supported(draft: Draft, data: dict[str, Any], level: Level, path: Path = ()) -> dict[str, Any]:
    """Return the supported keys of `data` that hold something, at every level, reporting the others."""
    model = MODELS[level]
    kept: dict[str, Any] = {}
    for key, value in data.items():
        at = (*path, key)
        if key in model.model_fields:
            if value is None or (value == "" and not model.model_fields[key].is_required()):
                continue
            kept[key] = _keep_inner(draft, key, value, at) if level == "top" else value
        elif key in axolotl_keys()[level]:
            if not _asks_for_nothing(value, axolotl_keys()[level][key]):
                draft.report(at, f"'{key}' is not supported yet", ADVICE.get(key, "remove it"), at="key")
        else:
            _report_unknown(draft, key, level, at)
    return kept


def _keep_inner(draft: Draft, key: str, value: Any, path: Path) -> Any:
    if key in ("datasets", "test_datasets") and isinstance(value, list):
        return [
            keep_supported(draft, entry, "dataset", (*path, index)) if isinstance(entry, dict) else entry
            for index, entry in enumerate(value)
        ]
    if key == "special_tokens" and isinstance(value, dict):
        return keep_supported(draft, value, "special_tokens", path)
    return value


def _report_unknown(draft: Draft, key: str, level: Level, path: Path) -> None:
    options = [*MODELS[level].model_fields, "model_revision"]
    # A key of another level, such as a dataset's key at the top, is a matter of indentation.
    elsewhere: dict[Level, str] = {
        "dataset": "a dataset, under 'datasets'",
        "top": "the top level",
        "special_tokens": "'special_tokens'",
    }
    if found := nearest(key, options):
        fix = f"write '{found[0]}', or remove it"
    elif homes := [
        words for other, words in elsewhere.items() if other != level and key in MODELS[other].model_fields
    ]:
        fix = f"'{key}' belongs to {homes[0]}: check the indentation"
    elif found := nearest(key, axolotl_keys()[level]):
        draft.report(
            path,
            f"unknown key {shown(key)}; did you mean '{found[0]}'?",
            "remove it: that key is not supported yet",
            at="key",
        )
        return
    else:
        fix = "remove it"
    draft.report(path, f"unknown key {shown(key)}{did_you_mean(key, options)}", fix, at="key")


def _asks_for_nothing(value: Any, default: Any) -> bool:
    if value is None or value is False or value in ("", [], {}):
        return True
    if isinstance(default, (int, float)) and not isinstance(default, bool) and isinstance(value, str):
        # 1e-6 is text in YAML 1.1.
        try:
            return float(value) == default
        except ValueError:
            return False
    return default is not None and value == default
