"""The trackers of a run: told what its events say, and left alone where one fails."""

# ruff: noqa: ARG002 - every method has the signature that Trainer calls
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState

from ft_core.errors import FtError, RunError
from ft_core.runs import Run
from ft_core.runs.paths import CHECKPOINTS, FINAL
from ft_core.train.loggers.asked import Kind, asked_kinds, missing_package
from ft_core.train.loggers.continued import told_before
from ft_core.train.loggers.secrets import without_secrets
from ft_core.train.loggers.tracker import Reported, Tracker
from ft_core.train.saving import CHECKPOINT

if TYPE_CHECKING:
    import torch
    from transformers import TrainingArguments

    from ft_core.config import Config
    from ft_core.runs import RunWriter
    from ft_core.train.callbacks import RunCallback

STEP_NUMBERS = (
    "loss",
    "learning_rate",
    "grad_norm",
    "epoch",
    "tokens",
    "tokens_per_second",
    "gpu_memory",
)
"""What of a step's event is told."""


class Reporting(TrainerCallback):
    """Tells the trackers of a config for as long as its block lasts; does nothing on every rank but the first.

    A tracker that fails is told nothing more: the run warns of it once, and goes on.

    Parameters
    ----------
    config
        The run's config.
    writer
        Writes the run's events; None on every rank but the first.
    callback
        Knows the numbers of the last step.
    model
        What is trained.
    """

    def __init__(
        self, config: Config, writer: RunWriter | None, callback: RunCallback, model: torch.nn.Module
    ) -> None:
        self._config = config
        self._writer = writer
        self._callback = callback
        self._model = model
        self._trackers: dict[str, Tracker] = {}

    def __enter__(self) -> Reporting:
        if self._writer is None:
            return self
        try:
            plan = Run(self._writer.directory).plan
        except RunError:
            plan = {}
        reported = Reported(self._config, plan, self._writer.directory, self._model)
        before = told_before(self._config.resume_from_checkpoint)
        for kind in asked_kinds(self._config):
            of_kind = replace(reported, continues=before.get(kind.name, ""))
            if missing := missing_package(kind):
                self._warn(missing.message, missing.fix)
            else:
                self._try(kind.name, lambda kind=kind, told=of_kind: self._start(kind, told))
        return self

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Tell the numbers of the step whose event was just written."""
        if logs is None or "loss" not in logs:
            return
        numbers = self._callback.numbers
        told = {f"train/{name}": numbers[name] for name in STEP_NUMBERS if numbers.get(name) is not None}
        self._each(lambda tracker: tracker.log(state.global_step, told))

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: Mapping[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Tell the results of an evaluation."""
        told = {name.replace("eval_", "eval/", 1): value for name, value in (metrics or {}).items()}
        self._each(lambda tracker: tracker.log(state.global_step, told))

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Tell of a checkpoint."""
        if self._writer is not None:
            checkpoint = self._writer.directory / CHECKPOINTS / f"{CHECKPOINT}{state.global_step}"
            self._each(lambda tracker: tracker.save(state.global_step, checkpoint))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            final = None if error else self._writer.directory / FINAL
            self._each(lambda tracker: tracker.end(final))

    def _start(self, kind: Kind, reported: Reported) -> None:
        """Begin with one tracker, and say where the run can be seen there."""
        tracker = _make(kind, reported)
        self._trackers[kind.name] = tracker
        address = without_secrets(tracker.address)
        assert self._writer is not None
        self._writer.emit("tracker", name=kind.name, address=address, identifier=tracker.identifier)
        print(f"reports to {kind.name}: {address}", flush=True)  # noqa: T201

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for name, tracker in list(self._trackers.items()):
            self._try(name, lambda tracker=tracker: tell(tracker))

    def _try(self, name: str, act: Callable[[], None]) -> None:
        """Do something with the tracker `name`; where that fails, warn and leave it alone from then on."""
        try:
            act()
        except Exception as error:  # noqa: BLE001 - no library of others may end a run
            self._trackers.pop(name, None)
            said = error.message if isinstance(error, FtError) else str(error).strip()
            reason = said.splitlines()[0] if said else type(error).__name__
            self._warn(
                f"{name} is told nothing more: {without_secrets(reason)}",
                "The run goes on; its own events hold every number.",
            )

    def _warn(self, message: str, fix: str) -> None:
        if self._writer is not None:
            self._writer.emit("warning", message=message, fix=fix)
            print(f"warning: {message} {fix}", flush=True)  # noqa: T201


def _make(kind: Kind, reported: Reported) -> Tracker:
    """Return a tracker, importing its library only now."""
    match kind.switch:
        case "use_wandb":
            from ft_core.train.loggers.wandb import Wandb

            return Wandb(reported)
        case "use_mlflow":
            from ft_core.train.loggers.mlflow import Mlflow

            return Mlflow(reported)
        case "use_comet":
            from ft_core.train.loggers.comet import Comet

            return Comet(reported)
        case "use_trackio":
            from ft_core.train.loggers.trackio import Trackio

            return Trackio(reported)
        case _:
            from ft_core.train.loggers.tensorboard import Tensorboard

            return Tensorboard(reported)
