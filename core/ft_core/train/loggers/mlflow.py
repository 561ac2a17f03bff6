"""A run in MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ft_core.train.loggers.secrets import without_secrets
from ft_core.train.loggers.tracker import Reported

FOLDER = "mlruns"

# Without these a server that does not answer holds each step up for minutes.
_PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}


class Mlflow:
    """Reports by the package ``mlflow`` to a server, a database or a folder."""

    def __init__(self, run: Reported) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        uri = run.config.mlflow_tracking_uri or os.environ.get("MLFLOW_TRACKING_URI")
        uri = _with_password_in_environment(uri) if uri else str(run.directory.parent / FOLDER)
        if "://" not in uri:
            # MLflow 3.17 refuses a folder unless told that one is meant.
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        import mlflow

        self._mlflow: Any = mlflow
        self._copies_checkpoints = run.config.hf_mlflow_log_artifacts
        mlflow.set_tracking_uri(uri)
        experiment = run.config.mlflow_experiment_name or os.environ.get("MLFLOW_EXPERIMENT_NAME", "Default")
        kept: Any = mlflow.set_experiment(experiment)
        goes_on = bool(run.continues) and _has_run(kept.experiment_id, run.continues)
        if goes_on:
            started: Any = mlflow.start_run(run_id=run.continues)
        else:
            started = mlflow.start_run(run_name=run.config.mlflow_run_name or run.name)
        info = started.info
        self._identifier = str(info.run_id)
        page = f"{uri.rstrip('/')}/#/experiments/{info.experiment_id}/runs/{info.run_id}"
        self._address = without_secrets(page if uri.startswith("http") else uri)
        if not goes_on:  # a parameter cannot be changed
            mlflow.log_params({key: _short(value) for key, value in run.values.items()})
        mlflow.log_text(run.config.to_yaml(), "config.yaml")
        mlflow.log_dict(dict(run.plan), "plan.json")

    @property
    def address(self) -> str:
        """The run's page, or the store that holds it."""
        return self._address

    @property
    def identifier(self) -> str:
        """The run's identifier."""
        return self._identifier

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report the numbers of a step."""
        self._mlflow.log_metrics(dict(numbers), step=step)

    def save(self, step: int, checkpoint: Path) -> None:
        """Copy a checkpoint to the store of artifacts, if the config asks for it."""
        del step
        if self._copies_checkpoints:
            self._mlflow.log_artifacts(str(checkpoint), checkpoint.name)

    def end(self, final: Path | None) -> None:
        """Say how the run ended."""
        self._mlflow.end_run("FINISHED" if final else "FAILED")


def _has_run(experiment: str, run: str) -> bool:
    """Whether an experiment of the store has a run."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        found: Any = MlflowClient().get_run(run)
    except MlflowException:
        return False
    return found.info.experiment_id == experiment


def _with_password_in_environment(uri: str) -> str:
    """Return the address of a server without name and password, which MLflow also takes from the environment.

    MLflow prints the address.
    """
    parts = urlsplit(uri)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = parts.username
    os.environ["MLFLOW_TRACKING_PASSWORD"] = parts.password or ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _short(value: object) -> str:
    """Return a value as MLflow takes it for a parameter; the whole is in config.yaml."""
    text = str(value)
    return text if len(text) <= 500 else f"{text[:499]}…"
