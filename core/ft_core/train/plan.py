"""What a run will do, before anything heavy is imported or loaded.

::

    config ── outline of the model ── what of the config does not fit it: errors, warnings
       │         (cached skeleton, headers of the weight files, or built now)
       ├───── a sample of the rows ── tokens, steps
       └───── the machine ─────────── formats, memory, time, disk
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config import Problem
from ft_core.config.derive import DEFAULT_RANK
from ft_core.data import count_rows
from ft_core.data.preference.task import method_of
from ft_core.data.prepare import require_trained_types
from ft_core.errors import LaunchError
from ft_core.models.adapter import count_trained, target_modules
from ft_core.models.attention_choice import choose_attention
from ft_core.models.config_overrides import overridden, overrides_of
from ft_core.models.devices import check_device
from ft_core.models.fused.choose import choose_fused, fused_words
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.models.initial_adapter import takes_from_weights
from ft_core.models.liger import check_liger, chosen_kernels, liger_words, loss_words
from ft_core.models.outline import Outline
from ft_core.models.parameters import layer_count, local_model_config, model_folder, positions, read_outline
from ft_core.models.precision import Precision, choose_precision
from ft_core.models.quantise import Quantised, base_bytes, quantised_base, require_packages
from ft_core.models.skeleton import build_skeleton, cached_skeleton
from ft_core.models.source import check_base_model
from ft_core.models.start_adapter import adopted, read_start
from ft_core.models.unfrozen import trained_numbers
from ft_core.train.duration import Work, estimate_duration
from ft_core.train.light_tokenizer import read_tokenizer
from ft_core.train.loggers.asked import asked_kinds, missing_package
from ft_core.train.memory import ERROR, checkpoint_bytes, estimate_memory, gib, less_memory
from ft_core.train.model_checks import (
    check_adapter,
    check_beginning,
    check_length,
    check_start,
    check_unfrozen,
)
from ft_core.train.packing import PackingEstimate, check_packing, estimate_packing
from ft_core.train.preference.needs import keeps_a_copy, require_trl
from ft_core.train.recompute import choose_recompute
from ft_core.train.row_checks import check_first_rows
from ft_core.train.row_lengths import RowLengths, sample_lengths
from ft_core.train.steps import Steps, count_steps, eval_cadence, global_batch
from ft_core.train.token_checks import TokenPlan, plan_tokens
from ft_core.train.turn_end_checks import check_turn_ends

if TYPE_CHECKING:
    from ft_core.config import Config

_MERGED_BYTES = 2  # of a weight, saved in 16 bit
_FITS = 0.9  # share of a device's memory beyond which a rough estimate is a warning


@dataclass(frozen=True)
class Plan:
    """A run in figures, with the reason for every choice. None where a figure cannot be known cheaply.

    Attributes
    ----------
    model
        The base model as the config names it.
    method
        ``LoRA r=16 on all-linear`` or ``full fine-tune``.
    parameters, trainable
        Parameters in all (adapter included), and those that train.
    train_rows, eval_rows
        Rows of the datasets, before any is dropped for its length.
    sequence_len
        Tokens that a row may have.
    streaming
        Whether rows are read while training, so that nobody counts them; what is said of packed rows is then of one buffer.
    packing
        Packed rows, what they hold and how full they are, by a sample of the rows; None where samples are not packed.
    tokens, tokens_measured
        Tokens of one pass over the training rows, by a sample of them, and whether the tokenizer was asked for it.
    longest_row
        Tokens of the longest row of the sample, at most sequence_len; what the memory is estimated for.
    world_size, global_batch
        Ranks, and rows of one optimizer step.
    trainable_exact
        Whether both numbers are those of the model as it is loaded, or read off its files.
    steps, steps_exact
        Optimizer steps, and whether that number is certain.
    epochs
        Passes over the training rows.
    device
        What trains, in words.
    precision, precision_reason, attention, attention_reason
        The formats and the attention, and why.
    memory, memory_basis, device_memory
        Estimated peak of one rank, how far off that may be, and what its device has, in bytes.
    seconds, seconds_basis
        Estimated time from start to end, and what that rests on.
    checkpoint, disk_free
        Size of one checkpoint and the free space where it goes, in bytes.
    liger, loss, loss_reason
        What Liger's kernels compute; how the loss is computed and why, where the config asks for a way; empty where not.
    vocabulary, vocabulary_reason
        Which tokens are new or have new texts and how the embeddings grow, and how these rows are trained; empty where
        nothing changes.
    trackers
        Where the run is reported to.
    merged
        Bytes of the whole model that is made when training is done; None where none is.
    fused, fused_reason
        Which layers are computed in one step with their adapters, and why; empty where none are.
    recompute, recompute_reason
        In how many layers activations are computed again in the backward pass, and why; empty where in none.
    warnings
        What may not be meant.
    """

    model: str
    method: str
    parameters: int | None
    trainable: int | None
    train_rows: int | None
    eval_rows: int | None
    sequence_len: int
    world_size: int
    global_batch: int
    steps: int | None
    steps_exact: bool
    epochs: float | None
    device: str
    precision: str
    precision_reason: str
    attention: str
    attention_reason: str
    memory: int | None
    device_memory: int
    checkpoint: int | None
    disk_free: int
    warnings: tuple[Problem, ...] = ()
    trainable_exact: bool = False
    tokens: int | None = None
    tokens_measured: bool = False
    longest_row: int | None = None
    seconds: float | None = None
    seconds_basis: str = ""
    memory_basis: str = ""
    packing: PackingEstimate | None = None
    streaming: bool = False
    liger: str = ""
    loss: str = ""
    loss_reason: str = ""
    vocabulary: str = ""
    vocabulary_reason: str = ""
    trackers: tuple[str, ...] = ()
    merged: int | None = None
    fused: str = ""
    fused_reason: str = ""
    recompute: str = ""
    recompute_reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, as ``plan.json`` holds it."""
        return dataclasses.asdict(self)

    def render(self) -> str:
        """Return the plan as short aligned lines, warnings last."""
        from ft_core.train.figures import figures

        rows = figures(self)
        width = max(len(row.name) for row in rows)
        lines = [
            f"{row.name.lower():<{width}}  {row.value}" + (f" ({row.reason})" if row.reason else "")
            for row in rows
        ]
        for warning in self.warnings:
            lines.append(f"warning: {warning.where + ': ' if warning.where else ''}{warning.message}")
            if warning.fix:
                lines.append(f"  fix: {warning.fix}")
        return "\n".join(lines)


