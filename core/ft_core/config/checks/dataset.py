"""Checks of the keys of one dataset."""

from __future__ import annotations

from ft_core.config.checks.asked import Asked
from ft_core.config.document import Path
from ft_core.config.problems import nearest
from ft_core.config.schema.dataset import Dataset
from ft_core.config.schema.dataset_type import PromptFormat, is_function
from ft_core.config.schema.values import names

READERS = {
    **dict.fromkeys(
        names("field_messages message_property_mappings message_field_training chat_template"),
        ("chat_template", "messages"),
    ),
    **dict.fromkeys(
        names(
            "roles roles_to_train train_on_eos train_on_eot message_field_training_detail chat_template_jinja field_tools "
            "drop_system_message split_thinking field_thinking template_thinking_key"
        ),
        ("chat_template",),
    ),
    **dict.fromkeys(names("step_separator train_on_last_step_only"), ("stepwise_supervised",)),
    "field": ("completion",),
    "text_column": ("pretrain",),
    "input_transform": ("messages",),
}
"""Keys of a dataset that only some types read."""


def check_dataset(asked: Asked, dataset: Dataset, path: Path) -> None:
    """Report what does not fit together in the dataset at `path`."""
    _check_type_keys(asked, dataset, path)
    _check_table_keys(asked, dataset, path)
    _check_shards(asked, dataset, path)
    if dataset.type == "chat_template" and not asked.draft.is_bad((*path, "type")):
        _check_trained_roles(asked, dataset, path)


def _check_type_keys(asked: Asked, dataset: Dataset, path: Path) -> None:
    kind = dataset.type
    # What a function returns may be a conversation.
    named = isinstance(kind, PromptFormat) or (isinstance(kind, str) and not is_function(kind))
    if asked.draft.is_bad((*path, "type")) or not named:
        return
    words = f"'{dataset.type_words}'" if isinstance(kind, str) and kind else dataset.type_words
    for key, readers in READERS.items():
        if kind in readers or key not in dataset.model_fields_set or getattr(dataset, key) == _default(key):
            continue
        fix = f"use 'type: {readers[0]}', or remove the line"
        asked.draft.warn((*path, key), f"'{key}' has no effect with {words}", fix)


def _check_table_keys(asked: Asked, dataset: Dataset, path: Path) -> None:
    for key in ("name", "data_files", "ds_type", "revision"):
        if dataset.table is not None and getattr(dataset, key) is not None:
            message = f"'{key}' says where rows are read from, and 'path: {dataset.path}' holds them already"
            asked.draft.report((*path, key), message, "remove the line", at="key")


def _check_shards(asked: Asked, dataset: Dataset, path: Path) -> None:
    index = dataset.shards_idx
    if index is None or asked.unclear(*path, "shards_idx") or asked.unclear(*path, "shards"):
        return
    if dataset.shards is None:
        message = "'shards_idx' has no effect without 'shards'"
        asked.draft.warn((*path, "shards_idx"), message, "add 'shards: 10', or remove the line", at="key")
    elif index >= dataset.shards:
        message = f"'shards_idx' must be less than 'shards' ({dataset.shards}), not {index}"
        asked.draft.report((*path, "shards_idx"), message, "the first shard is 0")


def _check_trained_roles(asked: Asked, dataset: Dataset, path: Path) -> None:
    """Warn of messages of which none is trained on, and of names of roles that are slips."""
    at = (*path, "roles_to_train")
    if "roles_to_train" not in dataset.model_fields_set or asked.draft.is_bad(at):
        return
    if asked.config.train_on_inputs:
        if dataset.roles_to_train != _default("roles_to_train"):
            message = "'roles_to_train' has no effect: 'train_on_inputs' trains on all messages"
            asked.draft.warn(at, message, "remove one of the two")
        return
    if not dataset.roles_to_train:
        others = ("message_field_training", "message_field_training_detail")
        ends = (dataset.train_on_eos, dataset.train_on_eot)
        # With ends of turns as they are by default, an empty list asks for the last message of each conversation.
        if all(asked.lacks(*path, key) for key in others) and {"last", "none"} & set(ends):
            # Axolotl loads it, and trains nothing.
            message = "'roles_to_train' is empty, so nothing of this dataset is trained on"
            fix = "write 'roles_to_train: [assistant]', or name a property by 'message_field_training'"
            asked.draft.warn(at, message, fix)
        return
    known = {*dataset.roles, *(name for names in dataset.roles.values() for name in names)}
    for index, role in enumerate(dataset.roles_to_train):
        if role not in known and (near := nearest(role, known, 1)):
            message = (
                f"'roles_to_train' names '{role}', which 'roles' does not know; did you mean '{near[0]}'?"
            )
            asked.draft.warn((*at, index), message, f"write '{near[0]}', or add it to 'roles'", at="value")


def _default(key: str) -> object:
    return Dataset.model_fields[key].get_default(call_default_factory=True)
