"""What the model writes at each evaluation: some samples of the evaluation data, gone on with.

The first rank writes them, from random numbers of their own, so that training is the same to the last bit with and without.
"""

# ruff: noqa: ARG002 - every method has the signature that Trainer calls
from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

import torch
from transformers import GenerationConfig
from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState

from ft_core.data import IGNORE

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase, TrainingArguments

    from ft_core.config import Config
    from ft_core.data import Sample
    from ft_core.runs import RunWriter
    from ft_core.train.callbacks import RunCallback

HALF = 0.5


@dataclass(frozen=True)
class Prompt:
    """The ids that the model goes on from, and those that the data goes on with."""

    input_ids: list[int]
    reference: list[int]


class Generations(TrainerCallback):
    """Writes an event for each sample that the model goes on with, after every evaluation.

    Parameters
    ----------
    config
        The run's config.
    writer
        Where events go; None on every rank but the first, which then does nothing.
    callback
        Measures the time of each step, to which this does not belong.
    tokenizer
        Turns ids into text.
    samples
        The evaluation data.
    """

    def __init__(
        self,
        config: Config,
        writer: RunWriter | None,
        callback: RunCallback,
        tokenizer: PreTrainedTokenizerBase,
        samples: Sequence[Sample],
    ) -> None:
        self._config = config
        self._writer = writer
        self._callback = callback
        self._tokenizer = tokenizer
        self._prompts = list(make_prompts(config, samples)) if writer and config.generate_samples else []

    def on_evaluate(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        model: Any = None,
        **_: Any,
    ) -> None:
        """Let the model go on with each prompt, and write what came of it."""
        if self._writer is None or not self._prompts:
            return
        # An adapter lies inside its base, whose `generate` it changes along.
        whole: PreTrainedModel = model.get_base_model() if hasattr(model, "peft_config") else model
        half = torch.bfloat16 if args.bf16 else torch.float16 if args.fp16 else None
        cast_to = torch.autocast(args.device.type, dtype=half) if half else nullcontext()
        with _undisturbed(whole, args.device), torch.no_grad(), cast_to:
            for index, prompt in enumerate(self._prompts):
                torch.manual_seed(self._config.seed + index)
                text = self._go_on(whole, prompt.input_ids)
                self._writer.emit(
                    "sample",
                    step=state.global_step,
                    prompt=self._text(prompt.input_ids),
                    text=text,
                    reference=self._text(prompt.reference),
                )
        self._callback.restart_clock()

    def _go_on(self, model: PreTrainedModel, input_ids: list[int]) -> str:
        """Return what the model writes behind a prompt, without the token that ends it."""
        ids = torch.tensor([input_ids], device=model.device)
        stops = self._stop_ids(model)
        settings = generation_config(self._config, stops, cast("Any", self._tokenizer).pad_token_id)
        every = cast("Any", model).generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), generation_config=settings
        )
        written: list[int] = every[0, len(input_ids) :].tolist()
        return self._text(written[:-1] if written and written[-1] in stops else written)

    def _stop_ids(self, model: PreTrainedModel) -> list[int]:
        """Return every id that ends an answer: the tokenizer's, the model's and the config's."""
        tokenizer = cast("Any", self._tokenizer)
        known: Any = getattr(model.config, "eos_token_id", None)
        found: list[int | None] = [tokenizer.eos_token_id, *(known if isinstance(known, list) else [known])]
        found += tokenizer.convert_tokens_to_ids(list(self._config.eot_tokens or ()))
        return sorted({token for token in found if token is not None})

    def _text(self, ids: list[int]) -> str:
        # Special tokens stay: a template's are part of what is read.
        return cast("str", self._tokenizer.decode(ids))


def make_prompts(config: Config, samples: Sequence[Sample]) -> Generator[Prompt]:
    """Yield the prompts of the first samples that are long enough to be cut.

    Parameters
    ----------
    config
        Says how many, and how much of each is shown.
    samples
        Where they come from.
    """
    long_enough = (sample for sample in map(samples.__getitem__, range(len(samples))) if len(sample) > 1)
    for sample in islice(long_enough, config.num_generation_samples):
        yield cut(sample.input_ids.tolist(), sample.labels.tolist(), config.generation_prompt_ratio)


def cut(input_ids: list[int], labels: list[int], ratio: float | None) -> Prompt:
    """Cut a sample in two.

    >>> cut([5, 6, 7, 8, 9], [-100, -100, 7, 8, -100], None)
    Prompt(input_ids=[5, 6], reference=[7, 8])
    >>> cut([5, 6, 7, 8], [5, 6, 7, 8], None)
    Prompt(input_ids=[5, 6], reference=[7, 8])
    >>> cut([5, 6, 7, 8], [-100, -100, 7, 8], 0.75)
    Prompt(input_ids=[5, 6, 7], reference=[8])
    """
    trained = [label != IGNORE for label in labels]
    if ratio is None and any(trained) and not trained[0]:
        begin = trained.index(True)
        end = trained.index(False, begin) if False in trained[begin:] else len(trained)
        return Prompt(input_ids[:begin], input_ids[begin:end])
    length = max(1, int(len(input_ids) * (HALF if ratio is None else ratio)))
    return Prompt(input_ids[:length], input_ids[length:])


def generation_config(config: Config, stops: list[int], pad: int | None) -> GenerationConfig:
    """Return the settings of ``generate``, in which nothing is left to the model's own habits."""
    sampling: dict[str, Any] = {"do_sample": False}
    if config.generation_do_sample and config.generation_temperature > 0:
        sampling = {
            "do_sample": True,
            "temperature": config.generation_temperature,
            "top_p": 1.0 if config.generation_top_p is None else config.generation_top_p,
            "top_k": config.generation_top_k or 0,
        }
    return GenerationConfig(
        max_new_tokens=config.generation_max_new_tokens,
        eos_token_id=stops or None,
        pad_token_id=pad if pad is not None else (stops or [0])[0],
        use_cache=True,
        **sampling,
    )


@contextmanager
def _undisturbed(model: PreTrainedModel, device: torch.device) -> Generator[None]:
    """Leave random numbers, mode and generation settings of a model as they were."""
    training, habits = model.training, model.generation_config
    model.eval()
    model.generation_config = GenerationConfig()
    cuda = [torch.cuda.current_device()] if device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        model.generation_config = habits
        model.train(training)