def make_plan(
    config: Config,
    *,
    world_size: int = 1,
    hardware: Hardware | None = None,
    root: Path | None = None,
    exact: bool = False,
    on_wait: Callable[[str], None] | None = None,
) -> Plan:
    """Work out what `config` will do. Imports no torch; takes under a second for a local model and local data.

    The model is built without weights, in a child process and some seconds, where `exact` asks for it or where its files
    do not have what the adapter names; once built, its outline is kept and costs nothing.

    Parameters
    ----------
    config
        The run's config.
    world_size
        Ranks that will train.
    hardware
        What this machine has; asked anew by default.
    root
        The folder that the run's directory will be in, for its free space and earlier runs; the default runs folder by
        default.
    exact
        Whether to build the model without weights for certain numbers.
    on_wait
        Called with a sentence before what takes seconds.

    Raises
    ------
    ConfigError
        The adapter names modules that the model does not have, or rows may be longer than it can read.
    ModelError
        The base model's folder does not exist or holds no model, or the device lacks the number format.
    DataError
        A dataset's file does not exist.
    LaunchError
        The disk cannot hold one checkpoint.
    MissingExtra
        A package that keeps the base model's weights in few bits is not installed.
    """
    from ft_core.runs import runs_root

    hardware = hardware or detect_hardware()
    check_base_model(config)
    given, start = config, read_start(config)
    config = adopted(config, start)
    require_trained_types(config)
    require_trl(config)
    check_device(config, hardware)
    precision = choose_precision(config, hardware)
    quantised = quantised_base(config, local_model_config(config.base_model, config.revision_of_model))
    if quantised is not None:
        require_packages(quantised)
    outline = _outline(config, exact=exact, on_wait=on_wait)
    stored = local_model_config(config.base_model, config.revision_of_model)
    model_config = overridden(stored, overrides_of(config))
    on_disk = read_tokenizer(_tokenizer_folder(config))
    tokens = plan_tokens(config, outline, on_disk)
    outline, tokenizer = tokens.outline, tokens.tokenizer
    tokens = dataclasses.replace(tokens, problems=(*tokens.problems, *check_start(given, start, outline)))
    attention, attention_reason = choose_attention(config, model_config, hardware)
    fused, fused_reason = choose_fused(config, hardware)
    liger = chosen_kernels(config, model_config, hardware)
    loss, loss_reason = loss_words(config)
    if outline is not None:
        begins = check_beginning(config, outline, quantised)
        tokens = dataclasses.replace(tokens, problems=(*tokens.problems, *begins))
    found = _check_model(config, outline, model_config, tokens, attention, hardware)
    train_rows, eval_rows = _count_rows(config)
    lengths = sample_lengths(config, tokenizer)
    samples = round(train_rows * lengths.per_row) if train_rows and lengths else train_rows
    if config.streaming:
        samples = config.streaming_multipack_buffer_size
    packing = None
    if config.sample_packing and samples and lengths:
        packing = estimate_packing(config, lengths.lengths, samples)
    rows = packing.rows if packing else None if config.sample_packing else samples
    steps = (
        count_steps(config, None if config.streaming else rows, world_size)
        if rows or config.streaming
        else None
    )
    parameters, trainable = _parameters(config, tokens)
    folder = root or runs_root()
    disk_free = shutil.disk_usage(_existing(folder)).free
    full = config.pad_to_sequence_len or config.sample_packing
    plan = Plan(
        model=config.base_model,
        method=_method(config, quantised),
        parameters=parameters,
        trainable=trainable,
        train_rows=train_rows,
        eval_rows=eval_rows,
        sequence_len=config.sequence_len,
        world_size=world_size,
        global_batch=global_batch(config, world_size),
        steps=steps.total if steps else config.max_steps,
        steps_exact=config.max_steps is not None,
        epochs=round(steps.epochs, 2) if steps and not config.streaming else None,
        device=hardware.name,
        precision=precision.compute,
        precision_reason=precision.reason,
        attention=attention,
        attention_reason=attention_reason,
        liger=liger_words(liger),
        loss=loss,
        loss_reason=loss_reason,
        memory=None,
        device_memory=hardware.device_memory if hardware.devices else hardware.memory // world_size,
        checkpoint=None,
        disk_free=disk_free,
        trainable_exact=outline is not None and outline.exact,
        tokens=round(samples * lengths.mean) if samples and lengths and not config.streaming else None,
        tokens_measured=lengths is not None and lengths.measured,
        longest_row=max(lengths.lengths) if lengths and not full else None,
        packing=packing,
        vocabulary=tokens.words,
        streaming=config.streaming,
        vocabulary_reason=tokens.training,
        trackers=tuple(kind.name for kind in asked_kinds(config)),
        fused=fused_words(fused),
        fused_reason=fused_reason,
    )
    if outline is not None and trainable is not None:
        if config.unfrozen_parameters:
            # Optimizers keep numbers for the rows too that are left as they are.
            trainable = trained_numbers(outline, config.unfrozen_parameters)[1]
        checkpoint = checkpoint_bytes(config, parameters=outline.total, trainable=trainable)
        _check_disk(checkpoint, disk_free, folder)
        estimate = partial(
            estimate_memory,
            config,
            precision,
            model_config,
            kind=hardware.kind,
            attention=plan.attention,
            parameters=outline.total + (trainable if config.adapter else 0),
            trainable=trainable,
            base_bytes=_frozen_bytes(config, outline, quantised, precision),
            length=plan.longest_row,
            trained_tokens=_trained_tokens(config, lengths, packing),
            fused=fused,
            liger=liger,
        )
        layers = layer_count(model_config)
        recompute = choose_recompute(
            config,
            layers,
            lambda again: estimate(recompute=again),
            kind=hardware.kind,
            memory=plan.device_memory,
        )
        memory = estimate(recompute=recompute.layers)
        duration = None
        if steps and lengths:
            duration = estimate_duration(
                config,
                hardware,
                precision,
                outline,
                model_config,
                _work(config, steps, lengths, packing, eval_rows or 0, world_size),
                trainable=trainable,
                world_size=world_size,
                root=folder,
                recomputed=recompute.layers / layers if layers else 0.0,
            )
        plan = dataclasses.replace(
            plan,
            checkpoint=checkpoint,
            merged=outline.total * _MERGED_BYTES if _merges(config) else None,
            memory=memory.total if memory else None,
            recompute=recompute.words,
            recompute_reason=recompute.reason,
            memory_basis=ERROR.get(hardware.kind, "its error on this kind of device is not measured"),
            seconds=duration.seconds if duration else None,
            seconds_basis=duration.basis if duration else "",
        )
    warnings = _warnings(config, plan, hardware, known=outline is not None)
    broken = (_warning(f"Of the first rows, {note}.", "") for note in (lengths.notes if lengths else ()))
    as_samples = lengths and not config.streaming and not method_of(config)
    doubtful = check_first_rows(config, tokenizer) if as_samples else ()
    return dataclasses.replace(plan, warnings=(*warnings, *found, *broken, *doubtful))


