"""Folders that are either whole or not there: checkpoints, and the tuned model at the end."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import ModelError
from ft_core.models.initial_adapter import initial_of, widen_saved

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase

CHECKPOINT = "checkpoint-"

RELORA = "relora"
"""The folder in a checkpoint that holds the base as the restarts of ``relora`` have changed it, in fp32."""


def list_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in `folder`, oldest step first."""
    found = [path for path in folder.glob(f"{CHECKPOINT}*") if path.name[len(CHECKPOINT) :].isdigit()]
    return sorted(found, key=lambda path: int(path.name[len(CHECKPOINT) :]))


def require_state(checkpoint: Path) -> None:
    """Raise a ModelError if a checkpoint holds weights alone, as ``save_only_model`` leaves it: training cannot go on."""
    if checkpoint.is_dir() and not (checkpoint / "optimizer.pt").is_file():
        raise ModelError(
            f"'{checkpoint}' does not hold the optimizer's state, so training cannot go on from it.",
            "Name a checkpoint that was saved without save_only_model.",
        )


def publish(written: Path, target: Path) -> None:
    """Put the folder `written` in place as `target`, which it replaces.

    Everything is on the disk before the name changes, so that a machine that loses power leaves the old folder or the
    new one under the name, and never a part.
    """
    for path in sorted(written.rglob("*")):
        _sync(path)
    _sync(written)
    replaced = target.with_name(f".old-{target.name}")
    shutil.rmtree(replaced, ignore_errors=True)
    if target.exists():
        target.rename(replaced)
    written.rename(target)
    _sync(target.parent)
    shutil.rmtree(replaced, ignore_errors=True)


def check_finite(model: Any) -> None:
    """Raise a ModelError if a weight that trains is no number: what is saved is there to go on from."""
    import torch

    for name, weight in model.named_parameters():
        if weight.requires_grad and not bool(torch.isfinite(weight).all()):
            raise ModelError(
                f"'{name}' holds what is no number any more, so the model is not saved.",
                "Lower learning_rate, and go on from the last checkpoint.",
            )


def save_final(
    model: Any,
    tokenizer: PreTrainedTokenizerBase,
    target: Path,
    *,
    dtype: torch.dtype | None,
) -> None:
    """Save the tuned adapter or model with its tokenizer and chat template as the folder `target`.

    Parameters
    ----------
    model
        The trained model, of transformers or of PEFT; with an adapter, only that is saved.
    tokenizer
        Its tokenizer.
    target
        The folder; it appears when everything is in it.
    dtype
        Format that a whole model is saved in. Its fp32 master weights are rounded once, in place; None keeps them, and
        is right for an adapter.
    """
    check_finite(model)
    staging = target.with_name(f".writing-{target.name}")
    shutil.rmtree(staging, ignore_errors=True)
    try:
        if dtype is not None:
            model.to(dtype)
        save_weights(model, staging)
        tokenizer.save_pretrained(staging)
        publish(staging, target)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def save_weights(model: Any, folder: Path | str, **options: Any) -> None:
    """Save a model, or an adapter with the rows that trained beside it and nothing of its base.

    PEFT would add all embeddings where their number has changed, twice where they are tied. Every new row trains with the
    adapter or is in a module that it saves whole (`ft_core.models.token_rows`), so the adapter is complete without.

    Parameters
    ----------
    model
        The model, of transformers or of PEFT.
    folder
        Where to.
    options
        For its ``save_pretrained``.
    """
    if hasattr(model, "peft_config"):
        options["save_embedding_layers"] = False
    model.save_pretrained(folder, **options)
    if (initial := initial_of(model)) is not None:
        widen_saved(Path(folder), initial)


def copy_to(final: Path, folder: Path) -> None:
    """Put the files of `final` into `folder` too, as hard links where the disk allows, replacing files of their name."""
    for source in sorted(final.rglob("*")):
        target = folder / source.relative_to(final)
        if source.is_dir():
            target.mkdir(parents=True, exist_ok=True)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        staged = target.with_name(f".writing-{target.name}")
        staged.unlink(missing_ok=True)
        try:
            os.link(source, staged)
        except OSError:
            shutil.copyfile(source, staged)  # another disk, or a disk without links
        staged.replace(target)


def _sync(path: Path) -> None:
    """Wait until a file's contents, or a folder's names, are on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle for a folder
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
