"""The config in the words of ``transformers.TrainingArguments`` and of torch's optimizers."""

from __future__ import annotations

import dataclasses
import importlib.util
import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.errors import MissingExtra, ModelError
from ft_core.models.devices import needs_bitsandbytes
from ft_core.models.hardware import Hardware
from ft_core.models.precision import choose_precision
from ft_core.train.parameter_groups import parameter_groups
from ft_core.train.schedules import OWN_SCHEDULES
from ft_core.train.steps import Steps, eval_cadence, save_cadence, warmup_steps

if TYPE_CHECKING:
    import torch
    from transformers import TrainingArguments

    from ft_core.config import Config

_COLLECTIVE_SECONDS = 1800


def training_arguments(
    config: Config, hardware: Hardware, steps: Steps, *, world_size: int, checkpoints: Path, eval_rows: int
) -> TrainingArguments:
    """Return the arguments that make ``Trainer`` do what `config` says.

    Parameters
    ----------
    config
        The run's config.
    hardware
        What this machine has.
    steps
        The run's length, from the rows that are really there.
    world_size
        How many ranks were started.
    checkpoints
        The folder that checkpoints go to.
    eval_rows
        Rows to evaluate on; 0 for none.
    """
    from transformers import TrainingArguments

    precision = choose_precision(config, hardware)
    saving, evaluating = save_cadence(config, steps), eval_cadence(config, steps, eval_rows)
    ampere = all((device.compute_capability or (0, 0)) >= (8, 0) for device in hardware.devices)
    on_cpu = hardware.kind == "cpu"
    settings: dict[str, Any] = {
        "output_dir": str(checkpoints),
        "use_cpu": on_cpu,
        # Named for a single process, it would be taken to be one of a group.
        "ddp_backend": "gloo" if on_cpu and world_size > 1 else None,
        "ddp_timeout": config.ddp_timeout or _COLLECTIVE_SECONDS,
        "ddp_bucket_cap_mb": config.ddp_bucket_cap_mb,
        "ddp_broadcast_buffers": config.ddp_broadcast_buffers,
        # An unused trainable weight would be a mistake of ours, and looking for one costs a pass over the graph.
        "ddp_find_unused_parameters": bool(config.ddp_find_unused_parameters),
        # Length and batches.
        "max_steps": steps.total,
        "num_train_epochs": config.num_epochs,
        "per_device_train_batch_size": config.micro_batch_size,
        "per_device_eval_batch_size": config.eval_batch_size or config.micro_batch_size,
        "gradient_accumulation_steps": config.gradient_accumulation_steps,
        "average_tokens_across_devices": True,
        "remove_unused_columns": False,
        "label_names": ["labels"],
        "dataloader_pin_memory": pins_memory(config, hardware),
        "seed": config.seed,
        "full_determinism": config.full_determinism,
        "torch_empty_cache_steps": config.torch_empty_cache_steps,
        # A stream knows by itself where it goes on.
        "ignore_data_skip": config.streaming,
        # Optimizer and learning rate.
        "learning_rate": config.learning_rate,
        "weight_decay": config.weight_decay,
        "max_grad_norm": config.max_grad_norm,
        # Muon is ours (ft_core.train.muon).
        "optim": "adamw_torch" if config.optimizer == "muon" else config.optimizer,
        "adam_beta1": config.adam_beta1,
        "adam_beta2": config.adam_beta2,
        "adam_epsilon": config.adam_epsilon,
        "neftune_noise_alpha": config.neftune_noise_alpha or None,
        # Made by ft_core.train.schedules; Trainer reads it to know whether the schedule follows the evaluation loss.
        "lr_scheduler_type": "constant" if config.lr_scheduler in OWN_SCHEDULES else config.lr_scheduler,
        "warmup_steps": warmup_steps(config, steps),
        # Number formats.
        "bf16": precision.compute == "bf16",
        "fp16": precision.compute == "fp16",
        "tf32": _tf32(config, cuda=hardware.kind == "cuda", ampere=ampere),
        # When to save and evaluate. Old checkpoints are removed by our own trainer, after the new one is whole.
        "save_strategy": saving.strategy,
        "save_steps": saving.steps or 500,
        "save_only_model": config.save_only_model,
        "eval_on_start": config.eval_on_start and eval_rows > 0,
        "eval_strategy": evaluating.strategy,
        "eval_steps": evaluating.steps or None,
        # Every step becomes an event; nothing else may print, and a NaN must not be hidden by an average.
        "logging_strategy": "steps",
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "report_to": "none",
        "disable_tqdm": True,
    }
    # transformers 5.20 renamed gradient to activation checkpointing.
    names = {field.name for field in dataclasses.fields(TrainingArguments)}
    prefix = "activation" if "activation_checkpointing" in names else "gradient"
    # The layers are told so one by one (ft_core.models.checkpointing).
    settings[f"{prefix}_checkpointing"] = False
    return TrainingArguments(**settings)