def _outline(config: Config, *, exact: bool, on_wait: Callable[[str], None] | None) -> Outline | None:
    """Return what the model is made of: for certain where that is known or asked for, else as its files tell."""
    if (known := cached_skeleton(config)) is not None:
        return known
    headers = read_outline(config.base_model, config.revision_of_model)
    # Names and sizes in the files are those of the model without overrides.
    if (
        not exact
        and not overrides_of(config)
        and (headers is None or not (check_adapter(config, headers) or check_unfrozen(config, headers)))
    ):
        return headers
    if on_wait is not None:
        on_wait(
            "Building the model without its weights, to know its layers for certain (once for each model) ..."
        )
    return build_skeleton(config) or headers


def _tokenizer_folder(config: Config) -> Path | None:
    """Return the folder of the tokenizer's files where it is here; that of an adapter has no model beside them."""
    name = config.tokenizer_config or config.base_model
    folder = Path(name).expanduser()
    return folder if folder.is_dir() else model_folder(name)


def _check_model(
    config: Config,
    outline: Outline | None,
    model_config: Mapping[str, Any],
    tokens: TokenPlan,
    attention: str,
    hardware: Hardware,
) -> list[Problem]:
    """Return the warnings of config, model and tokenizer together, or raise their errors.

    Raises
    ------
    ConfigError
        There are some.
    """
    adapter = [*check_adapter(config, outline), *check_unfrozen(config, outline)] if outline else []
    if outline and not outline.exact:
        # The files alone prove nothing: some architectures are renamed while they are loaded.
        adapter = [dataclasses.replace(problem, severity="warning") for problem in adapter]
    known = positions(model_config) or (outline.positions if outline else None)
    problems = [
        *adapter,
        *tokens.problems,
        *check_length(config, model_config, known),
        *check_packing(config, model_config, attention),
        *check_liger(config, model_config, hardware),
    ]
    if tokens.tokenizer is not None:
        problems += check_turn_ends(config, tokens.tokenizer)
    if any(problem.severity == "error" for problem in problems):
        raise config.refused([*config.warnings, *problems])
    return problems


