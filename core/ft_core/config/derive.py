"""Defaults that follow from other values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ft_core.config.checks import has_eval_data
from ft_core.config.checks.logging import TRACKERS
from ft_core.config.config import Config
from ft_core.config.schema.dataset import Dataset
from ft_core.config.schema.sequence import ONE_LONG_ROW

DEFAULT_RANK = 8
"""Rank of a LoRA adapter, as in PEFT."""


def derive(config: Config, given: Mapping[str, Any]) -> tuple[Config, dict[str, str]]:
    """Return `config` with what its other values imply, and the reason for each such value by dotted path.

    Parameters
    ----------
    config
        Valid values.
    given
        The keys that were given.
    """
    values: dict[str, Any] = {}
    reasons: dict[str, str] = {}

    def imply(key: str, value: Any, reason: str) -> None:
        values[key] = value
        reasons[key] = reason

    if config.tokenizer_config is None:
        imply("tokenizer_config", config.base_model, "the tokenizer of base_model")
    if config.batch_size is None:
        size = config.micro_batch_size * config.gradient_accumulation_steps
        imply("batch_size", size, "micro_batch_size x gradient_accumulation_steps")
    elif "gradient_accumulation_steps" not in given:
        steps = config.batch_size // config.micro_batch_size
        imply("gradient_accumulation_steps", steps, "batch_size / micro_batch_size")
    if config.eval_batch_size is None:
        imply("eval_batch_size", config.micro_batch_size, "as micro_batch_size")
    _derive_rows(config, imply)
    if config.fp16 and config.bf16 == "auto":
        imply("bf16", False, "fp16 is true")
    if config.adapter and not config.lora_model_dir:
        rank = config.lora_r or DEFAULT_RANK
        if config.lora_r is None:
            imply("lora_r", rank, f"adapter is {config.adapter}")
        if config.lora_alpha is None:
            imply("lora_alpha", rank, "as lora_r, so that the adapter's output is not scaled")
        if not config.lora_target_modules and (
            config.lora_target_linear or not config.lora_target_parameters
        ):
            reason = (
                "lora_target_linear is true"
                if config.lora_target_linear
                else f"adapter is {config.adapter}, and no layers are named"
            )
            imply("lora_target_modules", "all-linear", reason)
    if config.chat_template_jinja is not None and config.chat_template != "jinja":
        imply("chat_template", "jinja", "chat_template_jinja is given")
    if config.save_strategy != "steps" and (
        config.saves_per_epoch or ("save_strategy" not in given and config.save_steps is not None)
    ):
        imply(
            "save_strategy",
            "steps",
            "save_steps is given" if config.save_steps else "saves_per_epoch is given",
        )
    if "eval_strategy" not in given and has_eval_data(config):
        if config.eval_steps is not None or config.evals_per_epoch:
            imply(
                "eval_strategy",
                "steps",
                "eval_steps is given" if config.eval_steps else "evals_per_epoch is given",
            )
        else:
            imply("eval_strategy", "epoch", "there is evaluation data")
    if config.do_causal_lm_eval and not config.eval_causal_lm_metrics:
        imply("eval_causal_lm_metrics", ("perplexity",), "do_causal_lm_eval is true")
    for key, name in TRACKERS.items():
        if key not in given and getattr(config, name) is not None:
            imply(key, True, f"{name} is given")
    for key in ("datasets", "test_datasets"):
        entries: tuple[Dataset, ...] = getattr(config, key)
        values[key] = tuple(
            _derive_dataset(entry, f"{key}[{index}]", reasons) for index, entry in enumerate(entries)
        )
    return config.model_copy(update=values), reasons


def _derive_rows(config: Config, imply: Callable[[str, Any, str], None]) -> None:
    """Imply how samples lie in rows."""
    packed = config.sample_packing or bool(config.eval_sample_packing)
    if config.eval_sample_packing is None:
        imply("eval_sample_packing", config.sample_packing, "as sample_packing")
    if config.pad_to_sequence_len is None:
        reason = "samples are packed" if config.sample_packing else "samples are not packed"
        imply("pad_to_sequence_len", config.sample_packing, reason)
    one_row = config.attn_implementation in ONE_LONG_ROW
    takes_one = f"{config.attn_implementation} takes one long row"
    if config.multipack_real_batches is None and packed:
        # With 'auto' the rows are the same on every machine, whatever its GPU can do.
        reason = takes_one if one_row else "attention over a mask takes short rows"
        imply("multipack_real_batches", not one_row, reason)
    if config.batch_flattening == "auto":
        flat = one_row and not config.sample_packing
        reason = "samples are packed" if config.sample_packing else takes_one
        imply("batch_flattening", flat, reason if one_row else "attention is none that takes one long row")


def _derive_dataset(dataset: Dataset, path: str, reasons: dict[str, str]) -> Dataset:
    values: dict[str, Any] = {}
    if dataset.type != "chat_template":
        return dataset
    if dataset.train_on_eot is None:
        values["train_on_eot"] = dataset.train_on_eos
        reasons[f"{path}.train_on_eot"] = "as train_on_eos"
    if dataset.chat_template_jinja is not None and dataset.chat_template != "jinja":
        values["chat_template"] = "jinja"
        reasons[f"{path}.chat_template"] = "chat_template_jinja is given"
    return dataset.model_copy(update=values)
