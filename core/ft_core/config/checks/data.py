"""Checks of what is trained on and evaluated on as a whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ft_core.config.checks.asked import BOTH, Asked, datasets_of, refuse_pairs
from ft_core.config.document import Path
from ft_core.config.draft import dotted
from ft_core.config.pretraining import KEY, is_pretraining

NOT_STREAMED = {
    "dataset_exact_deduplication": ("compares all samples, and '{}' never has them at once", "remove '{}'"),
    "group_by_length": (
        "needs the lengths of all samples, and '{}' never has them at once",
        "remove '{}'; 'sample_packing: true' keeps padding low",
    ),
    "push_dataset_to_hub": ("keeps tokenized data, and '{}' makes none to keep", "remove '{}'"),
    "dataset_shard_num": (
        "cuts all samples into parts, and '{}' never has them at once",
        "remove '{}', and give each dataset 'shards' and 'shards_idx'",
    ),
}
"""Keys that need all samples before training: why, and what to do; {} is the key of the stream, and the key itself."""

PAIRS = (
    (
        "dataset_exact_deduplication",
        "skip_prepare_dataset",
        "'dataset_exact_deduplication' compares tokenized samples, and 'skip_prepare_dataset' tokenizes them while training",
        BOTH,
    ),
    (
        "group_by_length",
        "curriculum_sampling",
        "'group_by_length' and 'curriculum_sampling' both say in which order samples are trained",
        BOTH,
    ),
)

SOURCE_KEYS = ("name", "data_files", "revision", "weight", "shards", "shards_idx", "skip")
"""Besides path and split: what makes two datasets different rows."""

READING_KEYS = ("type", "field", "field_messages", "message_property_mappings", "roles_to_train")
"""What makes different samples of the same rows."""


def check_data(asked: Asked) -> None:
    """Report what cannot be trained on, two sources of one thing, and rows that are read twice."""
    config, draft = asked.config, asked.draft
    if draft.given("datasets") and not config.datasets:
        draft.report(
            ("datasets",), "'datasets' is empty", "add an entry: '- path: rows.jsonl' with its 'type'"
        )
    if config.val_set_size >= 1 and not config.val_set_size.is_integer():
        message = f"'val_set_size' must be a share below 1 or a whole number of samples, not {config.val_set_size:g}"
        draft.report(("val_set_size",), message, "write 0.05 for 5 %, or 100 for 100 samples")
    if config.val_set_size > 0 and config.test_datasets:
        message = "'val_set_size' and 'test_datasets' both say what is evaluated on"
        draft.report(("val_set_size",), message, BOTH, at="key")
    _check_streams(asked)
    _check_part(asked)
    refuse_pairs(asked, PAIRS)
    _check_twice(asked)
    _check_trained_inputs(asked)


def _check_streams(asked: Asked) -> None:
    """Report what rows that are read while training cannot have: an end that is known, and a part to set aside."""
    if not asked.value("streaming"):
        _check_skips(asked)
        return
    key = KEY if is_pretraining(asked.draft) else "streaming"
    if asked.lacks("max_steps"):
        message = f"'{key}' needs 'max_steps': how many rows will come is not known"
        asked.draft.report((key,), message, "add 'max_steps: 1000'", at="key")
    if asked.config.val_set_size > 0:
        message = f"'val_set_size' sets rows aside before training, and '{key}' reads them while training"
        asked.draft.report(("val_set_size",), message, "give 'test_datasets' in its place", at="key")
    for name, (why, fix) in NOT_STREAMED.items():
        if asked.value(name):
            asked.draft.report((name,), f"'{name}' {why.format(key)}", fix.format(name), at="key")
    if asked.draft.given("shuffle_before_merging_datasets") and asked.config.shuffle_before_merging_datasets:
        message = f"'shuffle_before_merging_datasets' has no effect: '{key}' reads the datasets side by side"
        asked.draft.warn(("shuffle_before_merging_datasets",), message, "remove the line")
    if asked.draft.given("pretrain_multipack_attn") and not asked.config.pretrain_multipack_attn:
        message = (
            "'pretrain_multipack_attn: false' has no effect: samples that share a row never see each other"
        )
        asked.draft.warn(("pretrain_multipack_attn",), message, "remove the line")


def _check_skips(asked: Asked) -> None:
    for path, dataset in datasets_of(asked.config, asked.draft):
        if dataset.skip:
            message = "'skip' passes over rows that are streamed, and these are not"
            fix = f"write 'split: {dataset.split.split('[')[0]}[{dataset.skip}:]', or add 'streaming: true'"
            asked.draft.report((*path, "skip"), message, fix, at="key")


def _check_part(asked: Asked) -> None:
    """Report a part of all samples that is not there, and warn of one that is not named."""
    config, draft = asked.config, asked.draft
    parts, index = config.dataset_shard_num, config.dataset_shard_idx
    if asked.unclear("dataset_shard_num") or asked.unclear("dataset_shard_idx"):
        return
    if parts is None and index is not None:
        message = "'dataset_shard_idx' has no effect without 'dataset_shard_num'"
        draft.warn(("dataset_shard_idx",), message, "add 'dataset_shard_num: 4', or remove the line")
    elif parts is not None and index is None:
        message = "'dataset_shard_num' has no effect without 'dataset_shard_idx'"
        draft.warn(("dataset_shard_num",), message, "add 'dataset_shard_idx: 0', or remove the line")
    elif parts is not None and index is not None and index >= parts:
        message = f"'dataset_shard_idx' must be less than 'dataset_shard_num' ({parts}), not {index}"
        draft.report(("dataset_shard_idx",), message, "the first part is 0")


def _check_twice(asked: Asked) -> None:
    """Warn of samples that are trained on twice, and of samples that are evaluated on and trained on too."""
    # By what they read, in words: some of the values cannot be hashed.
    read: dict[str, Path] = {}
    trained: dict[str, Path] = {}
    for path, dataset in datasets_of(asked.config, asked.draft):
        if any(asked.unclear(*path, key) for key in ("path", "split", *SOURCE_KEYS, *READING_KEYS)):
            continue
        rows = [id(dataset.table) if dataset.table else dataset.path, _values(asked, path, SOURCE_KEYS)]
        whole = dataset.split.split("[")[0]
        first = read.setdefault(
            f"{path[0]} {rows} {dataset.split} {_values(asked, path, READING_KEYS)}", path
        )
        if first != path:
            message = f"'{dotted(path)}' is the same as '{dotted(first)}', so its samples count twice"
            asked.draft.warn(path, message, BOTH, at="value")
        if path[0] == "datasets":
            trained.setdefault(f"{rows} {dataset.split}", path)
            trained.setdefault(f"{rows} any part of {whole}", path)
            continue
        places = [f"{rows} {dataset.split}", f"{rows} {whole}"]
        if dataset.split == whole:
            places.append(f"{rows} any part of {whole}")
        if found := next((trained[place] for place in places if place in trained), None):
            message = f"'{dotted(path)}' holds rows of '{dotted(found)}': what is trained on is no test"
            fix = "use another split, or slices such as 'train[:90%]' and 'train[90%:]'"
            asked.draft.warn(path, message, fix, at="value")


def _values(asked: Asked, path: Path, keys: Iterable[str]) -> list[Any]:
    return [asked.value(*path, key) for key in keys]


def _check_trained_inputs(asked: Asked) -> None:
    """Warn where train_on_inputs changes nothing: plain text is trained on anyway."""
    config, draft = asked.config, asked.draft
    if not config.train_on_inputs or any(bad[0] in ("datasets", "test_datasets") for bad in draft.bad):
        return
    if config.datasets and all(dataset.type == "completion" for dataset in config.datasets):
        message = "'train_on_inputs' has no effect with 'type: completion': all of the text is trained on"
        draft.warn(("train_on_inputs",), message, "remove the line")