def _trained_tokens(
    config: Config, lengths: RowLengths | None, packing: PackingEstimate | None
) -> float | None:
    """Return the most tokens of a micro-batch that are trained, about; None where no row was looked at."""
    if lengths is None:
        return None
    tokens = (
        config.sequence_len * config.micro_batch_size
        if packing
        else lengths.largest_batch(config.micro_batch_size)
    )
    return tokens * lengths.trained_share


def _work(
    config: Config,
    steps: Steps,
    lengths: RowLengths,
    packing: PackingEstimate | None,
    eval_rows: int,
    world_size: int,
) -> Work:
    """Return what the steps have to do, going by the sampled rows."""
    rows = steps.total * global_batch(config, world_size)
    padded = (
        config.sequence_len if config.pad_to_sequence_len else lengths.padded_mean(config.micro_batch_size)
    )
    mean, eval_padded = lengths.mean, padded
    if packing is not None:
        mean = packing.fill * packing.capacity
        padded = packing.capacity if config.pad_to_sequence_len else mean
        eval_padded = lengths.mean / packing.fill
    cadence = eval_cadence(config, steps, eval_rows)
    every = {"no": 0, "epoch": steps.per_epoch, "steps": cadence.steps}[cadence.strategy]
    evaluations = math.ceil(steps.total / every) if every else 0
    return Work(steps.total, rows * mean, rows * padded, evaluations * eval_rows * eval_padded)


