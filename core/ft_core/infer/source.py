"""What a chat talks to, found on disk: which weights are the tuned ones, and what they were tuned from. Torch-free."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ft_core.config import Config, load_config
from ft_core.errors import ModelError, RunError
from ft_core.models.source import check_base_model
from ft_core.runs import Run
from ft_core.train.saving import RELORA, list_checkpoints

Which = Literal["tuned", "base"]


@dataclass(frozen=True)
class Source:
    """The weights a chat may use.

    Attributes
    ----------
    base
        Folder or hub id of the model before tuning; None where it is gone and the tuned one is whole without it.
    tuned
        Folder of the tuned adapter or model; None for a model that no run has tuned.
    changed_base
        Folder of the model that the adapter is on, where that is no longer `base` (``relora``).
    adapter
        Whether `tuned` is an adapter, which needs its base.
    config
        The run's resolved config, whose chat template is used; None without a run.
    revision
        Branch, tag or commit of `base` on the hub.
    trust_remote_code
        Whether code that comes with the model may run.
    """

    base: str | None
    tuned: str | None = None
    changed_base: str | None = None
    adapter: bool = False
    config: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False

    @property
    def choices(self) -> tuple[Which, ...]:
        """What can be asked, the default first."""
        found: tuple[tuple[Which, str | None], ...] = (("tuned", self.tuned), ("base", self.base))
        return tuple(which for which, weights in found if weights is not None)


def find_source(source: Run | Path | str) -> Source:
    """Return what a run, a run's directory, the folder of a model or adapter, or a hub id offers to talk to.

    Raises
    ------
    RunError
        The run has saved nothing yet, or trained a reward model.
    ModelError
        The folder or the base model does not exist or holds no model.
    """
    if isinstance(source, Run):
        return _of_run(source)
    folder = Path(source).expanduser().absolute()
    if (folder / "resolved.yaml").is_file():
        return _of_run(Run(folder))
    if (folder / "adapter_config.json").is_file():
        return _of_adapter(folder)
    if (folder / "config.json").is_file():
        return Source(str(folder))
    if folder.is_dir():
        raise ModelError(
            f"'{source}' holds neither a run nor a model: it has no resolved.yaml, adapter_config.json or config.json.",
            "Name a run's directory, or the folder of a model or an adapter.",
        )
    if isinstance(source, Path) or source.startswith((".", "~", "/")) or source.count("/") > 1:
        raise ModelError(
            f"The folder '{source}' does not exist.", "Check the path, or name a model of the hub."
        )
    return Source(source)


def _of_run(run: Run) -> Source:
    """Return the run's last weights and their base."""
    resolved = run.directory / "resolved.yaml"
    weights = _last_weights(run)
    config = load_config(resolved, check_paths=False)  # its rows may be gone
    if config.reward_model:
        raise RunError(
            f"Run '{run.name}' trained a reward model, which scores texts and writes none.",
            f"Load '{weights}' with AutoModelForSequenceClassification.",
        )
    adapter = (weights / "adapter_config.json").is_file()
    if adapter:
        check_base_model(config)
    return Source(
        base=config.base_model if adapter or _is_there(config) else None,
        tuned=str(weights),
        changed_base=_changed_base(weights),
        adapter=adapter,
        config=str(resolved),
        revision=config.revision_of_model,
        trust_remote_code=config.trust_remote_code,
    )


def _last_weights(run: Run) -> Path:
    """Return the run's final folder, else its newest checkpoint; both are renamed into place, so they are whole."""
    if run.final.is_dir():
        return run.final
    if checkpoints := list_checkpoints(run.directory / "checkpoints"):
        return checkpoints[-1]
    if run.alive:
        raise RunError(
            f"Run '{run.name}' has saved no checkpoint yet: {run.summary()}.",
            "Wait until it is done, or ask for a checkpoint now with run.checkpoint().",
        )
    raise RunError(
        f"Run '{run.name}' saved no model that could be talked to: {run.summary()}.",
        "Train again; save_steps in the config saves checkpoints on the way.",
    )


def _of_adapter(folder: Path) -> Source:
    """Return an adapter and the base that its own config names."""
    try:
        base = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")).get(
            "base_model_name_or_path"
        )
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(
            f"'{folder / 'adapter_config.json'}' cannot be read: {error}", "Save the adapter again."
        ) from error
    if not base:
        raise ModelError(
            f"The adapter '{folder}' does not say which model it belongs to.",
            "Set base_model_name_or_path in its adapter_config.json.",
        )
    return Source(str(base), tuned=str(folder), changed_base=_changed_base(folder), adapter=True)


def _changed_base(weights: Path) -> str | None:
    """Return the folder of the base that the restarts of a run have changed, where its checkpoint holds one."""
    return str(weights / RELORA) if (weights / RELORA).is_dir() else None


def _is_there(config: Config) -> bool:
    """Whether the base model can be had, and the run began with its weights."""
    if config.reinit_weights:
        return False
    try:
        check_base_model(config)
    except ModelError:
        return False
    return True
