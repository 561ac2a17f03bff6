"""A run in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ft_core.train.loggers.tracker import Reported

_PROJECT = "huggingface"  # as transformers reports, and so Axolotl, where no project is named
_PATIENCE = 30  # seconds until a service that does not answer is given up
_WATCHED_STEPS = 100


class Wandb:
    """Reports by the package ``wandb``; offline it writes into the run's directory."""

    def __init__(self, run: Reported) -> None:
        import wandb

        config = run.config
        self._uploads = config.wandb_log_model
        identifier = config.wandb_run_id or run.continues or None
        self._run: Any = wandb.init(
            project=config.wandb_project or _PROJECT,
            entity=config.wandb_entity,
            name=config.wandb_name or run.name,
            id=identifier,
            resume="allow" if identifier else None,
            mode=config.wandb_mode,  # pyright: ignore[reportArgumentType] - disabled is never asked for
            dir=run.directory,
            config={"config": run.values, "plan": dict(run.plan)},
            settings=wandb.Settings(init_timeout=_PATIENCE),
        )
        self._run.define_metric("*", step_metric="train/global_step", step_sync=True)
        if config.wandb_watch in ("gradients", "parameters", "all"):
            self._run.watch(run.model, log=config.wandb_watch, log_freq=_WATCHED_STEPS)

    @property
    def address(self) -> str:
        """The run's page, or where it was written."""
        return str(self._run.url or Path(self._run.dir).parent)

    @property
    def identifier(self) -> str:
        """The run's identifier."""
        return str(self._run.id)

    def log(self, step: int, numbers: Mapping[str, float]) -> None:
        """Report the numbers of a step."""
        self._run.log({**numbers, "train/global_step": step})

    def save(self, step: int, checkpoint: Path) -> None:
        """Upload a checkpoint, if the config asks for each."""
        if self._uploads == "checkpoint":
            self._upload(checkpoint, f"step-{step}")

    def end(self, final: Path | None) -> None:
        """Upload the tuned model, if the config asks for it, and say how the run ended."""
        if final is not None and self._uploads in ("checkpoint", "end"):
            self._upload(final, "final")
        self._run.finish(exit_code=0 if final else 1)

    def _upload(self, folder: Path, alias: str) -> None:
        import wandb

        artifact = wandb.Artifact(f"model-{self._run.id}", type="model")
        artifact.add_dir(str(folder))
        self._run.log_artifact(artifact, aliases=["latest", alias])
