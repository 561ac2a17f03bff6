"""Checks of what a run tells, and to whom."""

from __future__ import annotations

from urllib.parse import urlsplit

from ft_core.config.checks.asked import Asked
from ft_core.config.config import Config

TRACKERS = {
    "use_wandb": "wandb_project",
    "use_mlflow": "mlflow_experiment_name",
    "use_comet": "comet_project_name",
    "use_trackio": "trackio_project_name",
}
"""The switch of each tracker, and the key that switches it on by itself, as in Axolotl."""

_NAMES = {
    "use_wandb": "Weights & Biases",
    "use_mlflow": "MLflow",
    "use_comet": "Comet",
    "use_trackio": "Trackio",
}
_SETTINGS = {
    "use_wandb": (
        "wandb_entity",
        "wandb_name",
        "wandb_run_id",
        "wandb_mode",
        "wandb_watch",
        "wandb_log_model",
    ),
    "use_mlflow": ("mlflow_tracking_uri", "mlflow_run_name", "hf_mlflow_log_artifacts"),
    "use_comet": (
        "comet_workspace",
        "comet_experiment_key",
        "comet_mode",
        "comet_online",
        "comet_experiment_config",
    ),
    "use_trackio": ("trackio_run_name", "trackio_space_id"),
}


def check_logging(asked: Asked) -> None:
    """Report a password in an address, and settings of a tracker that is told nothing."""
    draft = asked.draft
    uri = asked.config.mlflow_tracking_uri
    if uri is not None and _has_password(uri):
        draft.report(
            ("mlflow_tracking_uri",),
            "'mlflow_tracking_uri' holds a password, and a config is kept with its run and shared",
            "remove the line, and set the environment variable MLFLOW_TRACKING_URI to the address",
            at="key",
        )
    for switch, project in TRACKERS.items():
        # An explicit false is a switch: what stands beside it is meant for the next run.
        if draft.given(switch) or not asked.lacks(project):
            continue
        for key in _SETTINGS[switch]:
            value = getattr(asked.config, key)
            if draft.given(key) and value != "false" and value != Config.model_fields[key].default:
                draft.warn(
                    (key,),
                    f"'{key}' has no effect: the run is not reported to {_NAMES[switch]}",
                    f"write '{switch}: true', or remove the line",
                )


def _has_password(uri: str) -> bool:
    """Whether an address names a password.

    >>> _has_password("https://me:secret@host"), _has_password("https://host:5000"), _has_password("runs@home:1")
    (True, False, False)
    """
    try:
        return bool(urlsplit(uri).password)
    except ValueError:
        return False
