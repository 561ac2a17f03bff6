"""What a run tells while it trains, and what it is told: the events of every step, stop, checkpoint now."""

# ruff: noqa: ARG002 - every method has the signature that Trainer calls
from __future__ import annotations

import gc
import math
import time
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState

from ft_core.errors import ModelError
from ft_core.runs.control import request
from ft_core.runs.paths import CHECKPOINTS
from ft_core.train.interrupts import Interrupts
from ft_core.train.loss import perplexity
from ft_core.train.reward_figures import reward_figures
from ft_core.train.saving import CHECKPOINT

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from ft_core.config import Config
    from ft_core.runs import RunWriter

TRIGGER = "axolotl_checkpoint.save"
"""The file in ``output_dir`` that asks for a checkpoint, where ``dynamic_checkpoint`` names no other."""

_GIB = 1024**3
_LARGEST_SCALE = 17  # halvings of the fp16 scaler's first scale, 2**16, until it is below 1
_RECENT_STEPS = 50  # steps whose mean time the remaining time is estimated from


class RunCallback(TrainerCallback):
    """Writes every step to the run and carries out requests, the same on all ranks.

    Parameters
    ----------
    config
        The run's config.
    writer
        Where events go; None on every rank but the first.
    interrupts
        The signals that came.
    """

    def __init__(self, config: Config, writer: RunWriter | None, interrupts: Interrupts) -> None:
        self.stopped = False
        self.evaluated_step = -1
        self.saved_step = -1
        self.numbers: dict[str, Any] = {}  # those of the last step
        self._config = config
        self._writer = writer
        self._interrupts = interrupts
        self._mark = 0.0
        self._overflows = 0  # steps in a row whose gradients were no numbers
        self._recent: deque[float] = deque(maxlen=_RECENT_STEPS)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock of the first step."""
        self._mark = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Turn requests and signals into what Trainer does at the end of this step."""
        if self._config.streaming:
            # Trainer counts from where a run goes on, not from where it began.
            state.epoch = state.global_step / state.max_steps
        self._see_trigger(state.global_step)
        stop, save = self.requests(args)
        if stop:
            self.stopped = control.should_training_stop = True
        if stop or save or (self._config.save_first_step and state.global_step == 1):
            control.should_save = True
        every = self._config.gc_collect_steps or 0
        if (every > 0 and state.global_step % every == 0) or (every < 0 and control.should_evaluate):
            gc.collect()

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Do nothing twice: Trainer also calls this where a run ends within an epoch, or has just saved."""
        if (self._config.gc_collect_steps or 0) < 0:
            gc.collect()
        if self.stopped or state.global_step == self.saved_step:
            control.should_save = False
        if self.stopped or state.global_step == self.evaluated_step:
            control.should_evaluate = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write the step's event, and end the run at the first loss or gradient that is no number.

        In fp16, gradients that are none are no failure: the scaler skips the step and halves its scale until they fit. Only
        where it has none left to halve is nothing learned any more.
        """
        if logs is None or "loss" not in logs:
            return
        now = time.perf_counter()
        seconds, self._mark = now - self._mark, now
        self._recent.append(seconds)
        step, loss = state.global_step, float(logs["loss"])
        if self._writer is not None:
            remaining = state.max_steps - step
            self._write_step(
                self._writer,
                step=step,
                total_steps=state.max_steps,
                epoch=round(state.epoch or 0.0, 4),
                loss=loss,
                learning_rate=float(logs["learning_rate"]),
                grad_norm=float(logs["grad_norm"]),
                tokens=int(logs["tokens"]),
                tokens_per_second=round(logs["tokens"] / seconds, 1),
                eta=round(remaining * sum(self._recent) / len(self._recent), 1),
                gpu_memory=_gpu_memory(args.device),
                **reward_figures(logs),
            )
        norm = float(logs["grad_norm"])
        # Fused optimizers skip a step without anyone being told, so the gradients themselves are looked at.
        self._overflows = 0 if math.isfinite(norm) else self._overflows + 1
        if args.fp16 and self._overflows < _LARGEST_SCALE:
            norm = 0.0
        for name, value in (("loss", loss), ("norm of the gradients", norm)):
            if not math.isfinite(value):
                raise ModelError(
                    f"The {name} became {value} at step {step}, so nothing after it could be learned.",
                    self._advice(),
                )

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        metrics: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Write the evaluation's event."""
        self.evaluated_step = state.global_step
        self._mark = time.perf_counter()
        if self._writer is not None and metrics is not None:
            loss = metrics["eval_loss"]
            if self._config.do_causal_lm_eval and "perplexity" in (self._config.eval_causal_lm_metrics or ()):
                metrics["eval_perplexity"] = perplexity(loss)
            scores = {"perplexity": metrics["eval_perplexity"]} if "eval_perplexity" in metrics else {}
            self._writer.emit(
                "eval",
                **scores,
                step=state.global_step,
                epoch=round(state.epoch or 0.0, 4),
                loss=loss,
                **reward_figures(metrics, "eval_"),
            )
            print(f"evaluation after step {state.global_step}: loss {loss:.4f}", flush=True)  # noqa: T201

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Write the checkpoint's event."""
        self.saved_step = state.global_step
        self._mark = time.perf_counter()
        if self._writer is not None:
            path = f"{CHECKPOINTS}/{CHECKPOINT}{state.global_step}"
            self._writer.emit("checkpoint", step=state.global_step, path=path)
            self._writer.clear("checkpoint")
            print(f"saved {path}", flush=True)  # noqa: T201

    def restart_clock(self) -> None:
        """Leave what was done since the last step out of the next step's time."""
        self._mark = time.perf_counter()

    def requests(self, args: TrainingArguments) -> tuple[bool, bool]:
        """Return whether to stop and whether to save, agreed between all ranks.

        The files of a request and a signal reach each rank at its own time; ranks that disagreed about which step is
        the last would wait for each other for ever.
        """
        asked = [self._interrupts.received, False]
        if self._writer is not None:
            if self._interrupts.received:
                request(self._writer.directory, "stop")  # a signal is a request like any other from here on
            asked = [self._writer.requested("stop"), self._writer.requested("checkpoint")]
        if args.world_size > 1:
            flags = torch.tensor(asked, dtype=torch.int32, device=args.device)
            torch.distributed.all_reduce(flags, op=torch.distributed.ReduceOp.MAX)
            asked = [bool(flag) for flag in flags.tolist()]
        return asked[0], asked[1]

    def _see_trigger(self, step: int) -> None:
        """Turn the file that asks for a checkpoint (``dynamic_checkpoint``) into a request like any other."""
        asked = self._config.dynamic_checkpoint or {}
        if self._writer is None or not asked.get("enabled") or step % asked.get("check_interval", 10):
            return
        assert self._config.output_dir is not None
        file = Path(self._config.output_dir) / (asked.get("trigger_file_path") or TRIGGER)
        if file.is_file():
            file.unlink(missing_ok=True)
            request(self._writer.directory, "checkpoint")

    def _write_step(self, writer: RunWriter, **event: Any) -> None:
        """Write a step's event, and every ``logging_steps`` steps a line for people."""
        self.numbers = event
        writer.emit("step", **event)
        step, total = event["step"], event["total_steps"]
        if step % self._config.logging_steps == 0 or step in (1, total):
            print(  # noqa: T201
                f"step {step:>{len(str(total))}}/{total}  loss {event['loss']:.4f}  lr {event['learning_rate']:.3g}  "
                f"grad norm {event['grad_norm']:.3g}  {event['tokens_per_second']:,.0f} tokens/s",
                flush=True,
            )

    def _advice(self) -> str:
        """Return what most often mends a loss that is no number."""
        lower = f"Lower learning_rate (now {self._config.learning_rate:g}), for example to {self._config.learning_rate / 10:g}"
        if self._config.fp16:
            return f"{lower}, or write 'bf16: auto' in place of 'fp16: true': fp16 overflows above 65504."
        if self._config.max_grad_norm == 0:
            return f"{lower}, and set max_grad_norm: 1.0."
        return f"{lower}, and look for broken rows in the data."


def _gpu_memory(device: torch.device) -> float | None:
    """Return the most GiB that this process has held of its GPU so far, or None where there is none.

    What torch holds, whether or not a tensor lies in it: nothing else can have it, so it is what must fit.
    """
    return round(torch.cuda.max_memory_reserved(device) / _GIB, 3) if device.type == "cuda" else None
