"""A log for TensorBoard, in the run's directory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ft_core.train.loggers.tracker import Reported

FOLDER = "tensorboard"


class Tensorboard:
    """Writes event files; ``tensorboard --logdir`` over the folder of runs shows each by its name."""

    def __init__(self, run: Reported) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._folder = run.directory / FOLDER
        self._writer: Any = SummaryWriter(str(self._folder))
        # Indented: TensorBoard shows text as Markdown.
        self._writer.add_text("config", _as_code(run.config.to_yaml()))
        self._writer.add_text("plan", _as_code(json.dumps(dict(run.plan), indent=1)))

    @property
    def address(self) -> str:
        """The folder to give to ``tensorboard --logdir``."""
        return str(self._folder)

    @property
    def identifier(self) -> str:
        """Nothing: a run that goes on has a folder of its own."""
        return ""

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def save(self, step: int, checkpoint: Path) -> None:
        """Do nothing: weights stay where they are."""

    def end(self, final: Path | None) -> None:
        """Close the file."""
        del final
        self._writer.close()


def _as_code(text: str) -> str:
    return "".join(f"    {line}\n" for line in text.splitlines())
