"""The checkpoint that a config goes on from by itself: where its last run broke off.

::

    run-3  the same config, saved nothing   looked past
    run-2  another config                   looked past
    run-1  the same config, stopped         its newest checkpoint
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config import ConfigError, load_config
from ft_core.config.schema.checkpoint import CheckpointKeys
from ft_core.config.schema.logging import LoggingKeys
from ft_core.errors import LaunchError
from ft_core.runs.find import find_runs
from ft_core.runs.paths import CHECKPOINTS, RESOLVED
from ft_core.train.saving import list_checkpoints

if TYPE_CHECKING:
    from ft_core.config import Config

MAY_DIFFER = {*CheckpointKeys.model_fields, *LoggingKeys.model_fields}
"""Keys that leave what is trained as it is: what is saved, and what is told."""

_NEEDED = ("trainer_state.json", "optimizer.pt", "scheduler.pt")


def with_checkpoint(config: Config, root: Path | None = None) -> Config:
    """Return `config` as it goes on from the newest checkpoint of its last run, where ``auto_resume_from_checkpoints`` asks.

    A run is of the same config where every key is the same but those of what is saved and told. Where the last of them has
    completed, or none has a checkpoint, training begins at the first step.

    Parameters
    ----------
    config
        What is about to be trained.
    root
        The folder that holds runs; the default one by default.

    Raises
    ------
    LaunchError
        A run of this config is still alive, or its data are variables of a notebook, which each run has its own copy of.
    """
    if not config.auto_resume_from_checkpoints or config.resume_from_checkpoint is not None:
        return config
    for dataset in config.all_datasets:
        if dataset.table is not None:
            raise LaunchError(
                f"auto_resume_from_checkpoints cannot know whether '{dataset.path}' is what the last run trained on.",
                "Save the data to a file, or name the checkpoint by resume_from_checkpoint.",
            )
    trained = _what_is_trained(config)
    for run in find_runs(root):
        if _of_resolved(run.directory / RESOLVED) != trained:
            continue
        if run.alive:
            raise LaunchError(
                f"Run '{run.name}' of this config is still going on: {run.summary()}.",
                f"Stop it first: ft stop {run.name}",
            )
        if run.state == "completed":
            break
        if whole := [
            folder for folder in list_checkpoints(run.directory / CHECKPOINTS) if _can_go_on(folder)
        ]:
            return config.model_copy(update={"resume_from_checkpoint": str(whole[-1])})
    return config


def _can_go_on(checkpoint: Path) -> bool:
    """Whether training can go on from a checkpoint; from weights alone it cannot."""
    return all((checkpoint / name).is_file() for name in _NEEDED)


def _what_is_trained(config: Config) -> dict[str, Any]:
    """Return the values of a config that say what is trained, local paths whole."""
    import yaml

    values: dict[str, Any] = yaml.safe_load(config.to_yaml(absolute_paths=True))
    return {key: value for key, value in values.items() if key not in MAY_DIFFER}


def _of_resolved(file: Path) -> dict[str, Any] | None:
    """Return the same of a run's file; None where it cannot be read."""
    try:
        return _what_is_trained(load_config(file, check_paths=False))
    except (ConfigError, OSError):
        return None
