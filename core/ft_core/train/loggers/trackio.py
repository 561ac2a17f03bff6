"""A run in Trackio."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ft_core.train.loggers.tracker import Reported

_PROJECT = "huggingface"  # as transformers reports, and so Axolotl, where no project is named


class Trackio:
    """Reports by the package ``trackio`` to a file on this machine, or to a Space of the Hugging Face Hub."""

    def __init__(self, run: Reported) -> None:
        import trackio

        config = run.config
        project = config.trackio_project_name or _PROJECT
        name = run.continues or config.trackio_run_name or run.name
        self._run: Any = trackio.init(
            project=project,
            name=name,
            space_id=config.trackio_space_id,
            private=True,  # of a Space that is made now: a config tells of paths and data
            config={"config": run.values, "plan": dict(run.plan)},
            resume="allow" if run.continues else "never",
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        space = config.trackio_space_id or os.environ.get("TRACKIO_SPACE_ID")
        self._address = str(self._run.url or space or f'trackio show --project "{project}"')

    @property
    def address(self) -> str:
        """The Space, or the command that shows the run."""
        return self._address

    @property
    def identifier(self) -> str:
        """The run's name in its project, which may differ from the one that was asked for."""
        return str(self._run.name)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report the numbers of a step."""
        self._run.log(dict(numbers), step=step)

    def save(self, step: int, checkpoint: Path) -> None:
        """Do nothing: weights stay here."""

    def end(self, final: Path | None) -> None:
        """Send what is left."""
        del final
        self._run.finish()
