"""Which trackers a config asks for, and what they need; imports none of them."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, NamedTuple

from ft_core.errors import MissingExtra

if TYPE_CHECKING:
    from ft_core.config import Config


class Kind(NamedTuple):
    """A tracker: its name, the switch in the config, the package that it needs, and the extra that installs that."""

    name: str
    switch: str
    package: str
    extra: str


KINDS = (
    Kind("Weights & Biases", "use_wandb", "wandb", "wandb"),
    Kind("MLflow", "use_mlflow", "mlflow", "mlflow"),
    Kind("Comet", "use_comet", "comet_ml", "comet"),
    Kind("TensorBoard", "use_tensorboard", "tensorboard", "tensorboard"),
)


def asked_kinds(config: Config) -> list[Kind]:
    """Return the trackers that `config` asks for; one that is switched off by its mode is not asked for."""
    off = {"use_wandb"} if config.wandb_mode == "disabled" else set[str]()
    return [kind for kind in KINDS if getattr(config, kind.switch) and kind.switch not in off]


def missing_package(kind: Kind) -> MissingExtra | None:
    """Return what to install for a tracker; None where it is there."""
    if importlib.util.find_spec(kind.package) is not None:
        return None
    return MissingExtra(
        f"'{kind.switch}' needs the package '{kind.package}', which is not installed: {kind.name} is told nothing.",
        f"pip install 'ft-jupyter[{kind.extra}]'",
    )
