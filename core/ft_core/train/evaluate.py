"""The loss of a model on evaluation data, dataset by dataset, outside of a run: ``python -m ft_core.train.evaluate``.

The samples, the batches, the number formats and the sum over tokens are those of the evaluations within a run, so the loss
of all datasets together is the one that the run tells.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import traceback
from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config import Config, load_config
from ft_core.errors import DataError, FtError, ModelError
from ft_core.models.hardware import Hardware, cpu_cores, detect_hardware
from ft_core.models.precision import choose_precision

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ft_core.data import Sample
    from ft_core.models.added_tokens import TokenChanges

ALL = "all"


@dataclass(frozen=True)
class Evaluated:
    """The loss of a model on one dataset.

    Attributes
    ----------
    dataset
        The path of the dataset as the config writes it, or ``all``.
    samples, tokens
        Its samples, and the tokens in them that are predicted and trained.
    loss, perplexity
        The mean loss of these tokens in nats, and e to the power of it.
    """

    dataset: str
    samples: int
    tokens: int
    loss: float
    perplexity: float


def evaluate(config: Config, weights: Path | None = None) -> list[Evaluated]:
    """Return the loss on each dataset that `config` evaluates on; where there are several, that on all of them comes last.

    Parameters
    ----------
    config
        A run's config.
    weights
        The folder of an adapter or of a tuned model; None for the base model.

    Raises
    ------
    DataError, ModelError
        The data or the model cannot be read, there is nothing to evaluate on, or the config trains on preferences.
    """
    from transformers import set_seed

    from ft_core.data import load_samples
    from ft_core.models.tokenizer import load_vocabulary

    if config.rl or config.reward_model:
        raise ModelError(
            "A loss over tokens is what texts have, and this config trains on preferences.",
            "The run's own evaluations tell its loss.",
        )
    set_seed(config.seed)
    hardware = detect_hardware()
    tokenizer, changes = load_vocabulary(config)
    held_out = load_samples(config, tokenizer, processes=cpu_cores()).eval
    if not len(held_out):
        raise DataError(
            "The config leaves nothing to evaluate on.", "Set 'val_set_size: 0.05' or give 'test_datasets'."
        )
    every = [held_out[index] for index in range(len(held_out))]
    model = _load(config, weights, hardware, changes)
    sums = {
        source: _sum(
            model, config, hardware, tokenizer, [sample for sample in every if sample.source == source]
        )
        for source in dict.fromkeys(sample.source for sample in every)
    }
    found = [_evaluated(source, *part) for source, part in sums.items()]
    if len(found) > 1:
        samples, loss, tokens = (sum(part[place] for part in sums.values()) for place in range(3))
        found.append(_evaluated(ALL, int(samples), loss, int(tokens)))
    return found


def _load(
    config: Config, weights: Path | None, hardware: Hardware, changes: TokenChanges
) -> PreTrainedModel | PeftModel:
    """Return the model as a run has it when it evaluates."""
    from ft_core.models.load import fit_embeddings, load_model
    from ft_core.train.saving import RELORA

    device = "cuda:0" if hardware.kind == "cuda" else None
    adapter = weights is not None and (weights / "adapter_config.json").is_file()
    whole = weights
    if weights is not None and adapter:
        whole = weights / RELORA if (weights / RELORA).is_dir() else None
    if whole is not None:
        config = config.model_copy(update={"base_model": str(whole), "revision_of_model": None})
    model = load_model(config, device, hardware=hardware)
    fit_embeddings(model, config, changes)
    if weights is not None and adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, str(weights))
    model.eval()
    return model


def _sum(
    model: PreTrainedModel | PeftModel,
    config: Config,
    hardware: Hardware,
    tokenizer: PreTrainedTokenizerBase,
    samples: list[Sample],
) -> tuple[int, float, int]:
    """Return the number of samples, the summed loss of their targets, and how many these are."""
    import torch

    from ft_core.models.load import attention_of, torch_dtype
    from ft_core.models.tokenizer import pad_token_id
    from ft_core.train.batches import make_rows
    from ft_core.train.isolation import model_inputs
    from ft_core.train.loss import count_targets, summed_loss
    from ft_core.train.packing import require_isolation

    lengths = [len(sample) for sample in samples]
    rows = make_rows(config, samples, lengths, pad_token_id=pad_token_id(tokenizer), evaluation=True)
    order = rows.order(rank=0, world_size=1, accumulation=1, seed=None)
    isolated_by = require_isolation(config, model.config.to_dict(), attention_of(model))
    compute = choose_precision(config, hardware).compute
    device: torch.device = model.device
    half = nullcontext() if compute == "fp32" else torch.autocast(device.type, dtype=torch_dtype(compute))
    loss, tokens = 0.0, 0
    caller: Any = model
    with torch.no_grad(), half:
        for indices in order.batches(0):
            batch: dict[str, Any] = rows.collate([rows.items[index] for index in indices])
            batch = model_inputs({name: tensor.to(device) for name, tensor in batch.items()}, isolated_by)
            labels = batch.pop("labels")
            loss += float(summed_loss(caller(**batch).logits, labels))
            tokens += int(count_targets(labels))
    return len(samples), loss, tokens


def _evaluated(dataset: str, samples: int, loss: float, tokens: int) -> Evaluated:
    from ft_core.train.loss import perplexity

    mean = loss / max(tokens, 1)
    return Evaluated(dataset, samples, tokens, mean, perplexity(mean))


def render(found: Iterable[Evaluated]) -> str:
    r"""Return results as aligned lines.

    >>> print(render([Evaluated("a.jsonl", 4, 120, 2.0, 7.389056)]))
    dataset  samples  tokens    loss  perplexity
    a.jsonl        4     120  2.0000       7.389
    """
    head = ("dataset", "samples", "tokens", "loss", "perplexity")
    rows = [
        (row.dataset, f"{row.samples:,}", f"{row.tokens:,}", f"{row.loss:.4f}", f"{row.perplexity:,.3f}")
        for row in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (head, *rows)
    )


def main(config: Path, weights: Path | None, result: Path) -> int:
    """Evaluate, and write what was found, or why nothing was, into the file `result`; return the exit status."""
    try:
        found = evaluate(load_config(config), weights)
    except FtError as error:
        result.write_text(json.dumps({"message": error.message, "fix": error.fix}), encoding="utf-8")
        return 1
    except Exception as error:  # noqa: BLE001 - the last place that can say why it ended
        traceback.print_exc()
        told = {"message": f"{type(error).__name__}: {error}", "fix": ""}
        result.write_text(json.dumps(told), encoding="utf-8")
        return 1
    result.write_text(json.dumps([dataclasses.asdict(row) for row in found]), encoding="utf-8")
    return 0


if __name__ == "__main__":
    config_file, folder, result_file = sys.argv[1:]
    sys.exit(main(Path(config_file), Path(folder) if folder else None, Path(result_file)))
