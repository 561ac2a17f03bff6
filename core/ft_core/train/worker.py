"""One rank of a run: from the run's directory to the tuned model in it.

Rank 0 writes the run's events and status; the others only compute, and leave word if they fail.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ft_core.config import Config, load_config
from ft_core.data.preference import Preferences, load_preferences, method_of
from ft_core.errors import FtError, LaunchError
from ft_core.models.devices import check_device
from ft_core.models.fused.choose import choose_fused
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.models.precision import choose_precision
from ft_core.models.start_adapter import adopted, read_start
from ft_core.runs import ENVIRONMENT_VARIABLE, RunWriter
from ft_core.runs.paths import CHECKPOINTS, FINAL, RESOLVED
from ft_core.train.early_stop import EarlyStop
from ft_core.train.environment import template_digests, versions
from ft_core.train.failures import explain
from ft_core.train.interrupts import Interrupts
from ft_core.train.merge_at_end import merge_at_end
from ft_core.train.packing import lays_end_to_end, require_isolation
from ft_core.train.rank_failures import OtherRanks, as_error, first_failure, leave_word, wait_for_end
from ft_core.train.recompute import recompute_as_planned
from ft_core.train.saving import require_state
from ft_core.train.steps import count_steps, warmup_steps

if TYPE_CHECKING:
    from peft import PeftModel
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from ft_core.data import Samples
    from ft_core.data.packing import Packing
    from ft_core.models.added_tokens import TokenChanges
    from ft_core.train.batches import Rows
    from ft_core.train.stream_batches import StreamedRows
    from ft_core.train.trainer import RunTrainer

_PROGRESS_EVENTS = 20  # tokenizing tells of its progress about this often


def main(directory: Path) -> int:
    """Train the run in `directory` as the rank that the environment says; return the exit status."""
    rank, world_size = int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))
    try:
        with Interrupts(world_size) as interrupts:
            if rank == 0:
                with RunWriter(directory, world_size=world_size) as writer, OtherRanks(writer, world_size):
                    _explained(directory, writer, interrupts)
            else:
                _explained(directory, None, interrupts)
    except KeyboardInterrupt:
        # A stop that came before there was a step to finish is no failure; the run's writer has said so.
        return 0
    except Exception as error:  # noqa: BLE001 - the last place that can say why a rank ended
        if isinstance(error, FtError):
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201
        else:
            traceback.print_exc()
        if rank != 0:
            leave_word(directory, rank, error)
            wait_for_end(directory)
        return 1
    return 0


def _explained(directory: Path, writer: RunWriter | None, interrupts: Interrupts) -> None:
    """Train, and raise what goes wrong as what a user can mend where that is known."""
    config: Config | None = None
    try:
        config = load_config(directory / RESOLVED)
        config = adopted(config, read_start(config))
        _train(config, directory, writer, interrupts)
        if config.merge_lora and writer is not None:
            merge_at_end(config, directory, writer, interrupts)
    except Exception as error:
        if writer is not None and (first := first_failure(directory)) is not None:
            raise as_error(first) from error
        explained = explain(error, config, directory)
        if explained is error:
            raise
        raise explained from error


def _train(config: Config, directory: Path, writer: RunWriter | None, interrupts: Interrupts) -> None:
    """Load, tokenize, train and save."""
    _use_one_gpu()
    hardware = detect_hardware()
    check_device(config, hardware)
    if config.resume_from_checkpoint is not None:
        require_state(Path(config.resume_from_checkpoint))
    _phase(writer, "loading model")
    _leave_comet_out(config)
    _quiet()
    from ft_core.models.compiled import compile_layers
    from ft_core.models.tokenizer import load_vocabulary
    from ft_core.train.generations import Generations
    from ft_core.train.loggers.reporting import Reporting
    from ft_core.train.relora import Relora
    from ft_core.train.stopping import StoppingCallback
    from ft_core.train.stream_batches import StreamedRows, tell_stream

    tokenizer, changes = load_vocabulary(config)
    model = _load(config, hardware, changes)
    relora = Relora(config, cast("PeftModel", model), writer) if config.relora else None
    _phase(writer, "tokenizing")
    stop = EarlyStop(directory, writer, interrupts)
    samples = _tokenize(config, tokenizer, writer, stop)
    with stop.while_waiting():
        rows = _rows(config, hardware, tokenizer, samples)
        trainer = _trainer(config, hardware, directory, model, tokenizer, rows, samples, writer, interrupts)
        callback = trainer.run_callback
        stopped, _ = callback.requests(trainer.args)
    recomputed = recompute_as_planned(config, hardware, model, samples, world_size=trainer.args.world_size)
    if writer is not None:
        _describe(writer, config, hardware, model, samples, trainer.train_packing, recomputed)
        templates = template_digests(config, tokenizer)
        writer.emit("environment", versions=versions(), chat_templates=templates)
    if not stopped:
        if lays_end_to_end(config):
            trainer.check_isolation(choose_precision(config, hardware).compute)
        compile_layers(model, config)
        if relora is not None:
            trainer.relora = relora
            trainer.add_callback(relora)
        stopping = StoppingCallback(config, writer)
        trainer.add_callback(stopping)
        with Reporting(config, writer, callback, model) as reporting:
            trainer.add_callback(reporting)
            if not isinstance(samples, Preferences):
                trainer.add_callback(Generations(config, writer, callback, tokenizer, samples.eval))
            _phase(writer, "training")
            _tell_beginning(config, writer)
            try:
                trainer.train(resume_from_checkpoint=config.resume_from_checkpoint)
            finally:
                if isinstance(rows, StreamedRows):
                    rows.close()
            if isinstance(rows, StreamedRows):
                tell_stream(rows, writer, eval_samples=len(samples.eval))
            if samples.eval and not callback.stopped and callback.evaluated_step != trainer.state.global_step:
                trainer.evaluate()
            _phase(writer, "saving")
            _save(config, hardware, directory, trainer, tokenizer, best=stopping.best(trainer.state))
    trainer.accelerator.end_training()


def _load(config: Config, hardware: Hardware, changes: TokenChanges) -> PreTrainedModel | PeftModel:
    """Load the model, with embeddings for its tokens and its adapter if the config has one, and seed every random choice."""
    from transformers import set_seed

    from ft_core.models.adapter import apply_adapter
    from ft_core.models.fused.fuse import fuse
    from ft_core.models.load import fit_embeddings, load_model
    from ft_core.models.start_adapter import load_start
    from ft_core.models.unfrozen import freeze_others

    # New embeddings and adapter weights are random: the same on every rank, and in every run of this seed.
    set_seed(config.seed)
    device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if hardware.kind == "cuda" else None
    model = load_model(config, device, hardware=hardware)
    new_tokens = fit_embeddings(model, config, changes)
    if config.unfrozen_parameters:
        freeze_others(model, config)
    if not config.adapter:
        return model
    adapted = apply_adapter(model, config, new_tokens)
    if (start := read_start(config)) is not None:
        load_start(adapted, start)
    fuse(adapted, choose_fused(config, hardware)[0])
    return adapted


def _tokenize(
    config: Config, tokenizer: PreTrainedTokenizerBase, writer: RunWriter | None, stop: EarlyStop
) -> Samples | Preferences:
    """Turn the rows into samples, telling how far it is; a rank that is to stop does so at once."""
    from ft_core.data import load_samples
    from ft_core.models.hardware import cpu_cores

    told = 0

    def on_progress(done: int, total: int | None) -> None:
        nonlocal told
        stop.check()
        step = max(1, (total or 10_000) // _PROGRESS_EVENTS)
        if writer is not None and done // step > told:
            told = done // step
            writer.phase("tokenizing", done=done, total=total)

    def on_wait(message: str) -> None:
        if writer is not None:
            print(f"{message} ...", flush=True)  # noqa: T201

    samples: Samples | Preferences
    if method := method_of(config):
        samples = load_preferences(config, tokenizer, method, on_progress=on_progress, on_wait=on_wait)
    else:
        samples = load_samples(
            config, tokenizer, processes=cpu_cores(), on_progress=on_progress, on_wait=on_wait
        )
    if writer is not None:
        for message in samples.warnings:
            writer.emit("warning", message=message, fix="")
    return samples


def _rows(
    config: Config, hardware: Hardware, tokenizer: PreTrainedTokenizerBase, samples: Samples | Preferences
) -> Rows | StreamedRows | None:
    """Return what is trained on: the samples in rows, or a stream of them; of preferences TRL makes them."""
    from ft_core.models.tokenizer import pad_token_id
    from ft_core.train.batches import make_rows
    from ft_core.train.stream_batches import stream_rows

    if isinstance(samples, Preferences):
        return None
    pad = pad_token_id(tokenizer)
    if config.streaming:
        return stream_rows(config, hardware, tokenizer, pad_token_id=pad)
    return make_rows(config, samples.train, samples.train.lengths, pad_token_id=pad)


def _trainer(
    config: Config,
    hardware: Hardware,
    directory: Path,
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    rows: Rows | StreamedRows | None,
    samples: Samples | Preferences,
    writer: RunWriter | None,
    interrupts: Interrupts,
) -> RunTrainer:
    """Return the trainer, after making sure that it runs on as many ranks as were started."""
    from ft_core.models.load import attention_of
    from ft_core.models.tokenizer import pad_token_id
    from ft_core.train.arguments import optimizer_class, training_arguments
    from ft_core.train.batches import Rows, make_rows
    from ft_core.train.callbacks import RunCallback
    from ft_core.train.preference.build import preference_trainer, rows_of_an_epoch
    from ft_core.train.schedules import make_schedule
    from ft_core.train.trainer import RunTrainer

    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    pad = pad_token_id(tokenizer)
    eval_rows = None
    if samples.eval and not isinstance(samples, Preferences):
        eval_rows = make_rows(config, samples.eval, samples.eval.lengths, pad_token_id=pad, evaluation=True)
    count = len(rows.items) if isinstance(rows, Rows) else None
    if isinstance(samples, Preferences):
        count = rows_of_an_epoch(samples, world_size)
    steps = count_steps(config, count, world_size)
    arguments = training_arguments(
        config,
        hardware,
        steps,
        world_size=world_size,
        checkpoints=directory / CHECKPOINTS,
        eval_rows=len(samples.eval),
    )
    if arguments.world_size != world_size:
        # accelerate can fall back to one process without a word; each rank would then train a model of its own.
        raise LaunchError(
            f"{world_size} ranks were started, and the training library sees {arguments.world_size}.",
            "Start the run with 'ft train', which sets the environment up, and unset ACCELERATE_* variables.",
        )
    optimizer = optimizer_class(config, arguments, model)
    schedule = partial(make_schedule, config, warmup=warmup_steps(config, steps))
    if isinstance(samples, Preferences):
        method = method_of(config)
        assert method is not None
        return preference_trainer(
            config,
            method,
            model,
            arguments,
            tokenizer,
            samples,
            optimizer=optimizer,
            schedule=schedule,
            keep_checkpoints=config.save_total_limit,
            run_callback=RunCallback(config, writer, interrupts),
        )
    assert rows is not None
    return RunTrainer(
        model,
        arguments,
        tokenizer,
        train=rows,
        evaluation=eval_rows,
        isolated_by=require_isolation(config, model.config.to_dict(), attention_of(model)),
        optimizer=optimizer,
        schedule=schedule,
        keep_checkpoints=config.save_total_limit,
        run_callback=RunCallback(config, writer, interrupts),
    )


def _describe(
    writer: RunWriter,
    config: Config,
    hardware: Hardware,
    model: PreTrainedModel | PeftModel,
    samples: Samples | Preferences,
    packing: Packing | None,
    recomputed: int,
) -> None:
    """Write what the data and the model turned out to be."""
    from ft_core.models.load import attention_of
    from ft_core.models.quantise import count_parameters
    from ft_core.models.unfrozen import frozen_numbers

    if not config.streaming:
        writer.emit(
            "data",
            train_samples=len(samples.train),
            eval_samples=len(samples.eval),
            train_tokens=int(samples.train.lengths.sum()),
            trained_tokens=int(samples.train.trained.sum()),
            dropped=dict(samples.dropped),
            **({"packed_rows": len(packing.bins), "fill": round(packing.fill, 4)} if packing else {}),
        )
    writer.emit(
        "model",
        parameters=count_parameters(model),
        trainable_parameters=count_parameters(model, trainable=True) - frozen_numbers(model, config),
        device=hardware.name,
        dtype=choose_precision(config, hardware).compute,
        attention=attention_of(model),
        recomputed_layers=recomputed,
    )


def _save(
    config: Config,
    hardware: Hardware,
    directory: Path,
    trainer: RunTrainer,
    tokenizer: PreTrainedTokenizerBase,
    *,
    best: Path | None,
) -> None:
    """Save the tuned model, with the weights of the checkpoint `best` if there is one, as ``final/`` and in ``output_dir``."""
    from ft_core.data import resolve_template
    from ft_core.models.load import torch_dtype
    from ft_core.train.saving import copy_to, save_final

    trainer.show_averaged_weights()
    if best is not None:
        trainer.load_weights(best)
    if trainer.args.should_save:
        if any(dataset.type == "chat_template" for dataset in config.datasets):
            # The template that was trained, so that whoever loads the model asks it in the words it knows.
            first = next(dataset for dataset in config.datasets if dataset.type == "chat_template")
            tokenizer.chat_template = resolve_template(config, tokenizer, first).text
        model = trainer.accelerator.unwrap_model(trainer.model)
        dtype = torch_dtype(choose_precision(config, hardware).compute)
        if trainer.relora is not None:
            model = trainer.relora.whole_model()
        elif config.adapter:
            dtype = None
        save_final(model, tokenizer, directory / FINAL, dtype=dtype)
        if config.output_dir is not None:
            copy_to(directory / FINAL, Path(config.output_dir))
    trainer.accelerator.wait_for_everyone()


def _tell_beginning(config: Config, writer: RunWriter | None) -> None:
    """Say where training goes on, in the events and in the log."""
    if writer is None:
        return
    if config.resume_from_checkpoint is not None:
        writer.emit("resume", path=config.resume_from_checkpoint)
        print(f"goes on from {config.resume_from_checkpoint}", flush=True)  # noqa: T201
    elif config.auto_resume_from_checkpoints:
        print("begins at the first step: no run of this config has broken off", flush=True)  # noqa: T201


def _phase(writer: RunWriter | None, name: str) -> None:
    """Say what the run is doing now, in its events and in the log."""
    if writer is not None:
        writer.phase(name)
        print(f"{name} ...", flush=True)  # noqa: T201


def _use_one_gpu() -> None:
    """Hide all GPUs but the first from a single rank, which Trainer would otherwise spread over with DataParallel."""
    if "WORLD_SIZE" not in os.environ:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
        os.environ["CUDA_VISIBLE_DEVICES"] = visible.split(",")[0]


def _leave_comet_out(config: Config) -> None:
    """Keep Transformers from importing Comet, where it is installed, in a process whose run does not report to it.

    It does so whenever it trains (``transformers.integrations.integration_utils``), which took 3 of the 8 s of a start.
    """
    if ENVIRONMENT_VARIABLE in os.environ and not config.use_comet:
        # None stands for a module that cannot be imported.
        cast("dict[str, object]", sys.modules).setdefault("comet_ml", None)


def _quiet() -> None:
    """Keep progress bars and notices of the libraries out of the log, before they are imported."""
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "warning")
    # Deprecations between the libraries say nothing to whoever reads this run's log.
    warnings.filterwarnings("ignore", category=FutureWarning)
    from transformers.utils import logging

    logging.disable_progress_bar()
