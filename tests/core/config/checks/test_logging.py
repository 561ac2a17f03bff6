"""Checks of what a run tells, and to whom."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "use_mlflow: true\nmlflow_tracking_uri: https://me:pass@host",
        5,
        1,
        "'mlflow_tracking_uri' holds a password, and a config is kept with its run and shared",
        "remove the line, and set the environment variable MLFLOW_TRACKING_URI to the address",
        "use_mlflow: true\nmlflow_tracking_uri: https://host",
    ),
]

WARNINGS = [
    (
        "wandb_name: first",
        4,
        1,
        "'wandb_name' has no effect: the run is not reported to Weights & Biases",
        "write 'use_wandb: true', or remove the line",
        "wandb_name: first\nwandb_project: poems",
    ),
    (
        "mlflow_run_name: first",
        4,
        1,
        "'mlflow_run_name' has no effect: the run is not reported to MLflow",
        "write 'use_mlflow: true', or remove the line",
        "mlflow_run_name: first\nmlflow_experiment_name: poems",
    ),
    (
        "comet_online: false",
        4,
        1,
        "'comet_online' has no effect: the run is not reported to Comet",
        "write 'use_comet: true', or remove the line",
        "comet_online: false\nuse_comet: false",
    ),
    (
        "trackio_run_name: first",
        4,
        1,
        "'trackio_run_name' has no effect: the run is not reported to Trackio",
        "write 'use_trackio: true', or remove the line",
        "trackio_run_name: first\ntrackio_project_name: poems",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
