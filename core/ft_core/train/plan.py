"""What a run will do, before anything heavy is imported or loaded."""

from __future__ import annotations

import dataclasses
import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config import Problem
from ft_core.data import count_rows
from ft_core.errors import LaunchError
from ft_core.models.adapter import target_modules
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.models.parameters import ParameterCount, adapter_parameters, count_parameters, local_model_config
from ft_core.models.precision import choose_attention, choose_precision
from ft_core.models.source import check_base_model
from ft_core.train.memory import about_gib, checkpoint_bytes, estimate_memory, gib, less_memory
from ft_core.train.steps import count_steps, global_batch

if TYPE_CHECKING:
    from ft_core.config import Config

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
    world_size, global_batch
        Ranks, and rows of one optimizer step.
    steps, steps_exact
        Optimizer steps, and whether that number is certain.
    epochs
        Passes over the training rows.
    device
        What trains, in words.
    precision, precision_reason, attention, attention_reason
        The formats and the attention, and why.
    memory, device_memory
        Estimated peak of one rank and what its device has, in bytes.
    checkpoint, disk_free
        Size of one checkpoint and the free space where it goes, in bytes.
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

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain values, as ``plan.json`` holds it."""
        return dataclasses.asdict(self)

    def render(self) -> str:
        """Return the plan as short aligned lines, warnings last."""
        rows = [(label, text) for label, text in self._lines() if text]
        width = max(len(label) for label, _ in rows)
        lines = [f"{label:<{width}}  {text}" for label, text in rows]
        for warning in self.warnings:
            lines.append(f"warning: {warning.where + ': ' if warning.where else ''}{warning.message}")
            if warning.fix:
                lines.append(f"  fix: {warning.fix}")
        return "\n".join(lines)

    def _lines(self) -> list[tuple[str, str]]:
        about = "" if self.steps_exact else "about "
        batch = f"{self.global_batch} row{'s' * (self.global_batch != 1)} a step"
        ranks = f" on {self.world_size} ranks" if self.world_size > 1 else ""
        return [
            ("model", self.model),
            ("trains", f"{self.method}{_share(self.trainable, self.parameters)}"),
            ("data", _rows(self.train_rows, self.eval_rows) + f", up to {self.sequence_len:,} tokens each"),
            (
                "steps",
                f"{about}{self.steps:,}, {batch}{ranks}{_epochs(self.epochs)}"
                if self.steps
                else f"unknown, {batch}",
            ),
            ("device", self.device + (f", {self.world_size} ranks" if self.world_size > 1 else "")),
            ("precision", f"{self.precision} ({self.precision_reason})"),
            ("attention", f"{self.attention} ({self.attention_reason})"),
            (
                "memory",
                f"{about_gib(self.memory)} of {gib(self.device_memory)} (estimate)" if self.memory else "",
            ),
            (
                "disk",
                f"{about_gib(self.checkpoint)} a checkpoint, {gib(self.disk_free)} free"
                if self.checkpoint
                else "",
            ),
        ]


def make_plan(
    config: Config, *, world_size: int = 1, hardware: Hardware | None = None, root: Path | None = None
) -> Plan:
    """Work out what `config` will do. Imports no torch; takes under a second for a local model and local data.

    Parameters
    ----------
    config
        The run's config.
    world_size
        Ranks that will train.
    hardware
        What this machine has; asked anew by default.
    root
        The folder that the run's directory will be in, for its free space; the default runs folder by default.

    Raises
    ------
    ModelError
        The base model's folder does not exist or holds no model, or the device lacks the number format.
    DataError
        A dataset's file does not exist.
    LaunchError
        The disk cannot hold one checkpoint.
    """
    from ft_core.runs import runs_root

    hardware = hardware or detect_hardware()
    check_base_model(config)
    precision = choose_precision(config, hardware)
    model_config = local_model_config(config.base_model, config.revision_of_model)
    attention, attention_reason = choose_attention(config, model_config)
    count = count_parameters(config.base_model, config.revision_of_model)
    parameters, trainable = _parameters(config, count)
    train_rows, eval_rows = _count_rows(config)
    steps = count_steps(config, train_rows, world_size) if train_rows else None
    memory = checkpoint = None
    if parameters is not None and trainable is not None:
        estimate = estimate_memory(
            config, precision, model_config, kind=hardware.kind, parameters=parameters, trainable=trainable
        )
        memory = estimate.total if estimate else None
        checkpoint = checkpoint_bytes(config, parameters=parameters, trainable=trainable)
    folder = root or runs_root()
    disk_free = shutil.disk_usage(_existing(folder)).free
    _check_disk(checkpoint, disk_free, folder)
    device_memory = hardware.device_memory if hardware.devices else hardware.memory // world_size
    plan = Plan(
        model=config.base_model,
        method=_method(config),
        parameters=parameters,
        trainable=trainable,
        train_rows=train_rows,
        eval_rows=eval_rows,
        sequence_len=config.sequence_len,
        world_size=world_size,
        global_batch=global_batch(config, world_size),
        steps=steps.total if steps else config.max_steps,
        steps_exact=config.max_steps is not None,
        epochs=round(steps.epochs, 2) if steps else None,
        device=hardware.name,
        precision=precision.compute,
        precision_reason=precision.reason,
        attention=attention,
        attention_reason=attention_reason,
        memory=memory,
        device_memory=device_memory,
        checkpoint=checkpoint,
        disk_free=disk_free,
    )
    return dataclasses.replace(plan, warnings=_warnings(config, plan, hardware, count))


def _method(config: Config) -> str:
    """Return how the model is tuned, in words."""
    if not config.adapter:
        return "full fine-tune"
    targets = target_modules(config)
    kind = "DoRA" if config.peft_use_dora else "rsLoRA" if config.peft_use_rslora else "LoRA"
    return f"{kind} r={config.lora_r} on {targets if isinstance(targets, str) else ', '.join(targets)}"


def _parameters(config: Config, count: ParameterCount | None) -> tuple[int | None, int | None]:
    """Return the parameters in all and those that train, or None and None where the model is not at hand."""
    if count is None:
        return None, None
    if not config.adapter:
        return count.total, count.total
    trainable = adapter_parameters(
        count,
        rank=config.lora_r or 8,
        target_modules=target_modules(config),
        modules_to_save=config.lora_modules_to_save or (),
        use_dora=config.peft_use_dora,
    )
    return count.total + trainable, trainable


def _count_rows(config: Config) -> tuple[int | None, int | None]:
    """Return the training and evaluation rows as the datasets have them, None where a count takes loading."""
    counts = [count_rows(dataset) for dataset in config.datasets]
    known = [count for count in counts if count is not None]
    total = sum(known) if len(known) == len(counts) else None
    if config.test_datasets:
        tests = [count_rows(dataset) for dataset in config.test_datasets]
        known = [count for count in tests if count is not None]
        return total, sum(known) if len(known) == len(tests) else None
    if total is None:
        return None, None
    held = config.val_set_size
    evaluation = math.ceil(held * total) if held < 1 else min(int(held), total)
    return total - evaluation, evaluation


def _warnings(
    config: Config, plan: Plan, hardware: Hardware, count: ParameterCount | None
) -> tuple[Problem, ...]:
    """Return what may not be meant: the config's own warnings, and what only the plan can see."""
    found = list(config.warnings)
    if hardware.note:
        found.append(
            _warning(hardware.note, "Install a CUDA build of torch: https://pytorch.org/get-started/locally/")
        )
    if count is None:
        found.append(
            _warning(
                f"The size of '{plan.model}' is not known before it is loaded, so memory and disk are not estimated.",
                "It is downloaded when the run starts.",
            )
        )
    elif unknown := _unknown_targets(config, count):
        # Not an error yet: some architectures are renamed while they are loaded, which then tells for certain.
        there = dict.fromkeys(name.rsplit(".", 1)[-1] for name in count.linear_layers())
        found.append(
            _warning(
                f"lora_target_modules names {unknown}, which the model's files do not have.",
                f"They have: {', '.join(there)}. Or write 'lora_target_linear: true' for all of them.",
            )
        )
    if plan.memory is not None and plan.memory > _FITS * plan.device_memory:
        found.append(
            _warning(
                f"This needs about {gib(plan.memory)} (estimate) and the device has {gib(plan.device_memory)}.",
                less_memory(config),
            )
        )
    if plan.train_rows is not None and plan.train_rows < plan.global_batch:
        found.append(
            _warning(
                f"One step takes {plan.global_batch} rows and there are {plan.train_rows}, so an epoch is one small step.",
                "Lower micro_batch_size or gradient_accumulation_steps.",
            )
        )
    return tuple(found)


