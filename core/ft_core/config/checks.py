"""What is wrong between keys that are each right on their own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ft_core.config.config import Config
from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.schema.dataset import Dataset

TYPE_KEYS = {
    "completion": ("field",),
    "chat_template": (
        "field_messages",
        "message_property_mappings",
        "roles",
        "roles_to_train",
        "train_on_eos",
        "train_on_eot",
        "message_field_training",
        "chat_template",
        "chat_template_jinja",
    ),
}
"""Keys of a dataset that only its type reads."""

SCHEDULER_NEEDS = {
    "cosine_with_min_lr": (("min_lr", "min_lr_rate"), "{min_lr_rate: 0.1}"),
    "cosine_warmup_with_min_lr": (("min_lr", "min_lr_rate"), "{min_lr_rate: 0.1}"),
    "warmup_stable_decay": (("num_decay_steps",), "{num_decay_steps: 100}"),
}
"""One of these must be in lr_scheduler_kwargs, as in the example."""

OTHER_MODELS = r"[A-Z]\w*(For[A-Z]\w*|LMHeadModel)"
"""What classes of models are called that are no causal language models, such as Llama4ForConditionalGeneration."""


def check_together(config: Config, draft: Draft) -> None:
    """Report what does not fit together.

    Parameters
    ----------
    config
        The typed values; a stand-in where a value is missing or wrong.
    draft
        Says which keys were given, and takes the problems.
    """
    _check_data(config, draft)
    _check_batch(config, draft)
    _check_warmup(config, draft)
    _check_saving(config, draft)
    _check_evaluation(config, draft)
    _check_adapter(config, draft)
    _check_classes(config, draft)
    _check_template(config, draft, ())
    for path, dataset in datasets_of(config, draft):
        _check_template(dataset, draft, path)
        _check_type_keys(dataset, draft, path)
        _check_table_keys(dataset, draft, path)
    if config.fp16 and config.bf16 is True:
        draft.report(
            ("fp16",),
            "'fp16' and 'bf16' cannot both be true",
            "keep 'bf16: true', or 'fp16: true' for older GPUs",
        )
    if config.max_steps is not None and config.num_epochs != 1:
        draft.warn(
            ("num_epochs",),
            "'num_epochs' has no effect: 'max_steps' says when training ends",
            "remove one of the two",
        )
    if draft.given("dataset_prepared_path"):
        message = "'dataset_prepared_path' has no effect: tokenized data is not kept on disk yet"
        draft.warn(("dataset_prepared_path",), message, "remove it, or leave it for later")


def datasets_of(config: Config, draft: Draft) -> Iterator[tuple[Path, Dataset]]:
    """Yield every dataset with its path; a key of it that is wrong has a stand-in."""
    for key in ("datasets", "test_datasets"):
        entries: tuple[Dataset, ...] = getattr(config, key)
        for index, dataset in enumerate(entries):
            path = (key, index)
            if draft.given(key) and not draft.is_bad(path):
                yield path, dataset


def has_eval_data(config: Config) -> bool:
    """Whether there is anything to evaluate on."""
    return config.val_set_size > 0 or bool(config.test_datasets)


def _check_data(config: Config, draft: Draft) -> None:
    if draft.given("datasets") and not config.datasets:
        draft.report(
            ("datasets",), "'datasets' is empty", "add an entry: '- path: rows.jsonl' with its 'type'"
        )
    if config.val_set_size >= 1 and not config.val_set_size.is_integer():
        message = f"'val_set_size' must be a share below 1 or a whole number of samples, not {config.val_set_size:g}"
        draft.report(("val_set_size",), message, "write 0.05 for 5 %, or 100 for 100 samples")
    if config.val_set_size > 0 and config.test_datasets:
        message = "'val_set_size' and 'test_datasets' both say what is evaluated on"
        draft.report(("val_set_size",), message, "remove one of the two", at="key")


def _check_batch(config: Config, draft: Draft) -> None:
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


def _check_warmup(config: Config, draft: Draft) -> None:
    if config.warmup_steps is not None and config.warmup_ratio is not None:
        message = "'warmup_steps' and 'warmup_ratio' both say how long the warmup is"
        draft.report(("warmup_ratio",), message, "remove one of the two", at="key")
    if config.lr_scheduler in SCHEDULER_NEEDS and draft.given("lr_scheduler"):
        names, example = SCHEDULER_NEEDS[config.lr_scheduler]
        if (
            not any(name in config.lr_scheduler_kwargs for name in names)
            and ("lr_scheduler_kwargs",) not in draft.bad
        ):
            message = (
                f"'lr_scheduler: {config.lr_scheduler}' needs {' or '.join(names)} in 'lr_scheduler_kwargs'"
            )
            draft.report(("lr_scheduler",), message, f"add 'lr_scheduler_kwargs: {example}'")
    if config.lr_scheduler == "reduce_lr_on_plateau" and not has_eval_data(config):
        message = (
            "'lr_scheduler: reduce_lr_on_plateau' follows the evaluation loss, and nothing is evaluated on"
        )
        draft.report(("lr_scheduler",), message, "set 'val_set_size: 0.05'")


def _check_saving(config: Config, draft: Draft) -> None:
    if config.save_steps is not None and config.saves_per_epoch:
        message = "'save_steps' and 'saves_per_epoch' both say when checkpoints are saved"
        draft.report(("saves_per_epoch",), message, "remove one of the two", at="key")
    elif draft.given("save_strategy") and config.save_strategy != "steps":
        _check_strategy(draft, "save_strategy", config.save_strategy, "save_steps", config.save_steps)
        _check_strategy(
            draft, "save_strategy", config.save_strategy, "saves_per_epoch", config.saves_per_epoch
        )


def _check_evaluation(config: Config, draft: Draft) -> None:
    if config.eval_steps is not None and config.evals_per_epoch:
        message = "'eval_steps' and 'evals_per_epoch' both say when the model is evaluated"
        draft.report(("evals_per_epoch",), message, "remove one of the two", at="key")
    elif draft.given("eval_strategy") and config.eval_strategy != "steps" and has_eval_data(config):
        _check_strategy(draft, "eval_strategy", config.eval_strategy, "eval_steps", config.eval_steps)
        _check_strategy(
            draft, "eval_strategy", config.eval_strategy, "evals_per_epoch", config.evals_per_epoch
        )
    # Evaluation data whose key is wrong is evaluation data still.
    if (
        has_eval_data(config)
        or draft.is_bad(("val_set_size",))
        or any(bad[0] == "test_datasets" for bad in draft.bad)
    ):
        return
    fix = "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line"
    if config.eval_steps is not None:
        draft.report(
            ("eval_steps",), "'eval_steps' is given, and there is nothing to evaluate on", fix, at="key"
        )
    if draft.given("eval_strategy") and config.eval_strategy != "no":
        draft.report(
            ("eval_strategy",), "'eval_strategy' is given, and there is nothing to evaluate on", fix, at="key"
        )
    if config.evals_per_epoch:
        # Axolotl passes over it, and many configs carry it along with 'val_set_size: 0'.
        draft.warn(
            ("evals_per_epoch",), "'evals_per_epoch' has no effect: there is nothing to evaluate on", fix
        )


def _check_strategy(draft: Draft, strategy: str, value: str, key: str, steps: float | None) -> None:
    if steps:
        message = f"'{strategy}: {value}' and '{key}' contradict each other"
        draft.report((strategy,), message, f"write '{strategy}: steps', or remove '{key}'")


def _check_adapter(config: Config, draft: Draft) -> None:
    if config.adapter is not None or draft.is_bad(("adapter",)):
        return
    for key in (name for name in Config.model_fields if name.startswith(("lora_", "peft_use_"))):
        if draft.given(key) and getattr(config, key) not in (Config.model_fields[key].default, ()):
            message = f"'{key}' has no effect: without 'adapter: lora' all weights of the model are trained"
            draft.warn((key,), message, f"add 'adapter: lora', or remove '{key}'")


def _check_classes(config: Config, draft: Draft) -> None:
    accepted = {
        "model_type": (config.model_type, "AutoModelForCausalLM", r"[A-Za-z]\w*ForCausalLM"),
        "tokenizer_type": (config.tokenizer_type, "AutoTokenizer", r"[A-Za-z]\w*Tokenizer(Fast)?"),
    }
    for key, (value, auto, pattern) in accepted.items():
        if value == auto or draft.is_bad((key,)):
            continue
        if re.fullmatch(pattern, value):
            message = f"'{key}: {value}' has no effect: the class that the checkpoint names is used"
            draft.warn((key,), message, "remove the line")
            continue
        message = f"'{key}' cannot be '{value}'"
        if key == "model_type" and re.fullmatch(OTHER_MODELS, value):
            message += ": it is not supported yet"
        draft.report((key,), message, f"remove the line, or write '{auto}'")


def _check_template(keys: Config | Dataset, draft: Draft, path: Path) -> None:
    at = (*path, "chat_template")
    if at in draft.bad or (*path, "chat_template_jinja") in draft.bad:
        return
    if keys.chat_template == "jinja" and keys.chat_template_jinja is None:
        draft.report(
            at,
            "'chat_template: jinja' needs the template in 'chat_template_jinja'",
            "add 'chat_template_jinja: template.jinja', or use 'chat_template: tokenizer_default'",
        )
    given = draft.document.values.get(at) is not None or draft.override_of(at) is not None
    if given and keys.chat_template_jinja is not None and keys.chat_template not in ("jinja", None):
        message = f"'chat_template: {keys.chat_template}' has no effect: 'chat_template_jinja' is used"
        draft.warn(at, message, "write 'chat_template: jinja', or remove 'chat_template_jinja'")


def _check_type_keys(dataset: Dataset, draft: Draft, path: Path) -> None:
    for kind, keys in TYPE_KEYS.items():
        if dataset.type == kind or draft.is_bad((*path, "type")):
            continue
        for key in keys:
            if key in dataset.model_fields_set and getattr(dataset, key) != _default(key):
                message = f"'{key}' has no effect with 'type: {dataset.type}'"
                draft.warn((*path, key), message, f"use 'type: {kind}', or remove the line")


def _check_table_keys(dataset: Dataset, draft: Draft, path: Path) -> None:
    for key in ("name", "data_files", "ds_type"):
        if dataset.table is not None and getattr(dataset, key) is not None:
            message = f"'{key}' says where rows are read from, and 'path: {dataset.path}' holds them already"
            draft.report((*path, key), message, "remove the line", at="key")


def _default(key: str) -> object:
    return Dataset.model_fields[key].get_default(call_default_factory=True)
