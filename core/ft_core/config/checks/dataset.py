"""Checks of the keys of one dataset."""

from __future__ import annotations

import re

from ft_core.config.checks.asked import Asked
from ft_core.config.document import Path
from ft_core.config.problems import nearest
from ft_core.config.schema.dataset import Dataset

TYPE_KEYS = {
    "completion": ("field",),
    "pretrain": ("text_column",),
    "stepwise_supervised": ("step_separator", "train_on_last_step_only"),
    "chat_template": (
        "field_messages",
        "message_property_mappings",
        "roles",
        "roles_to_train",
        "train_on_eos",
        "train_on_eot",
        "message_field_training",
        "message_field_training_detail",
        "drop_system_message",
        "field_tools",
        "field_thinking",
        "template_thinking_key",
        "split_thinking",
        "chat_template",
        "chat_template_jinja",
    ),
}
"""Keys of a dataset that only its type reads."""

NAMED = r"(?!messages)[a-z_]\w*(:[a-z]\w*)?"
"""Types that are known to read no other keys; a function, and messages, may be rendered as a conversation."""


def check_dataset(asked: Asked, dataset: Dataset, path: Path) -> None:
    """Report what does not fit together in the dataset at `path`."""
    _check_type_keys(asked, dataset, path)
    _check_table_keys(asked, dataset, path)
    if dataset.type == "chat_template" and not asked.draft.is_bad((*path, "type")):
        _check_trained_roles(asked, dataset, path)


def _check_type_keys(asked: Asked, dataset: Dataset, path: Path) -> None:
    kind: object = dataset.type
    if asked.draft.is_bad((*path, "type")) or not isinstance(kind, str) or not re.fullmatch(NAMED, kind):
        return
    for key, reader in ((key, reader) for reader, keys in TYPE_KEYS.items() for key in keys):
        if kind != reader and key in dataset.model_fields_set and getattr(dataset, key) != _default(key):
            message = f"'{key}' has no effect with 'type: {kind}'"
            asked.draft.warn((*path, key), message, f"use 'type: {reader}', or remove the line")


def _check_table_keys(asked: Asked, dataset: Dataset, path: Path) -> None:
    for key in ("name", "data_files", "ds_type"):
        if dataset.table is not None and getattr(dataset, key) is not None:
            message = f"'{key}' says where rows are read from, and 'path: {dataset.path}' holds them already"
            asked.draft.report((*path, key), message, "remove the line", at="key")


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