def _unknown_targets(config: Config, count: ParameterCount) -> str:
    """Return the adapter's target modules that the model's files do not have, quoted; empty if they have all."""
    targets = target_modules(config)
    modules = [name.rpartition(".")[0] for name in count.shapes]
    if not config.adapter or isinstance(targets, str):
        return ""
    lost = [target for target in targets if not any(f".{name}".endswith(f".{target}") for name in modules)]
    return ", ".join(repr(name) for name in lost)


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


def _share(trainable: int | None, parameters: int | None) -> str:
    """Return ``: 4.9M of 139.4M parameters (3.50 %)``."""
    if trainable is None or parameters is None:
        return ""
    return f": {_count(trainable)} of {_count(parameters)} parameters ({trainable / parameters:.2%})"


def _count(number: int) -> str:
    """Return a large number as people say it.

    >>> _count(134_515_008), _count(8_030_261_248), _count(920)
    ('134.5M', '8.03B', '920')
    """
    for size, letter, digits in ((10**9, "B", 2), (10**6, "M", 1), (10**3, "k", 1)):
        if number >= size:
            return f"{number / size:.{digits}f}{letter}"
    return str(number)


def _rows(train: int | None, evaluation: int | None) -> str:
    """Return the rows in words."""
    if train is None:
        return "rows not counted yet"
    return f"{train:,} rows" + (f", {evaluation:,} to evaluate on" if evaluation else "")


def _epochs(epochs: float | None) -> str:
    """Return ``, 1.5 epochs``."""
    return f", {epochs:g} epoch{'s' if epochs != 1 else ''}" if epochs is not None else ""
