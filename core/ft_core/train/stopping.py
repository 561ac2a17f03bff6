"""When a run ends early, and which of its weights it ends with: early stopping, the best checkpoint, the loss watchdog.

Every evaluation is noted in the ``log_history`` of Trainer's state, which each checkpoint keeps, so that a run that goes on
counts on from there. Of two evaluations the one with the lower score is better.
"""

# ruff: noqa: ARG002 - every method has the signature that Trainer calls
from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState

from ft_core.errors import ModelError
from ft_core.runs.paths import CHECKPOINTS
from ft_core.train.saving import CHECKPOINT, list_checkpoints

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from ft_core.config import Config
    from ft_core.runs import RunWriter

WATCHDOG_PATIENCE = 3
"""Steps in a row above the threshold that end a run, where the config does not say."""

History = Sequence[dict[str, Any]]
"""Evaluations in their order: ``step``, ``score``, and ``checkpoint``: the folder with these weights, or None."""


def evaluations_since_best(history: History) -> int:
    """Return how many evaluations came after the one with the lowest score.

    >>> evaluations_since_best([{"score": 3.0}, {"score": 2.0}, {"score": 2.0}, {"score": 2.5}])
    2
    """
    scores = [entry["score"] for entry in history]
    return len(scores) - 1 - scores.index(min(scores)) if scores else 0


def best_checkpoint(history: History) -> dict[str, Any] | None:
    """Return the evaluation with the lowest score among those whose weights were saved, the first of equal ones."""
    saved = [entry for entry in history if entry["checkpoint"]]
    return min(saved, key=lambda entry: entry["score"]) if saved else None


class StoppingCallback(TrainerCallback):
    """Notes evaluations, and ends the run where they or the training loss say so; the same on all ranks.

    Parameters
    ----------
    config
        The run's config.
    writer
        Where events go; None on every rank but the first.
    """

    def __init__(self, config: Config, writer: RunWriter | None) -> None:
        self._config = config
        self._writer = writer
        self._saved_step = -1
        self._steps_above = 0

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Count steps whose loss is too high: none of them is saved over a good checkpoint, and too many end the run.

        Raises
        ------
        ModelError
            The loss was above ``loss_watchdog_threshold`` for ``loss_watchdog_patience`` steps in a row.
        """
        threshold = self._config.loss_watchdog_threshold
        if threshold is None or logs is None or "loss" not in logs:
            return
        self._steps_above = self._steps_above + 1 if logs["loss"] > threshold else 0
        if self._steps_above and not control.should_training_stop:
            control.should_save = False
        patience = self._config.loss_watchdog_patience or WATCHDOG_PATIENCE
        if self._steps_above < patience:
            return
        checkpoints = list_checkpoints(Path(args.output_dir or ""))
        kept = f"resume_from_checkpoint: {checkpoints[-1]}" if checkpoints else "the last weights you trust"
        raise ModelError(
            f"The loss was above loss_watchdog_threshold ({threshold:g}) in {patience} steps in a row, "
            f"{state.global_step - patience + 1} to {state.global_step}, so training ended.",
            f"Lower learning_rate (now {self._config.learning_rate:g}), look for broken rows, and go on from {kept}.",
        )

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Save no checkpoint of an epoch that ends with too high a loss."""
        if self._steps_above and not control.should_training_stop:
            control.should_save = False

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Note the evaluation, and end the run where the last ones were no better."""
        loss = (metrics or {}).get("eval_loss", math.nan)
        score = -loss if self._config.greater_is_better else loss
        # Trainer saves after it evaluates, or has saved before where an epoch ends with the step.
        saved = control.should_save or self._saved_step == state.global_step
        history: list[dict[str, Any]] = cast("Any", state.log_history)
        history.append(
            {
                "step": state.global_step,
                "score": score if math.isfinite(score) else math.inf,
                "checkpoint": str(Path(args.output_dir or "").absolute() / f"{CHECKPOINT}{state.global_step}")
                if saved and self._config.load_best_model_at_end
                else None,
            }
        )
        patience = self._config.early_stopping_patience
        if patience and evaluations_since_best(history) >= patience:
            control.should_training_stop = True
            if self._writer is not None:
                message = f"Training ended after step {state.global_step}: {patience} evaluations in a row were not better."
                self._writer.emit("warning", message=message, fix="")

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Remember which step was saved."""
        self._saved_step = state.global_step

    def best(self, state: TrainerState) -> Path | None:
        """Return the checkpoint whose weights are the tuned model, and say so; None where the last weights are."""
        if not self._config.load_best_model_at_end:
            return None
        best = best_checkpoint(state.log_history)
        last = state.log_history[-1] if state.log_history else None
        if best is None or (last and last["step"] == state.global_step and last["score"] <= best["score"]):
            self._tell("The tuned model has the last weights: no checkpoint was evaluated better.")
            return None
        folder = Path(best["checkpoint"])
        if not folder.is_dir():
            self._tell(
                f"The best checkpoint, '{folder}', is no longer there: the tuned model has the last weights."
            )
            return None
        if self._writer is not None:
            name = f"{CHECKPOINTS}/{folder.name}"
            self._writer.emit("best", step=best["step"], path=name, loss=abs(best["score"]))
            print(f"the tuned model is {name}, evaluated best", flush=True)  # noqa: T201
        return folder

    def _tell(self, message: str) -> None:
        if self._writer is not None:
            self._writer.emit("warning", message=message, fix="")
