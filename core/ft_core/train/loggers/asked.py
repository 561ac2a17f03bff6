"""Which trackers a config asks for, and what they need; imports none of them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ft_core.errors import MissingExtra

if TYPE_CHECKING:
    from ft_core.config import Config


class Kind(NamedTuple):
    """A tracker.

    Attributes
    ----------
    name, switch
        Its name, and the config's key for it.
    package, extra
        The package that it needs, and the extra that installs that.
    is_asked
        Whether a config asks for it.
    """

    name: str
    switch: str
    package: str
    extra: str
    is_asked: Callable[[Config], bool]


KINDS = (
    Kind(
        "Weights & Biases",
        "use_wandb",
        "wandb",
        "wandb",
        lambda config: config.use_wandb and config.wandb_mode != "disabled",
    ),
    Kind("MLflow", "use_mlflow", "mlflow", "mlflow", lambda config: config.use_mlflow),
    Kind("Comet", "use_comet", "comet_ml", "comet", lambda config: config.use_comet),
    Kind("Trackio", "use_trackio", "trackio", "trackio", lambda config: config.use_trackio),
    Kind(
        "TensorBoard", "use_tensorboard", "tensorboard", "tensorboard", lambda config: config.use_tensorboard
    ),
)


def asked_kinds(config: Config) -> list[Kind]:
    """Return the trackers that `config` asks for."""
    return [kind for kind in KINDS if kind.is_asked(config)]


def missing_package(kind: Kind) -> MissingExtra | None:
    """Return what to install for a tracker; None where it is there."""
    if importlib.util.find_spec(kind.package) is not None:
        return None
    return MissingExtra(
        f"'{kind.switch}' needs the package '{kind.package}', which is not installed: {kind.name} is told nothing.",
        f"pip install 'ft-jupyter[{kind.extra}]'",
    )
