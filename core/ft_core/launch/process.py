"""Training in processes of its own, which outlive the cell, the page and the kernel that started it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import ft_core
from ft_core.data.write_tables import write_tables
from ft_core.errors import LaunchError, RunError
from ft_core.launch.resume import with_checkpoint
from ft_core.models.hardware import Hardware, detect_hardware
from ft_core.models.start_adapter import adopted, read_start
from ft_core.runs import ENVIRONMENT_VARIABLE, Run, RunWriter, create_run, record_process, runs_root
from ft_core.runs.paths import DATA, next_name
from ft_core.train import Plan, make_plan

if TYPE_CHECKING:
    from ft_core.config import Config

# What a kernel or another job leaves in the environment and a training process must not inherit: the kernel's identity
# and secrets, its colours and pagers, and any other job's place in its group.
_DROPPED_PREFIXES = (
    "JPY_",
    "JUPYTERHUB_",
    "IPY_",
    "KERNEL_",
    "PYDEVD_",
    "ACCELERATE_",
    "TORCHELASTIC_",
    "GROUP_",
    "ROLE_",
)
_DROPPED = [
    "MPLBACKEND",
    "CLICOLOR",
    "CLICOLOR_FORCE",
    "FORCE_COLOR",
    "PAGER",
    "GIT_PAGER",
    "RANK",
    "LOCAL_RANK",
    "WORLD_SIZE",
    "LOCAL_WORLD_SIZE",
    "MASTER_ADDR",
    "MASTER_PORT",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
]


def launch(
    config: Config,
    name: str | None = None,
    *,
    gpus: int | None = None,
    root: Path | None = None,
    overwrite: bool = False,
    plan: Plan | None = None,
) -> Run:
    """Plan `config`, make its run directory, start training there in the background, and return at once.

    Notebook variables that are datasets are written into the run's directory, so that it is whole by itself.

    Parameters
    ----------
    config
        What to train.
    name
        The run's name; the next free ``run-<n>`` by default. Where it is that of the run whose checkpoint this one goes on
        from, the new run has the next free ``<name>-<n>``.
    gpus
        GPUs to train on, one rank each; all that are visible by default. Without a GPU it is the number of ranks on the
        CPU, 1 by default.
    root
        The folder that holds runs; the default one by default.
    overwrite
        Replace a run of this name that has ended.
    plan
        What a run of the same config, `gpus` and `root` will do, where that was worked out a moment ago; worked out now by
        default.

    Raises
    ------
    ModelError, DataError
        The base model or a dataset is not there, or a value of a notebook variable cannot be written.
    LaunchError
        There are fewer GPUs than asked for, the disk is too full, or the process cannot be started.
    RunError
        The name is taken or cannot be one, or the run that is to be replaced holds what is trained on.
    """
    config = adopted(config, read_start(config))
    config = with_checkpoint(config, root)
    if name and overwrite:
        _check_inputs_stay(config, (root or runs_root()).absolute() / name)
    elif name and _goes_on_from(config, (root or runs_root()).absolute() / name):
        name = next_name(root, name)
    hardware = detect_hardware()
    ranks = count_ranks(gpus, hardware)
    plan = plan or make_plan(config, world_size=ranks, hardware=hardware, root=root)

    def resolved(directory: Path) -> str:
        return write_tables(config, directory / DATA).to_yaml(absolute_paths=True)

    run = create_run(
        name,
        config_text=config.source or config.to_yaml(absolute_paths=True),
        resolved_text=resolved,
        plan=plan.to_dict(),
        root=root,
        overwrite=overwrite,
    )
    try:
        process = _start(run.directory, ranks, hardware)
    except OSError as error:
        refused = LaunchError(
            f"The training process cannot be started: {error}.", "Check the memory and process limits."
        )
        with RunWriter(run.directory):
            raise refused from error
    record_process(run.directory, process.pid, world_size=ranks)
    # Wait for the process somewhere, so that it does not stay a zombie for as long as this one lives.
    threading.Thread(target=process.wait, name=f"ft-reaper-{process.pid}", daemon=True).start()
    return run


def _check_inputs_stay(config: Config, directory: Path) -> None:
    """Raise where `directory`, whose run is to be replaced, holds a file that `config` reads."""
    read = [config.base_model, *(dataset.path for dataset in config.all_datasets)]
    for path in (*read, config.resume_from_checkpoint):
        if path is not None and directory in Path(path).absolute().parents:
            raise RunError(
                f"Run '{directory.name}' cannot be overwritten: '{path}', which is trained on, is in it.",
                "Use another name.",
            )


def _goes_on_from(config: Config, directory: Path) -> bool:
    """Whether `config` has found a checkpoint of the run in `directory` by itself."""
    checkpoint = config.resume_from_checkpoint
    return (
        config.auto_resume_from_checkpoints
        and checkpoint is not None
        and directory in Path(checkpoint).parents
    )


def count_ranks(gpus: int | None, hardware: Hardware) -> int:
    """Return how many ranks to start.

    Raises
    ------
    LaunchError
        Fewer than one is asked for, or more GPUs than there are.
    """
    if gpus is not None and gpus < 1:
        raise LaunchError(f"gpus must be at least 1, not {gpus}.", "Leave it out to use every GPU.")
    if hardware.kind == "cpu":
        return gpus or 1
    there = len(hardware.devices)
    if gpus is not None and gpus > there:
        raise LaunchError(
            f"{gpus} GPUs are asked for, and {there} {'is' if there == 1 else 'are'} visible: {hardware.name}.",
            f"Use gpus={there}, or widen CUDA_VISIBLE_DEVICES.",
        )
    return gpus or there


def worker_command(directory: Path, ranks: int) -> list[str]:
    """Return the command that trains the run in `directory`."""
    if ranks == 1:
        return [sys.executable, "-m", "ft_core.train", str(directory)]
    return [sys.executable, "-m", "ft_core.launch.ranks", str(directory), str(ranks)]


def worker_environment(
    environment: Mapping[str, str], directory: Path, ranks: int, hardware: Hardware
) -> dict[str, str]:
    """Return the environment of a run's processes: `environment` without what belongs to a kernel or another job.

    Parameters
    ----------
    environment
        The environment of the process that launches.
    directory
        The run's directory.
    ranks
        How many ranks share the machine.
    hardware
        What the machine has.
    """
    kept = {
        key: value
        for key, value in environment.items()
        if not key.startswith(_DROPPED_PREFIXES) and key not in _DROPPED
    }
    kept[ENVIRONMENT_VARIABLE] = str(directory)
    kept["PYTHONUNBUFFERED"] = "1"
    kept["TOKENIZERS_PARALLELISM"] = "false"
    source = Path(ft_core.__file__).parents[1]
    if str(source) not in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        # Run from a source tree; an installed package is found anyway, and site-packages must not come first.
        kept["PYTHONPATH"] = os.pathsep.join(
            part for part in (str(source), kept.get("PYTHONPATH", "")) if part
        )
    if hardware.kind == "cuda":
        visible = kept.get("CUDA_VISIBLE_DEVICES")
        every = visible.split(",") if visible else [str(index) for index in range(len(hardware.devices))]
        kept["CUDA_VISIBLE_DEVICES"] = ",".join(every[:ranks])
        if "PYTORCH_ALLOC_CONF" not in kept:
            # The logits of each step have another size. In fixed segments torch then holds far more than it has in use.
            kept.setdefault("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    # OpenMP threads that wait for each other spin by default. Where the cores are shared, with the notebook or with other
    # users, the spinning takes the time that the awaited thread needs: 3 to 5 times fewer steps on two busy cores.
    kept.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # Where Comet is installed, it would record an experiment of its own for each that MLflow or TensorBoard is told of.
    kept.setdefault("COMET_DISABLE_AUTO_LOGGING", "1")
    if ranks > 1 or hardware.cpu_cores < (os.cpu_count() or 1):
        # torch would give every rank a thread for each of the machine's cores, a container's limit or not.
        kept.setdefault("OMP_NUM_THREADS", str(max(1, hardware.cpu_cores // ranks)))
    return kept


def _start(directory: Path, ranks: int, hardware: Hardware) -> subprocess.Popen[bytes]:
    """Start the run's processes in a session of their own, printing to log.txt."""
    with (directory / "log.txt").open("ab") as log:
        return subprocess.Popen(
            worker_command(directory, ranks),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # Python puts the current folder first on its path; a user's datasets.py beside the notebook would be
            # imported in place of the library. The run's own folder holds no modules.
            cwd=directory,
            env=worker_environment(os.environ, directory, ranks, hardware),
            start_new_session=True,
        )