def pins_memory(config: Config, hardware: Hardware) -> bool:
    """Return whether batches lie in pinned memory: as the config says, else where that is of use."""
    asked = config.dataloader_pin_memory
    return hardware.kind == "cuda" if asked is None else asked


def optimizer_class(
    config: Config, arguments: TrainingArguments, model: Any
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Return the optimizer's class and arguments, those of ``optim_args`` among them.

    Transformers passes ``optim_args`` on for a few optimizers and drops it for the rest; here the class always gets
    them. Where some weights learn at a rate of their own, ``params`` are the groups, which Trainer takes over.

    Raises
    ------
    MissingExtra
        The optimizer's package is not installed.
    ModelError
        ``optim_args`` names an argument that the optimizer does not take, or ``lr_groups`` a weight that is not there.
    """
    optimizer, settings = (
        _muon(config) if config.optimizer == "muon" else _of_transformers(config, arguments, model)
    )
    _check_optim_args(optimizer, config)
    groups = parameter_groups(config, model)
    return optimizer, {**settings, **config.optim_args, **({"params": groups} if groups else {})}


def _muon(config: Config) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    import torch

    if not hasattr(torch.optim, "Muon"):
        raise MissingExtra(
            f"The optimizer 'muon' came with PyTorch 2.9, and {torch.__version__} is installed.",
            "Use 'optimizer: adamw_torch_fused', or install a newer PyTorch.",
        )
    from ft_core.train.muon import MuonWithAdamW

    return MuonWithAdamW, {
        "lr": config.learning_rate,
        "betas": (config.adam_beta1, config.adam_beta2),
        "adam_eps": config.adam_epsilon,
    }


def _of_transformers(
    config: Config, arguments: TrainingArguments, model: Any
) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    from transformers import Trainer

    if needs_bitsandbytes(config.optimizer):
        require("bitsandbytes", f"The optimizer '{config.optimizer}'", "pip install 'ft-jupyter[gpu]'")
    try:
        return Trainer.get_optimizer_cls_and_kwargs(arguments, model)
    except (ImportError, ValueError) as error:
        package = re.search(r"pip install ([\w\-]+)", str(error))
        raise MissingExtra(
            f"The optimizer '{config.optimizer}' cannot be used here: {str(error).splitlines()[0]}",
            f"pip install {package.group(1)}" if package else "Use 'optimizer: adamw_torch_fused'.",
        ) from error


def _check_optim_args(optimizer: type[torch.optim.Optimizer], config: Config) -> None:
    """Raise a ModelError if ``optim_args`` holds a name that the optimizer does not know."""
    known = inspect.signature(optimizer).parameters
    if any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in known.values()):
        return
    unknown = sorted(set(config.optim_args) - set(known))
    if unknown:
        allowed = ", ".join(name for name in known if name != "params")
        raise ModelError(
            f"optim_args: {optimizer.__name__} takes no argument {', '.join(repr(name) for name in unknown)}.",
            f"It takes: {allowed}.",
        )


def require(package: str, who: str, fix: str) -> None:
    """Raise a MissingExtra unless `package` is installed."""
    if importlib.util.find_spec(package) is None:
        raise MissingExtra(f"{who} needs the package '{package}', which is not installed.", fix)


def _tf32(config: Config, *, cuda: bool, ampere: bool) -> bool | None:
    """Return whether fp32 products may use TensorFloat-32; None leaves torch's own setting."""
    if not cuda:
        return None
    return ampere if config.tf32 == "auto" else config.tf32
