"""A run in Comet."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ft_core.errors import RunError
from ft_core.train.loggers.tracker import Reported

FOLDER = "comet"

# Comet by itself looks into torch's calls and takes the code of the worker along.
_ALONE: dict[str, Any] = {
    "log_code": False,
    "log_graph": False,
    "log_git_metadata": False,
    "log_git_patch": False,
    "auto_param_logging": False,
    "auto_metric_logging": False,
    "auto_log_co2": False,
    "display_summary_level": 0,
}


class Comet:
    """Reports by the package ``comet_ml``; offline it writes an archive into the run's directory."""

    def __init__(self, run: Reported) -> None:
        os.environ.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")
        import comet_ml

        config = run.config
        archive = run.directory / FOLDER
        settings: dict[str, Any] = {
            **_ALONE,
            "name": run.name,
            "offline_directory": str(archive),
            **(config.comet_experiment_config or {}),
        }
        self._experiment: Any = comet_ml.start(
            workspace=config.comet_workspace,
            project_name=config.comet_project_name,
            experiment_key=config.comet_experiment_key or run.continues or None,
            mode=config.comet_mode,
            online=config.comet_online,
            experiment_config=comet_ml.ExperimentConfig(**settings),
        )
        if not self._experiment.alive:
            raise RunError("Comet did not take the experiment.")
        self._address = str(self._experiment.url or settings["offline_directory"])
        self._experiment.log_parameters(run.values, prefix="config")
        self._experiment.log_asset_data(config.to_yaml(), name="config.yaml")
        self._experiment.log_asset_data(json.dumps(dict(run.plan)), name="plan.json")

    @property
    def address(self) -> str:
        """The experiment's page, or the folder of its archive."""
        return self._address

    @property
    def identifier(self) -> str:
        """The experiment's key."""
        return str(self._experiment.get_key())

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report the numbers of a step."""
        self._experiment.log_metrics(dict(numbers), step=step)

    def save(self, step: int, checkpoint: Path) -> None:
        """Do nothing: weights stay here."""

    def end(self, final: Path | None) -> None:
        """Say how the run ended, and send what is left."""
        self._experiment.log_other("state", "completed" if final else "failed")
        self._experiment.end()
