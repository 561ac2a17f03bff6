"""The Python side of the surfaces: what each magic does, as a function.

A config may be given as a :class:`ft_core.config.Config`, a mapping, YAML text, or the path or ``https://``
address of a YAML file.
Each function returns an object that also draws itself; the objects are the same that the magics return.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core import config as configs
from ft_core import runs as engine_runs
from ft_core.config import Config
from ft_core.config.address import is_address
from ft_jupyter.run import Run
from ft_jupyter.sentences import errors_as_sentences

if TYPE_CHECKING:
    from ft_core.infer.merge import Dtype
    from ft_jupyter.evaluation_table import EvaluationTable
    from ft_jupyter.merge_card import MergeCard
    from ft_jupyter.plan_card import PlanCard
    from ft_jupyter.preprocess_card import PreprocessCard
    from ft_jupyter.runs_table import RunsTable
    from ft_jupyter.widgets.chat_view import ChatView
    from ft_jupyter.widgets.inspector import InspectorView

ConfigLike = Config | Mapping[str, object] | str | Path


def load(config: ConfigLike) -> Config:
    """Return `config` validated; a one-line string that ends in ``.yml`` or ``.yaml`` is a path, unless an address.

    Raises
    ------
    ConfigError
        With every problem of the YAML at once.
    """
    if isinstance(config, Config):
        return config
    if (
        isinstance(config, str)
        and "\n" not in config
        and config.endswith((".yml", ".yaml"))
        and not is_address(config)
    ):
        config = Path(config)
    return configs.load_config(config)


@errors_as_sentences()
def train(
    config: ConfigLike,
    name: str | None = None,
    *,
    gpus: int | None = None,
    root: Path | None = None,
    overwrite: bool = False,
) -> Run:
    """Start a run in the background and return it at once.

    Parameters
    ----------
    config
        What to train.
    name
        Name of the run; by default the next free ``run-<n>``.
    gpus
        Number of processes; by default what the machine offers.
    root
        Folder of the runs; by default ``$FT_RUNS_DIR`` or ``./runs``.
    overwrite
        Replace a run of the same name.

    Raises
    ------
    FtError
        The config is wrong, the name is taken, or the process cannot be started.
    """
    from ft_core.launch import launch

    return Run.of(launch(load(config), name, gpus=gpus, root=root, overwrite=overwrite))


@errors_as_sentences()
def plan(config: ConfigLike, *, gpus: int | None = None) -> PlanCard:
    """Return what a run of `config` would do: parameters, steps, memory, time, warnings; no weights are loaded.

    The first plan of a model takes some seconds, to know its layers for certain.
    """
    from ft_jupyter.plan_card import plan_card

    return plan_card(load(config), gpus=gpus, exact=True)


@errors_as_sentences()
def preprocess(config: ConfigLike) -> PreprocessCard:
    """Tokenize the data of `config` and keep it, so that its run starts at once; return what became of it."""
    from ft_jupyter.preprocess_card import preprocess_card

    return preprocess_card(load(config))


@errors_as_sentences()
def evaluate(config: ConfigLike | engine_runs.Run, *, weights: str = "final") -> EvaluationTable:
    """Return the loss and perplexity of a model on its evaluation data, computed in a process of its own.

    Parameters
    ----------
    config
        A run, or its name; or a config, whose base model is evaluated.
    weights
        Of a run: ``final``, ``base``, or the name of a checkpoint.

    Raises
    ------
    FtError
        The model or the data cannot be read, there is nothing to evaluate on, or the run has no such weights.
    """
    from ft_core.launch.evaluation import evaluate_config, evaluate_run
    from ft_core.runs.paths import is_name
    from ft_jupyter.evaluation_table import EvaluationTable

    if isinstance(config, str) and is_name(config) and not config.endswith((".yml", ".yaml")):
        config = engine_runs.open_run(config)
    if isinstance(config, engine_runs.Run):
        return EvaluationTable(evaluate_run(config, weights))
    return EvaluationTable(evaluate_config(load(config)))


@errors_as_sentences()
def inspect(config: ConfigLike | engine_runs.Run, *, wait: bool = False) -> InspectorView:
    """Open an inspector of what a config or a run trains on: rows, tokens, masks, packing, and what is wrong with the set.

    Parameters
    ----------
    config
        The config, or a run, whose tuned model then tells the loss of each token.
    wait
        Go through the whole set first, so that a saved notebook tells of all of it.

    Raises
    ------
    FtError
        The config is wrong, or a dataset cannot be read.
    """
    from ft_jupyter.widgets.inspector import open_inspector

    if isinstance(config, engine_runs.Run):
        resolved = load(config.directory / "resolved.yaml")
        return open_inspector(resolved, title=config.name, run=config, wait=wait)
    return open_inspector(load(config), wait=wait)


@errors_as_sentences()
def chat(run: engine_runs.Run | str | Path) -> ChatView:
    """Open a chat with a run's tuned model beside its base, or with the model in a folder."""
    from ft_jupyter.widgets.chat_view import open_chat

    return open_chat(engine_runs.open_run(run) if isinstance(run, str) else run)


@errors_as_sentences()
def merge(
    run: engine_runs.Run | str | Path,
    out: Path | str | None = None,
    *,
    dtype: Dtype = "auto",
    dequantise: bool = True,
    overwrite: bool = False,
) -> MergeCard:
    """Add a run's adapter into the weights of its base and save the model, in a process of its own and on the CPU.

    Parameters
    ----------
    run
        The run, its name, or a path: of a run's directory or of an adapter's folder.
    out
        The folder for the model; by default ``merged`` in the run's directory or the adapter's folder.
    dtype
        Format of the saved weights: ``bf16``, ``fp16``, ``fp32``, or the base's own 16 bit format.
    dequantise
        For a run on a quantised base: merge into its weights as they were rounded, or into the base's own.
    overwrite
        Replace what is at `out`.

    Raises
    ------
    FtError
        The run has no adapter, there is something at `out`, or the disk is too small.
    """
    from ft_jupyter.merge_card import merge_card

    source = engine_runs.open_run(run) if isinstance(run, str) else run
    return merge_card(source, out, dtype=dtype, dequantise=dequantise, overwrite=overwrite)


@errors_as_sentences()
def runs(root: Path | None = None) -> RunsTable:
    """Return every run in the folder of runs, the newest first."""
    from ft_jupyter.runs_table import RunsTable

    return RunsTable([Run.of(run) for run in engine_runs.find_runs(root)])


@errors_as_sentences()
def attach(name: str | Path, root: Path | None = None) -> Run:
    """Return the run of this name or directory; as the last line of a cell it shows itself, live if it trains."""
    return Run.of(engine_runs.open_run(name, root))
