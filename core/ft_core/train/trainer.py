"""``transformers.Trainer`` with our batches, our loss, our evaluation and whole checkpoints.

The loop, mixed precision, distribution, optimizers and schedules are Trainer's. What is replaced, and why:

* batches: every rank's share follows from the seed alone, and no row is trained twice (`ft_core.train.batches`);
* the loss: summed over the targets of the whole step, on all ranks (`ft_core.train.loss`);
* evaluation: the mean over all target tokens, not over batches;
* checkpoints: written aside and renamed, so that a folder called checkpoint-N is whole.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.data import DataLoader
from transformers import Trainer
from transformers.trainer_callback import PrinterCallback

from ft_core.data import IGNORE, Sample
from ft_core.models.tokenizer import pad_token_id
from ft_core.train.batches import RankBatches, Rows
from ft_core.train.callbacks import RunCallback
from ft_core.train.loss import count_targets, summed_loss, token_mean_loss
from ft_core.train.saving import CHECKPOINT, list_checkpoints, publish

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

_STAGING = ".writing"


class EpochLoader(DataLoader[Any]):
    """A data loader that tells its sampler which epoch begins; Trainer calls ``set_epoch`` on it."""

    def set_epoch(self, epoch: int) -> None:
        """Order the rows for `epoch`, counted from 0."""
        sampler = self.batch_sampler
        assert isinstance(sampler, RankBatches)
        sampler.epoch = epoch


class RunTrainer(Trainer):
    """Trains `model` on samples.

    Parameters
    ----------
    model, arguments, tokenizer
        As for ``Trainer``.
    collator
        Makes a batch of tensors out of a list of samples.
    train, evaluation
        The samples; `evaluation` may be empty.
    optimizer
        The optimizer's class and its arguments.
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
        collator: Any,
        *,
        train: Sequence[Sample],
        evaluation: Sequence[Sample],
        optimizer: tuple[type[torch.optim.Optimizer], dict[str, Any]],
        keep_checkpoints: int | None,
        run_callback: RunCallback,
    ) -> None:
        pad = pad_token_id(tokenizer)
        super().__init__(
            model=model,
            args=arguments,
            data_collator=collator,
            train_dataset=Rows(train, pad),
            eval_dataset=Rows(evaluation, pad) if evaluation else None,
            processing_class=tokenizer,
            compute_loss_func=token_mean_loss,
            optimizer_cls_and_kwargs=optimizer,
            callbacks=[run_callback],
        )
        self.remove_callback(PrinterCallback)
        self.run_callback = run_callback
        self.step_tokens = torch.zeros((), dtype=torch.int64)
        self._checkpoints = Path(arguments.output_dir or "")
        self._keep_checkpoints = keep_checkpoints

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this rank's micro-batches of the training rows."""
        return self._loader(self.train_dataset, self.args.train_batch_size, seed=self.args.seed)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> DataLoader[Any]:
        """Return this rank's micro-batches of the evaluation rows, in their own order."""
        return self._loader(eval_dataset or self.eval_dataset, self.args.eval_batch_size, seed=None)

    def _loader(self, rows: Any, batch_size: int, *, seed: int | None) -> EpochLoader:
        rank, world_size = self.args.process_index, self.args.world_size
        batches = RankBatches(len(rows), batch_size, rank=rank, world_size=world_size, seed=seed)
        return EpochLoader(
            rows,
            batch_sampler=batches,
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Return the micro-batches of one step, and the targets in them on all ranks: the loss's divisor."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        counts = torch.zeros(2, dtype=torch.int64)
        for batch in batches:
            # An empty row (see `Rows`) has one token and no target; it is not training data.
            real = (batch["labels"] != IGNORE).any(dim=1)
            counts += torch.stack([count_targets(batch["labels"]), batch["attention_mask"][real].sum()])
        counts = self._sum_over_ranks(counts)
        self.step_tokens = counts[1]
        return batches, counts[0].clamp(min=1).to(device)

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Return ``{"eval_loss": ...}``: the mean loss of every target token of the evaluation rows, on all ranks."""
        del ignore_keys
        model: Any = self.model
        optimizer: Any = self.optimizer
        model.eval()
        if hasattr(optimizer, "eval"):
            optimizer.eval()  # schedule-free optimizers keep two sets of weights
        sums = torch.zeros(2, dtype=torch.float32 if self.args.device.type == "mps" else torch.float64)
        with torch.no_grad():
            for inputs in self.get_eval_dataloader(eval_dataset):
                batch = self._prepare_inputs(inputs)
                labels = batch.pop("labels")
                loss = summed_loss(model(**batch).logits, labels)
                sums += torch.stack([loss, count_targets(labels)]).to(sums)
        sums = self._sum_over_ranks(sums)
        metrics = {f"{metric_key_prefix}_loss": (sums[0] / sums[1].clamp(min=1)).item()}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

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

    def _save_checkpoint(self, model: torch.nn.Module, trial: Any) -> None:
        """Write a checkpoint aside, rename it into place, and remove the oldest ones beyond the limit."""
        checkpoints = self._checkpoints
        staging = checkpoints / _STAGING
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()  # every rank adds its random state
        except BaseException:
            shutil.rmtree(staging, ignore_errors=True)
            raise
        if self.args.should_save:
            name = f"{CHECKPOINT}{self.state.global_step}"
            publish(staging / name, checkpoints / name)
            shutil.rmtree(staging)
            if self._keep_checkpoints is not None:
                for old in list_checkpoints(checkpoints)[: -self._keep_checkpoints]:
                    shutil.rmtree(old)
        self.accelerator.wait_for_everyone()
