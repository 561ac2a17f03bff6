"""An evaluation in a process of its own, so that neither the kernel nor a terminal's command loads a model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.data.write_tables import write_tables
from ft_core.errors import LaunchError, RunError
from ft_core.launch.process import worker_environment
from ft_core.models.hardware import detect_hardware
from ft_core.runs import ENVIRONMENT_VARIABLE, Run
from ft_core.runs.paths import CHECKPOINTS, RESOLVED
from ft_core.train.evaluate import Evaluated

if TYPE_CHECKING:
    from ft_core.config import Config

BASE = "base"
FINAL = "final"


def evaluate_run(run: Run, weights: str = FINAL) -> list[Evaluated]:
    """Return the loss of a run's model on its evaluation data.

    Parameters
    ----------
    run
        The run.
    weights
        ``final``, ``base`` for the model before tuning, or the name of a checkpoint, such as ``checkpoint-100``.

    Raises
    ------
    RunError
        The run has no such weights.
    FtError
        As for `evaluate_config`.
    """
    from ft_core.config import load_config

    return _evaluate(load_config(run.directory / RESOLVED), weights_of(run, weights))


def evaluate_config(config: Config) -> list[Evaluated]:
    """Return the loss of the base model of a config on its evaluation data.

    Raises
    ------
    LaunchError
        The process ended without a word.
    FtError
        The data or the model cannot be read, or there is nothing to evaluate on.
    """
    return _evaluate(config, None)


def weights_of(run: Run, name: str) -> Path | None:
    """Return the folder of a run's weights by their name; None for those of the base model.

    Raises
    ------
    RunError
        There is none of that name; the sentence says which there are.
    """
    if name == BASE:
        return None
    found = {folder.name: folder for folder in sorted((run.directory / CHECKPOINTS).glob("checkpoint-*"))}
    if run.final.is_dir():
        found[FINAL] = run.final
    if name not in found:
        raise RunError(
            f"Run '{run.name}' has no weights '{name}': {run.summary()}.",
            f"It has: {', '.join([BASE, *found])}.",
        )
    return found[name]


def _evaluate(config: Config, weights: Path | None) -> list[Evaluated]:
    with tempfile.TemporaryDirectory(prefix="ft-evaluate-") as name:
        folder = Path(name)
        written = write_tables(config, folder).to_yaml(absolute_paths=True)
        (folder / RESOLVED).write_text(written, encoding="utf-8")
        environment = worker_environment(os.environ, folder, 1, detect_hardware())
        del environment[ENVIRONMENT_VARIABLE]  # it is no process of a run, which a stop would end
        result = folder / "result.json"
        command = [sys.executable, "-m", "ft_core.train.evaluate", str(folder / RESOLVED), str(weights or "")]
        done = subprocess.run(
            [*command, str(result)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if not result.is_file():
            said = done.stderr.strip().splitlines()
            raise LaunchError(f"The evaluation ended without a result: {said[-1] if said else 'killed'}.")
        told = json.loads(result.read_text(encoding="utf-8"))
    if isinstance(told, dict):
        raise LaunchError(told["message"], told["fix"])
    return [Evaluated(**row) for row in told]