def _frozen_bytes(
    config: Config, outline: Outline, quantised: Quantised | None, precision: Precision
) -> int | None:
    """Return the bytes of the weights that do not train, where they are not the base of an adapter as it is loaded."""
    method = method_of(config)
    if method is not None and keeps_a_copy(config, method):
        return outline.total * 4  # the model that training started from, like its master weights
    return base_bytes(outline, quantised, precision) if quantised else None


def _method(config: Config, quantised: Quantised | None) -> str:
    """Return how the model is tuned and what for, in words."""
    tuned, method = _tuned(config, quantised), method_of(config)
    if method is None:
        return tuned
    copied = ", beside a copy to compare it with" if keeps_a_copy(config, method) else ""
    return f"{tuned}, {'as a reward model' if method == 'reward' else f'by {method.upper()}'}{copied}"


def _tuned(config: Config, quantised: Quantised | None) -> str:
    """Return what of the model trains, in words."""
    new = ", from new random weights" if config.reinit_weights else ""
    if config.unfrozen_parameters:
        return f"fine-tune of {', '.join(config.unfrozen_parameters)}{new}"
    if not config.adapter:
        return f"full fine-tune{new}"
    targets = target_modules(config)
    kind = "DoRA" if config.peft_use_dora else "rsLoRA" if config.peft_use_rslora else "LoRA"
    anew = f", begun anew every {config.jagged_restart_steps} steps" if config.relora else ""
    ranks = sorted({config.lora_r or DEFAULT_RANK, *(config.lora_rank_pattern or {}).values()})
    base = f", base in {quantised.words}" if quantised else ""
    if takes_from_weights(config):
        base += f", begun by {config.peft_init_lora_weights} and saved as r={', '.join(str(2 * rank) for rank in ranks)}"
    after = f", going on from {config.lora_model_dir}" if config.lora_model_dir else ""
    names = (*((targets,) if isinstance(targets, str) else targets), *(config.lora_target_parameters or ()))
    return f"{kind} r={', '.join(map(str, ranks))} on {', '.join(names)}{base}{anew}{after}"


