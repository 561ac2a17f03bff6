"""What is told, and the hole that every tracker fits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import yaml

if TYPE_CHECKING:
    import torch

    from ft_core.config import Config


@dataclass(frozen=True)
class Reported:
    """A run, as a tracker gets to know it.

    Attributes
    ----------
    config
        The run's config.
    plan
        What the run was going to do; empty where nobody planned it.
    directory
        The run's directory, whose name is the run's.
    model
        What is trained.
    continues
        What the tracker calls the run whose checkpoint this one goes on from; empty where it has not heard of one.
    """

    config: Config
    plan: Mapping[str, Any]
    directory: Path
    model: torch.nn.Module
    continues: str = ""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.directory.name

    @property
    def values(self) -> dict[str, Any]:
        """The config as plain values, every default filled in."""
        return yaml.safe_load(self.config.to_yaml())


class Tracker(Protocol):
    """One service or folder that hears of a run. Whatever it raises ends its part in the run and nothing else."""

    @property
    def address(self) -> str:
        """Where the run can be seen: an address for a browser, a folder, or empty."""
        ...

    @property
    def identifier(self) -> str:
        """What the tracker calls the run, to go on with it; empty where it cannot."""
        ...

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Take the numbers of a step, such as ``{"train/loss": 2.5}``."""
        ...

    def save(self, step: int, checkpoint: Path) -> None:
        """Take note of a checkpoint."""
        ...

    def end(self, final: Path | None) -> None:
        """Take the end of the run: the folder of the tuned model, or None where the run failed."""
        ...
