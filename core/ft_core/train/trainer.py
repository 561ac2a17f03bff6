"""``transformers.Trainer`` with our batches, our loss, our evaluation and whole checkpoints.

The loop, mixed precision, distribution, optimizers and schedules are Trainer's. What is replaced, and why:

* batches: every rank's share follows from the seed alone, and no row is trained twice (`ft_core.train.batches`);
* packed rows: what keeps their documents apart is made on the device, for each family (`ft_core.train.isolation`);
* the loss: summed over the targets of the whole step, on all ranks (`ft_core.train.loss`), with no logits but theirs
  (`ft_core.train.targets`);
* evaluation: the mean over all target tokens, not over batches;
* checkpoints: written aside and renamed, so that a folder called checkpoint-N is whole.
"""

from __future__ import annotations

import functools
import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from ft_core.errors import ModelError
from ft_core.models.initial_adapter import initial_of, load_narrowed
from ft_core.train.batches import RankBatches, Rows
from ft_core.train.callbacks import RunCallback
from ft_core.train.isolation import check_isolation, model_inputs
from ft_core.train.loss import count_targets, count_tokens, token_mean_loss
from ft_core.train.relora import Relora
from ft_core.train.saving import CHECKPOINT, RELORA, check_finite, list_checkpoints, publish, save_weights
from ft_core.train.stopping import best_checkpoint
from ft_core.train.stream_batches import StreamedRows
from ft_core.train.targets import Head, find_head, target_loss

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

    from ft_core.data.packing import Packing
    from ft_core.models.attention import IsolatedBy

_STAGING = ".writing"


class EpochLoader(DataLoader[Any]):
    """A data loader that tells its sampler which epoch begins; Trainer calls ``set_epoch`` on it."""

    def set_epoch(self, epoch: int) -> None:
        """Order the rows for `epoch`, counted from 0."""
        sampler = self.batch_sampler
        assert isinstance(sampler, RankBatches)
        sampler.set_epoch(epoch)