def _parameters(config: Config, tokens: TokenPlan) -> tuple[int | None, int | None]:
    """Return the parameters in all and those that train, or None and None where the model is not at hand."""
    outline = tokens.outline
    if outline is None:
        return None, None
    if config.unfrozen_parameters:
        return outline.total, trained_numbers(outline, config.unfrozen_parameters)[0]
    if not config.adapter:
        return outline.total, outline.total
    trainable = count_trained(config, outline)
    trainable += tokens.trained
    return outline.total + trainable, trainable


def _count_rows(config: Config) -> tuple[int | None, int | None]:
    """Return the training and evaluation rows as the datasets have them, None where a count takes loading."""
    # Streamed rows may have no end.
    counts = [None if config.streaming else count_rows(dataset) for dataset in config.datasets]
    known = [count for count in counts if count is not None]
    total = sum(known) if len(known) == len(counts) else None
    if config.test_datasets:
        tests = [count_rows(dataset) for dataset in config.test_datasets]
        known = [count for count in tests if count is not None]
        return total, sum(known) if len(known) == len(tests) else None
    if total is None:
        return None, 0 if config.streaming else None
    held = config.val_set_size
    evaluation = math.ceil(held * total) if held < 1 else min(int(held), total)
    return total - evaluation, evaluation


def _merges(config: Config) -> bool:
    """Return whether an adapter is added into the model when training is done."""
    return config.merge_lora and config.adapter is not None and not config.relora


def _warnings(config: Config, plan: Plan, hardware: Hardware, *, known: bool) -> tuple[Problem, ...]:
    """Return what may not be meant: the config's own warnings, and what only the plan can see."""
    found = list(config.warnings)
    missing = filter(None, map(missing_package, asked_kinds(config)))
    found += [_warning(package.message, package.fix) for package in missing]
    if hardware.note:
        found.append(
            _warning(hardware.note, "Install a CUDA build of torch: https://pytorch.org/get-started/locally/")
        )
    if not known:
        found.append(
            _warning(
                f"The size of '{plan.model}' is not known before it is loaded, so memory, time and disk are not estimated.",
                "It is downloaded when the run starts.",
            )
        )
    if plan.memory is not None and plan.memory > _FITS * plan.device_memory:
        found.append(
            _warning(
                f"This needs about {gib(plan.memory)} (estimate) and the device has {gib(plan.device_memory)}.",
                less_memory(config),
            )
        )
    if plan.merged is not None and plan.merged > plan.disk_free:
        found.append(
            _warning(
                f"The merged model takes about {gib(plan.merged)} and the disk has {gib(plan.disk_free)} free.",
                "Free some space, or remove 'merge_lora' and merge on another disk later: ft merge-lora RUN --out DIR",
            )
        )
    rows = None if plan.streaming else plan.packing.rows if plan.packing else plan.train_rows
    if rows is not None and rows < plan.global_batch:
        found.append(
            _warning(
                f"One step takes {plan.global_batch} rows and there are {rows}, so an epoch is one small step.",
                "Lower micro_batch_size or gradient_accumulation_steps.",
            )
        )
    return tuple(found)


def _warning(message: str, fix: str) -> Problem:
    """Return a warning that no line of the config is to blame for."""
    return Problem(None, None, "", message, fix, "warning")


def _check_disk(checkpoint: int | None, free: int, folder: Path) -> None:
    """Raise a LaunchError if not even one checkpoint and the final model fit on the disk."""
    if checkpoint is not None and free < 2 * checkpoint:
        raise LaunchError(
            f"The disk of {folder} has {gib(free)} free, and this run writes about {gib(2 * checkpoint)}: "
            "one checkpoint, and room for the next before that is removed.",
            "Free some space, set FT_RUNS_DIR to a folder on another disk, or tune with 'adapter: lora'.",
        )


def _existing(folder: Path) -> Path:
    """Return the nearest folder at or above `folder` that exists."""
    return next(path for path in (folder.absolute(), *folder.absolute().parents) if path.is_dir())
