"""TRL's trainers, with our batches, our checkpoints and our events.

The losses and their figures are TRL's. What `RunTrainer` replaces of ``Trainer`` it replaces here too; besides:

* rows are tokenized already (`ft_core.data.preference`), so TRL tokenizes nothing;
* a micro-batch weighs as many rows as it has, so that one batch of eight, two of four and two ranks give one loss;
* a reference is the model that training started from: a frozen copy, or with an adapter the model without it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import torch

from ft_core.train.batches import RankBatches, Rows
from ft_core.train.preference.order import EvenOrder
from ft_core.train.trainer import EpochLoader, RunTrainer

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

_REFERENCE = "ref"  # TRL's name for a copy of the adapter
_MASKS = ("attention_mask", "chosen_attention_mask", "rejected_attention_mask")


class PreferenceRun(RunTrainer):
    """`RunTrainer`, to stand before one of TRL's trainers in the bases of a class.

    Parameters
    ----------
    reference
        What the loss compares the model with; None where it is the model without its adapter, or where there is none.
    others
        As for `RunTrainer`.
    """

    loss_is_scaled_for_ga: bool | None = True

    def __init__(
        self,
        model: PreTrainedModel | PeftModel,
        arguments: TrainingArguments,
        tokenizer: PreTrainedTokenizerBase,
        *,
        reference: PreTrainedModel | None,
        **others: Any,
    ) -> None:
        self._reference = reference
        self._step_rows = 1
        super().__init__(model, arguments, tokenizer, **others)

    def _start(self, **arguments: Any) -> None:
        """Begin as the trainer of TRL that comes after `RunTrainer`."""
        optimizer = arguments.pop("optimizer_cls_and_kwargs")
        arguments.pop("compute_loss_func")
        if self._reference is not None:
            arguments["ref_model"] = self._reference
        trained = {
            name: weight.data
            for name, weight in arguments["model"].named_parameters()
            if weight.requires_grad
        }
        super()._start(**arguments)
        self.optimizer_cls_and_kwargs = optimizer
        self.use_dpo_data_collator = True  # ORPO's would warn of a collator that it did not make
        model: Any = self.model
        if _REFERENCE in getattr(model, "peft_config", {}):
            # The copy says what the model says without an adapter that is new.
            model.delete_adapter(_REFERENCE)
        for name, weight in model.named_parameters():
            if name in trained and weight.dtype != trained[name].dtype:
                # TRL rounds the adapter of a quantised base to bf16, which loses small updates (CORRECTNESS 18).
                weight.data = trained[name].to(weight.device)

    def _send_telemetry(self) -> None:
        """Tell nobody."""

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """Write no README beside the checkpoints."""

    def _prepare_dataset(self, dataset: Any, *args: Any, **kwargs: Any) -> Any:
        """Return the rows as they are."""
        del args, kwargs
        return dataset

    def tokenize_row(self, feature: dict[str, Any], model: Any = None) -> dict[str, Any]:
        """Return a row as it is."""
        del model
        return feature

    def _loader(self, rows: Rows, *, seed: int | None) -> EpochLoader:
        # TRL may have added columns to the rows.
        items: Any = self.eval_dataset if seed is None else self.train_dataset
        batches: Any = RankBatches(self._order(len(items), rows.batch_size, seed))
        return EpochLoader(
            items,
            batch_sampler=batches,
            collate_fn=rows.collate,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def _order(self, count: int, batch_size: int, seed: int | None) -> Any:
        return EvenOrder(
            count,
            batch_size,
            self.args.process_index,
            self.args.world_size,
            1 if seed is None else self.args.gradient_accumulation_steps,
            seed,
        )

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return a batch on the device."""
        return super(RunTrainer, self)._prepare_inputs(inputs)

    def get_batch_samples(
        self, epoch_iterator: Iterator[Any], num_batches: int, device: torch.device
    ) -> tuple[list[Any], torch.Tensor]:
        """Return the micro-batches of one step, and its rows on this rank, which are as many on all."""
        batches = list(itertools.islice(epoch_iterator, num_batches))
        self._step_rows = max(1, sum(count_rows(batch) for batch in batches))
        tokens = torch.tensor([sum(count_tokens(batch) for batch in batches)])
        self.step_tokens = self._sum_over_ranks(tokens)[0]
        return batches, torch.tensor(self._step_rows, device=device)

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return TRL's loss of a micro-batch; while training, its share of the step's."""
        trained: Any = self.model
        share = count_rows(inputs) / self._step_rows if trained.training else 1.0
        loss = super(RunTrainer, self).compute_loss(model, inputs, return_outputs, num_items_in_batch)
        return (loss[0] * share, loss[1]) if isinstance(loss, tuple) else loss * share

    def evaluate(
        self, eval_dataset: Any = None, ignore_keys: list[str] | None = None, metric_key_prefix: str = "eval"
    ) -> dict[str, float]:
        """Return ``eval_loss``, the mean over all rows on all ranks, and TRL's figures beside it."""
        del ignore_keys
        model: Any = self.model
        optimizer: Any = self.optimizer
        model.eval()
        if hasattr(optimizer, "eval"):
            optimizer.eval()  # schedule-free optimizers keep two sets of weights
        rows: Any = self.eval_dataset
        own = (len(rows) - len(rows) % self.args.world_size) // self.args.world_size
        seen, total = 0, 0.0
        for inputs in self.get_eval_dataloader(eval_dataset):
            count = count_rows(inputs)
            loss = self.prediction_step(model, inputs, prediction_loss_only=True)[0]
            assert loss is not None
            # What every rank evaluates counts once.
            total += loss.item() * (count if seen < own else count / self.args.world_size)
            seen += count
        sums = self._sum_over_ranks(torch.tensor([total], dtype=torch.float32))
        metrics = {f"{metric_key_prefix}_loss": sums[0].item() / len(rows)}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Tell the callbacks, with TRL's figures, and keep no history of them: that is in the run's events, once."""
        told = len(self.state.log_history)
        if "loss" in logs:
            logs["tokens"] = int(self.step_tokens.item())
        super(RunTrainer, self).log(logs, start_time)
        del self.state.log_history[told]


def trainer_class(base: type) -> type[PreferenceRun]:
    """Return `PreferenceRun` before the trainer `base` of TRL."""
    return type(f"{base.__name__}Run", (PreferenceRun, base), {})


def count_rows(batch: Mapping[str, Any]) -> int:
    """Return the rows of a batch as TRL's collators make it."""
    for name, of_each in (("label", 1), ("chosen_labels", 1), ("input_ids", 2)):
        if name in batch:
            return len(batch[name]) // of_each
    raise KeyError("input_ids")


def count_tokens(batch: Mapping[str, Any]) -> int:
    """Return the tokens of a batch's rows, padding left out."""
    return sum(int(batch[name].sum()) for name in _MASKS if name in batch)


def with_mismatched(
    collate: Callable[[list[dict[str, Any]]], dict[str, Any]],
) -> Callable[..., dict[str, Any]]:
    """Return `collate` for kto, which measures how far the model has gone by each prompt with another row's answer."""

    def collate_mismatched(rows: list[dict[str, Any]]) -> dict[str, Any]:
        answers = [row["completion_ids"] for row in rows]
        others = [answers[-1], *answers[:-1]]
        return collate([{**row, "KL_completion_ids": other} for row, other in zip(rows, others, strict=True)])

    return collate_mismatched