class RunTrainer(Trainer):
    """Trains `model` on rows.

    Parameters
    ----------
    model, arguments, tokenizer
        As for ``Trainer``.
    train, evaluation
        The rows, those to train on streamed or not; `evaluation` may be None.
    isolated_by
        What keeps the documents of a packed row apart in this model (`ft_core.models.attention`).
    optimizer
        The optimizer's class and its arguments.
    schedule
        Makes the learning rate's schedule of an optimizer and the run's steps.
    keep_checkpoints
        How many checkpoints stay; None for all.
    run_callback
        Hears of every step, and carries requests out.
    """

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        arguments: TrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        *,
        train: Rows | StreamedRows,
        evaluation: Rows | None,
        isolated_by: IsolatedBy | None,
        optimizer: tuple[type[torch.optim.Optimizer], dict[str, Any]],
        schedule: Callable[[torch.optim.Optimizer, int], torch.optim.lr_scheduler.LRScheduler],
        keep_checkpoints: int | None,
        run_callback: RunCallback,
    ) -> None:
        train_items: Any = train if isinstance(train, StreamedRows) else train.items
        eval_items: Any = evaluation.items if evaluation else None
        self._start(
            model=model,
            args=arguments,
            data_collator=train.collate,
            train_dataset=train_items,
            eval_dataset=eval_items,
            processing_class=tokenizer,
            compute_loss_func=token_mean_loss,
            optimizer_cls_and_kwargs=optimizer,
            callbacks=[run_callback],
        )
        self.remove_callback(PrinterCallback)
        self.run_callback = run_callback
        self.relora: Relora | None = None
        self._tokenizer = tokenizer
        self._train_rows = train
        self._eval_rows = evaluation
        self._isolated_by: IsolatedBy | None = isolated_by
        self._head: Head | None = None
        self._schedule = schedule
        self.step_tokens = torch.zeros((), dtype=torch.int64)
        self._checkpoints = Path(arguments.output_dir or "")
        self._keep_checkpoints = keep_checkpoints

    def _start(self, **arguments: Any) -> None:
        """Begin as ``Trainer``, or as the trainer that comes next where this is one of several bases."""
        super().__init__(**arguments)

    @property
    def train_packing(self) -> Packing | None:
        """Which training samples lie together; None where each has its own row, and where that comes out on the way."""
        return None if isinstance(self._train_rows, StreamedRows) else self._train_rows.packing

    def check_isolation(self, compute: Literal["bf16", "fp16", "fp32"]) -> None:
        """Raise a ModelError if the documents of a packed row change each other in this model."""
        check_isolation(
            self.model,
            self._isolated_by,
            compute=compute,
            device=self.args.device,
            autocast=self.accelerator.autocast(),
        )

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this rank's micro-batches of the training rows."""
        if isinstance(self._train_rows, StreamedRows):
            rows = self._train_rows
            # A loader draws a number when it begins; drawn from torch's own, dropout would differ in a run that goes on.
            return DataLoader(
                rows,
                batch_size=None,
                collate_fn=rows.collate,
                pin_memory=self.args.dataloader_pin_memory,
                generator=torch.Generator(),
            )
        return self._loader(self._train_rows, seed=self.args.seed)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Return this rank's micro-batches of the evaluation rows, in their own order."""
        del eval_dataset
        assert self._eval_rows is not None
        return self._loader(self._eval_rows, seed=None)

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """Make the schedule of the learning rate, those that Trainer does not know among them."""
        of_which: Any = optimizer or self.optimizer
        self.lr_scheduler = self._schedule(of_which, num_training_steps)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    def _loader(self, rows: Rows, *, seed: int | None) -> EpochLoader:
        order = rows.order(
            rank=self.args.process_index,
            world_size=self.args.world_size,
            accumulation=self.args.gradient_accumulation_steps,
            seed=seed,
        )
        items: Any = rows.items
        return EpochLoader(
            items,
            batch_sampler=RankBatches(order),
            collate_fn=rows.collate,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return a batch on the device, as the model takes it."""
        if self._isolated_by == "varlen":
            # Asked of the device, where documents begin would have the host wait for it.
            inputs = model_inputs(inputs, self._isolated_by)
        return model_inputs(super()._prepare_inputs(inputs), self._isolated_by)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Return the micro-batches of one step, and the targets in them on all ranks: the loss's divisor."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        counts = torch.zeros(2, dtype=torch.int64)
        for batch in batches:
            counts += torch.stack([count_targets(batch["labels"]), count_tokens(batch)])
        counts = self._sum_over_ranks(counts)
        self.step_tokens = counts[1]
        return batches, counts[0].clamp(min=1).to(device)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return a micro-batch's share of the step's loss, as ``Trainer`` scales it for the ranks that average it."""
        model_loss: Any = functools.partial(self._summed_loss, model, inputs["labels"])
        return super().compute_loss(model_loss, inputs, return_outputs, num_items_in_batch)

    def _summed_loss(self, model: torch.nn.Module, labels: torch.Tensor, **inputs: Any) -> torch.Tensor:
        """Return the loss of every target token of a micro-batch, summed."""
        if self._head is None:
            self._head = find_head(model, self.accelerator.unwrap_model(model))
        return target_loss(self._head, functools.partial(model, **inputs), labels)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Return ``{"eval_loss": ...}``: the mean loss of every target token of the evaluation rows, on all ranks."""
        del ignore_keys
        model: Any = self.model
        model.eval()
        self.show_averaged_weights()
        sums = torch.zeros(2, dtype=torch.float32 if self.args.device.type == "mps" else torch.float64)
        with torch.no_grad():
            for inputs in self.get_eval_dataloader(eval_dataset):
                batch = self._prepare_inputs(inputs)
                labels = batch.pop("labels")
                loss = self._summed_loss(model, labels, **batch)
                sums += torch.stack([loss, count_targets(labels)]).to(sums)
        sums = self._sum_over_ranks(sums)
        metrics = {f"{metric_key_prefix}_loss": (sums[0] / sums[1].clamp(min=1)).item()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def show_averaged_weights(self) -> None:
        """Give the model the weights that it is used with: schedule-free optimizers train at others, until the next step."""
        optimizer: Any = self.optimizer
        if hasattr(optimizer, "eval"):
            optimizer.eval()

    def load_weights(self, checkpoint: Path) -> None:
        """Give the model, or its adapter, the weights of `checkpoint`."""
        self._load_from_checkpoint(str(checkpoint))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Tell the callbacks, and keep no history: that is in the run's events, once."""
        del start_time
        tokens = int(self.step_tokens.item())
        self.control = self.callback_handler.on_log(
            self.args, self.state, self.control, {**logs, "tokens": tokens}
        )

    def _sum_over_ranks(self, tensor: torch.Tensor) -> torch.Tensor:
        """Return the sum of `tensor` over all ranks."""
        if self.args.world_size == 1:
            return tensor
        summed = self.accelerator.reduce(tensor.to(self.args.device), "sum")
        assert isinstance(summed, torch.Tensor)
        return summed

    def _get_output_dir(self, trial: Any) -> str:
        """Return the folder that Trainer writes a checkpoint into: aside, until it is whole."""
        del trial
        return str(self._checkpoints / _STAGING)

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """Write the weights of a checkpoint, and the tokenizer beside them."""
        model = self.accelerator.unwrap_model(self.model)
        if not hasattr(model, "peft_config"):
            super()._save(output_dir, state_dict)
        elif self.args.should_save:
            folder = output_dir or str(self.args.output_dir)
            save_weights(model, folder, state_dict=state_dict)
            self._tokenizer.save_pretrained(folder)
            if self.relora is not None:
                self.relora.save(Path(folder))

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: torch.nn.Module | None = None
    ) -> None:
        """Load the weights of a checkpoint, and the base beside them where restarts have changed it."""
        adapted = self.accelerator.unwrap_model(model or self.model)
        if initial_of(adapted) is not None:
            load_narrowed(adapted, Path(resume_from_checkpoint))
            return
        super()._load_from_checkpoint(resume_from_checkpoint, model)
        if self.relora is not None:
            self.relora.load(Path(resume_from_checkpoint))
        elif (Path(resume_from_checkpoint) / RELORA).is_dir():
            raise ModelError(
                f"The adapter in '{resume_from_checkpoint}' is on a base that 'relora' has changed.",
                "Set relora: true and the jagged_restart_steps that it was trained with.",
            )

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a checkpoint aside, rename it into place, and remove the oldest ones beyond the limit."""
        checkpoints = self._checkpoints
        staging = checkpoints / _STAGING
        self.show_averaged_weights()
        check_finite(self.model)
        try:
            super()._save_checkpoint(model, trial)
            if isinstance(self._train_rows, StreamedRows):
                self._train_rows.save(staging / f"{CHECKPOINT}{self.state.global_step}")
            self.accelerator.wait_for_everyone()  # every rank adds its random state
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        if self.args.should_save:
            name = f"{CHECKPOINT}{self.state.global_step}"
            publish(staging / name, checkpoints / name)
            shutil.rmtree(staging)
            if self._keep_checkpoints is not None:
                best = best_checkpoint(self.state.log_history)
                for old in list_checkpoints(checkpoints)[: -self._keep_checkpoints]:
                    if best is None or str(old.absolute()) != best["checkpoint"]:
                        shutil.rmtree(old)
        self.accelerator.wait_for_everyone()
