"""Keys that Axolotl once had and gave up: those that change nothing here, and those that ask for what is gone."""

from __future__ import annotations

from typing import Any

from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.translate import take

SPEED = "it made training faster and changed no result"
ESTIMATE = "packing needs no estimate"
FAMILY = "the checkpoint itself says which family it belongs to"
CHECKPOINT = "the checkpoint itself says how it is quantized"

WITHOUT_EFFECT = {
    "base_model_ignore_patterns": "safetensors files are preferred where a checkpoint has both kinds",
    "collator_pad_to_longest": "a batch is padded to its longest sample unless pad_to_sequence_len is true",
    "debug": "'--inspect' in a notebook shows the samples token by token",
    "flash_attn_fuse_qkv": SPEED,
    "flash_attn_rms_norm": SPEED,
    "gptq_disable_exllama": CHECKPOINT,
    "gptq_groupsize": CHECKPOINT,
    "gptq_model_v1": CHECKPOINT,
    "is_falcon_derived_model": FAMILY,
    "is_llama_derived_model": FAMILY,
    "is_mistral_derived_model": FAMILY,
    "is_qwen_derived_model": FAMILY,
    "lora_out_dir": "the adapter is saved in the run's folder, and in output_dir",
    "model_config_type": FAMILY,
    "sample_packing_eff_est": ESTIMATE,
    "sample_packing_seq_len_multiplier": ESTIMATE,
    "total_num_tokens": ESTIMATE,
    "total_supervised_tokens": ESTIMATE,
    "unsloth_cross_entropy_loss": SPEED,
    "unsloth_lora_mlp": SPEED,
    "unsloth_lora_o": SPEED,
    "unsloth_lora_qkv": SPEED,
    "unsloth_rms_norm": SPEED,
    "unsloth_rope": SPEED,
}
"""Keys whose value changes nothing, each with why."""

GONE = {
    "dpo_generate_during_eval": "remove it",
    "dpo_norm_loss": "remove it",
    "dpo_use_logits_to_keep": "remove it",
    "eta_min": "use 'lr_scheduler: cosine_with_min_lr' and 'lr_scheduler_kwargs: {min_lr: ...}'",
    "inference": "remove it: '%ft chat NAME' talks to a tuned model",
    "kd_top_k_before_softmax": "remove it",
    "kd_zscore_base_temp": "remove it",
    "landmark_attention": "use 'attn_implementation: sdpa'",
    "log_sweep_max_lr": "use 'lr_scheduler: cosine'",
    "log_sweep_min_lr": "use 'lr_scheduler: cosine'",
    "max_packed_sequence_len": "use 'sample_packing: true', which packs whole samples up to sequence_len",
    "prepare_ds_only": "remove it: a run tokenizes its data first",
    "rl_adapter_ref_model": "remove it: with an adapter, the model without it is the reference",
    "rpo_alpha": "use 'dpo_loss_type: [sigmoid, sft]' and 'dpo_loss_weights: [1.0, ALPHA]'",
    "s2_attention": "use 'attn_implementation: sdpa'",
    "shard": "remove it: the model is saved in the run's folder",
    "tensor_parallel": "use 'tensor_parallel_size'",
    "torch_dtype": "use 'bf16: true', 'fp16: true' or 'bf16: false'",
    "xpos_rope": "use 'overrides_of_model_config: {rope_scaling: ...}'",
}
"""Keys that ask for something that Axolotl can do no more, each with what to do instead."""

WITHOUT_EFFECT_IN_DATASETS = {"strict": "every row is checked"}
"""Keys of a dataset whose value changes nothing, each with why."""

ONLY_IN_DATASETS = ("train_on_split", "message_field_role", "message_field_content")
"""Older keys of a dataset; at the top they are a matter of indentation."""


def drop_retired(draft: Draft) -> None:
    """Take the keys that Axolotl gave up out of the draft, saying of each that asks for something what becomes of it."""
    for key in [key for key in draft.data if key in WITHOUT_EFFECT]:
        _drop(draft, draft.data, (key,), WITHOUT_EFFECT[key])
    for key in [key for key in draft.data if key in GONE]:
        # False asks for nothing, and so does Axolotl's 'torch_dtype: auto'.
        value = take(draft.data, key)
        if value is not None and (key, value) != ("torch_dtype", "auto"):
            draft.report((key,), f"'{key}' is not supported: Axolotl has removed it", GONE[key], at="key")
    for key in ONLY_IN_DATASETS:
        if draft.data.pop(key, None) is not None:
            fix = f"'{key}' belongs to a dataset, under 'datasets': check the indentation"
            draft.report((key,), f"unknown key '{key}'", fix, at="key")
    config = draft.data.get("base_model_config")
    if config is not None and config == draft.data.get("base_model"):
        # How every config of 2023 began; today the configuration comes with the model.
        del draft.data["base_model_config"]


def drop_retired_of_dataset(draft: Draft, entry: dict[str, Any], path: Path) -> None:
    """Do the same inside the dataset `entry`, which stands at `path`."""
    system = take(entry, "field_system")
    if system is not None and system != "system":
        message = "'field_system' is not supported yet: the system message is read from the column 'system'"
        draft.report((*path, "field_system"), message, "rename the column", at="key")
    for key, why in WITHOUT_EFFECT_IN_DATASETS.items():
        if key in entry:
            _drop(draft, entry, (*path, key), why)


def _drop(draft: Draft, holder: dict[str, Any], path: Path, why: str) -> None:
    if take(holder, str(path[-1])) is not None:
        draft.warn(path, f"'{path[-1]}' has no effect: {why}", "remove it")
