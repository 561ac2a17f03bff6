"""Local files and folders that a config names: whether they are there, and their whole paths."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice
from pathlib import Path as LocalPath
from typing import Any

from ft_core.config.checks import datasets_of
from ft_core.config.config import Config
from ft_core.config.document import Path
from ft_core.config.draft import Draft
from ft_core.config.functions import SUFFIX, split_function, with_whole_path
from ft_core.config.problems import clipped, listed, nearest
from ft_core.config.schema.dataset import Dataset

TEXT_SUFFIXES = (".jsonl", ".json", ".ndjson", ".csv", ".tsv", ".txt")
DATA_SUFFIXES = (
    ".parquet",
    ".arrow",
    *(suffix + packed for packed in ("", ".gz", ".bz2", ".xz", ".zst", ".zip") for suffix in TEXT_SUFFIXES),
)
FILE_READERS = ("json", "csv", "parquet", "arrow", "text")
"""Paths that name no place but how data_files are read; these are looked up from the working folder."""

TEMPLATE_SUFFIXES = (".jinja", ".jinja2", ".j2", ".txt")

MAX_LISTED = 2000
"""How many names of a folder are looked at for one that is near."""


def check_files(config: Config, draft: Draft) -> None:
    """Report models, datasets and templates that are named like local files and are not there, or are empty."""
    for key in ("base_model", "tokenizer_config", "lora_model_dir"):
        name: str | None = getattr(config, key)
        if name is not None and draft.given(key) and _looks_local(name) and _kind(name) is None:
            _report_missing(draft, (key,), name, "folder")
    checkpoint = config.resume_from_checkpoint
    if checkpoint is not None and draft.given("resume_from_checkpoint") and _kind(checkpoint) is None:
        _report_missing(draft, ("resume_from_checkpoint",), checkpoint, "folder")
    for path, dataset in datasets_of(config, draft):
        for at, name in _data_files(dataset, path):
            if not draft.is_bad(at):
                _check_data_file(draft, at, name)
        _check_template(draft, (*path, "chat_template_jinja"), dataset.chat_template_jinja)
        _check_function(draft, (*path, "type"), dataset)
    if draft.given("chat_template_jinja"):
        _check_template(draft, ("chat_template_jinja",), config.chat_template_jinja)


def with_absolute_paths(config: Config) -> Config:
    """Return `config` with every local path whole, so that it means the same from any folder."""
    values: dict[str, Any] = {
        key: _absolute_if_there(getattr(config, key))
        for key in ("base_model", "tokenizer_config", "lora_model_dir", "chat_template_jinja")
        if getattr(config, key) is not None
    }
    for key in ("output_dir", "dataset_prepared_path", "resume_from_checkpoint"):
        if (folder := getattr(config, key)) is not None:
            values[key] = _absolute(folder)
    if config.mlflow_tracking_uri is not None:
        values["mlflow_tracking_uri"] = _absolute_store(config.mlflow_tracking_uri)
    for key in ("datasets", "test_datasets"):
        entries: tuple[Dataset, ...] = getattr(config, key)
        values[key] = tuple(_absolute_dataset(dataset) for dataset in entries)
    return config.model_copy(update=values)


def _absolute_dataset(dataset: Dataset) -> Dataset:
    values: dict[str, Any] = {} if dataset.table else {"path": _absolute_if_there(dataset.path)}
    if dataset.data_files is not None and dataset.path in FILE_READERS:
        values["data_files"] = tuple(
            name if "://" in name else _absolute(name) for name in dataset.data_files
        )
    if dataset.chat_template_jinja is not None:
        values["chat_template_jinja"] = _absolute_if_there(dataset.chat_template_jinja)
    if isinstance(dataset.type, str):
        values["type"] = with_whole_path(dataset.type)
    return dataset.model_copy(update=values)


def _absolute_store(uri: str) -> str:
    """Return where MLflow keeps runs with a whole path, if that is a folder or a file here.

    >>> _absolute_store("http://localhost:5000"), _absolute_store("sqlite:////data/mlflow.db")
    ('http://localhost:5000', 'sqlite:////data/mlflow.db')
    """
    scheme, found, path = uri.partition(":///")
    if found and scheme == "sqlite":
        return f"sqlite:///{_absolute(path)}"
    return uri if "://" in uri or uri.startswith(("file:", "databricks")) else _absolute(uri)


def _absolute_if_there(name: str) -> str:
    return name if _kind(name) is None else _absolute(name)


def _absolute(name: str) -> str:
    # Not resolved: a symbolic link's target may move.
    return os.path.abspath(name)  # noqa: PTH100


def _data_files(dataset: Dataset, path: Path) -> Iterator[tuple[Path, str]]:
    """Yield the names of `dataset` that must be files or folders here."""
    if dataset.table is not None:
        return
    if _looks_local(dataset.path) or _is_data_file(dataset.path):
        yield (*path, "path"), dataset.path
    folder = LocalPath(dataset.path) if _kind(dataset.path) == "folder" else None
    if dataset.data_files is None or (folder is None and dataset.path not in FILE_READERS):
        return
    for index, name in enumerate(dataset.data_files):
        if not any(sign in name for sign in "*?[") and "://" not in name:
            yield (*path, "data_files", index), str(folder / name) if folder else name


def _check_function(draft: Draft, path: Path, dataset: Dataset) -> None:
    """Report the file of a function that is not there."""
    if draft.is_bad(path) or not isinstance(dataset.type, str) or f"{SUFFIX}:" not in dataset.type:
        return
    file, _ = split_function(dataset.type)
    if _kind(file) is None:
        _report_missing(draft, path, file, "file")


def _check_data_file(draft: Draft, path: Path, name: str) -> None:
    kind = _kind(name)
    if kind is None:
        _report_missing(draft, path, name, "file")
    elif kind == "file" and LocalPath(name).stat().st_size == 0:
        draft.report(path, f"the file '{clipped(name)}' is empty", "write at least one row into it")
    elif _is_listable(LocalPath(name)) and not _names_in(LocalPath(name)):
        draft.report(
            path, f"the folder '{clipped(name)}' is empty", "put a data file into it, or name another folder"
        )


def _check_template(draft: Draft, path: Path, template: str | None) -> None:
    """Report a template that is neither a text nor a file."""
    if template is None or "{" in template or _kind(template) == "file":
        return
    if _looks_local(template) or template.endswith(TEMPLATE_SUFFIXES):
        _report_missing(draft, path, template, "file")
    else:
        message = f"'{clipped(template)}' is neither a Jinja template nor a file that holds one"
        draft.report(
            path, message, "give the path of a file, or a template such as one with '{{ message.content }}'"
        )


def _report_missing(draft: Draft, path: Path, name: str, kind: str) -> None:
    """Report that nothing is at `name`, and name what is near."""
    parent = LocalPath(name).parent
    if not _is_listable(parent):
        draft.report(
            path,
            f"there is no {kind} '{clipped(name)}'",
            f"there is no folder '{clipped(str(parent))}' either",
        )
        return
    entries = _names_in(parent)
    found = nearest(LocalPath(name).name, entries)
    if found:
        near = [str(LocalPath(name).parent / entry) for entry in found]
        fix = "did you mean " + " or ".join(f"'{clipped(entry)}'" for entry in near) + "?"
    else:
        data = [entry for entry in entries if _is_data_file(entry)] if kind == "file" else []
        if data:
            some = [f"'{clipped(entry)}'" for entry in data[:5]]
            fix = f"that folder holds {listed(some)}"
        elif LocalPath(name).is_absolute():
            fix = "check the path"
        else:
            fix = f"check the path; it is looked up from '{clipped(str(LocalPath.cwd()))}'"
    draft.report(path, f"there is no {kind} '{clipped(name)}'", fix)


def _is_listable(folder: LocalPath) -> bool:
    """Whether `folder` is one and may be looked into."""
    return _kind(str(folder)) == "folder" and os.access(folder, os.R_OK | os.X_OK)


def _names_in(folder: LocalPath) -> list[str]:
    """Return the names in `folder`, not all of them where there are many."""
    return sorted(entry.name for entry in islice(folder.iterdir(), MAX_LISTED))


def _looks_local(name: str) -> bool:
    """Whether `name` can only be a path here: a hub name has one slash at most and no leading dot."""
    if "://" in name:
        return False
    return name.startswith(("./", "../", "/")) or name in (".", "..") or name.count("/") > 1


def _is_data_file(name: str) -> bool:
    return "://" not in name and name.lower().endswith(DATA_SUFFIXES)


def _kind(name: str) -> str | None:
    """Return ``file`` or ``folder`` for what is at `name`, None where nothing is (or nothing that may be seen)."""
    try:
        mode = LocalPath(name).stat().st_mode
    except (OSError, ValueError):
        return None
    return "folder" if stat.S_ISDIR(mode) else "file"
