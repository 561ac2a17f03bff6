"""Adding an adapter into the weights of its base, as a model that needs no adapter. Torch-free: the work is a child's.

::

    merge(run)                        runs/<name>/merged, in 16 bit
    merge(run, "poet", dtype="fp32")

The child (`ft_core.infer.merging`) is a process of its own, so that neither its memory nor torch stays in a notebook's
kernel. It writes beside the target and renames: an interrupt, at any time, leaves nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from ft_core.config import Config
from ft_core.errors import FtError, MissingExtra, ModelError, RunError
from ft_core.infer.source import Source, find_source
from ft_core.models.source import check_base_model
from ft_core.runs import Run
from ft_core.runs.paths import MERGED
from ft_core.train.memory import gib

Dtype = Literal["auto", "bf16", "fp16", "fp32"]

Progress = Callable[[str, int, int | None], None]
"""Called with what is done now, and how much of it of how much."""


@dataclass(frozen=True)
class Merged:
    """A merged model, and how near it is to the model that was trained.

    Attributes
    ----------
    folder
        Where it is.
    base, adapter
        What it was made of.
    parameters, size
        How many it has, and the bytes of its weight files.
    dtype
        Format of its weights: ``bf16``, ``fp16`` or ``fp32``.
    positions, agreeing
        Tokens of the prompts that both models continued, and those where the likeliest next token is the same.
    difference
        The largest difference of a logit between the merged model, as it was read back from disk, and adapter and whole
        base side by side.
    quantised
        How the base was kept while the adapter trained, such as ``nf4``; empty where it was whole.
    trained_difference
        The same to the model that was trained, adapter and quantised base side by side; None where the base was whole.
    largest_logit
        The largest logit, for comparison.
    notes
        What else there is to know.
    """

    folder: str
    base: str
    adapter: str
    parameters: int
    size: int
    dtype: str
    positions: int
    agreeing: int
    difference: float
    largest_logit: float
    quantised: str = ""
    trained_difference: float | None = None
    notes: tuple[str, ...] = ()

    def rows(self) -> list[tuple[str, str]]:
        """Return name and words of everything there is to tell."""
        told = [
            ("merged", self.folder),
            ("base", self.base + (f", as its {self.quantised} weights were" if self.quantised else "")),
            ("adapter", self.adapter),
            ("weights", f"{self.parameters:,} in {self.dtype}, {gib(self.size)}"),
        ]
        scale = f"(the largest logit is {self.largest_logit:.3g})"
        told.append(
            (
                "difference",
                f"at most {self.difference:.2g} in a logit from adapter and base side by side {scale}",
            )
        )
        if self.trained_difference is not None:
            told.append(
                (
                    "",
                    f"at most {self.trained_difference:.2g} from the {self.quantised} model that was trained",
                )
            )
        told.append(("next token", f"the same at {self.agreeing} of {self.positions} positions"))
        return [*told, *(("note", note) for note in self.notes)]

    def render(self) -> str:
        """Return what there is to tell as aligned lines."""
        return "\n".join(f"{name:<10}  {words}" for name, words in self.rows())


def merge(
    source: Run | Path | str | Source,
    out: Path | str | None = None,
    *,
    dtype: Dtype = "auto",
    dequantise: bool = True,
    overwrite: bool = False,
    on_progress: Progress | None = None,
) -> Merged:
    """Add an adapter into its base's weights and save the model that comes of it; on the CPU.

    The weights are whole while they are added to, and rounded once, to what they are saved in: merging into weights of 4
    bit would round most of the adapter away (https://github.com/huggingface/transformers/issues/31293).

    Parameters
    ----------
    source
        A run, its directory, an adapter's folder, or what `source_of_config` returned.
    out
        The folder for the model; by default ``merged`` in the run's directory, or in the adapter's folder.
    dtype
        Format of the saved weights; ``auto`` is the base's own 16 bit format, bf16 where it has none.
    dequantise
        For an adapter that was trained on a quantised base: whether it is added to the weights as they were rounded, which
        are those it was trained with, or to the base's own.
    overwrite
        Replace what is at `out`.
    on_progress
        Called with what is done now, and how far that is.

    Raises
    ------
    ModelError
        There is no adapter to merge, it does not fit its base, or the disk is too small.
    RunError
        The run has saved nothing yet, or there is something at `out` already.
    """
    found = source if isinstance(source, Source) else find_source(source)
    if found.changed_base is not None:
        found = replace(found, base=found.changed_base, changed_base=None, revision=None)
    if not found.adapter or found.tuned is None:
        raise ModelError(
            f"'{found.tuned or found.base}' is no adapter: there is nothing to merge.",
            "A full fine-tune saves a whole model; use that.",
        )
    target = Path(out).expanduser().absolute() if out else _default_target(source, found)
    if target.exists() and not overwrite:
        raise RunError(
            f"There is something at '{target}' already.",
            "Name another folder with --out, or add --overwrite.",
        )
    staging = target.with_name(f".writing-{target.name}")
    shutil.rmtree(staging, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    request = {
        "source": asdict(found),
        "target": str(target),
        "staging": str(staging),
        "dtype": dtype,
        "dequantise": dequantise,
    }
    try:
        answer = _ask_child(request, on_progress or _nobody)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    answer["notes"] = tuple(answer["notes"])
    return Merged(**answer)


def source_of_config(config: Config, adapter: str | None, folder: Path) -> Source:
    """Return the source of a config's base and the adapter that its run put into ``output_dir``, or another one.

    Parameters
    ----------
    config
        The config of the run that trained the adapter.
    adapter
        The adapter's folder; ``output_dir`` by default.
    folder
        Where the config may be written for the child, which reads it.

    Raises
    ------
    ModelError
        There is no such folder, or no adapter in it.
    """
    named = adapter or config.output_dir or config.lora_model_dir
    if named is None:
        raise ModelError(
            "The config names no 'output_dir', so it does not say where the adapter is.",
            "Add --lora-model-dir FOLDER, or name the run.",
        )
    if not (Path(named) / "adapter_config.json").is_file():
        raise ModelError(
            f"'{named}' holds no adapter: it has no adapter_config.json.",
            "Name the folder of an adapter with --lora-model-dir, or the run.",
        )
    check_base_model(config)
    file = folder / "config.yaml"
    file.write_text(config.to_yaml(absolute_paths=True), encoding="utf-8")
    return Source(
        base=config.base_model,
        tuned=str(Path(named).absolute()),
        adapter=True,
        config=str(file),
        revision=config.revision_of_model,
        trust_remote_code=config.trust_remote_code,
    )


def _default_target(source: object, found: Source) -> Path:
    """Return ``merged`` in the run's directory where the adapter is a run's, else in the adapter's folder."""
    if found.config is not None and not isinstance(source, Source):
        return Path(found.config).absolute().parent / MERGED
    return Path(cast("str", found.tuned)).absolute() / MERGED


def _nobody(_what: str, _done: int, _total: int | None) -> None:
    """Hear of the progress."""


def _ask_child(request: dict[str, Any], on_progress: Progress) -> dict[str, Any]:
    """Have the merging done in a process of its own and return what it says of the result.

    The child is in a session of its own: an interrupt reaches this process alone, which then ends it. When this process is
    gone, however that came, the child's input ends, and it with it.
    """
    command = [sys.executable, "-m", "ft_core.infer.merging"]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
        child = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
            start_new_session=True,
        )
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            child.stdin.write(json.dumps(request) + "\n")
            child.stdin.flush()
            for line in child.stdout:
                answer = json.loads(line)
                if answer["type"] == "progress":
                    on_progress(answer["what"], answer["done"], answer["total"])
                elif answer["type"] == "error":
                    raise _error(answer)
                else:
                    return answer["merged"]
        finally:
            child.kill()
            child.wait()
            child.stdin.close()
            child.stdout.close()
        log.seek(0)
        said = log.read().strip().splitlines()[-5:]
    raise ModelError(
        f"The process that merges has ended (exit status {child.returncode}).",
        "\n".join(said)
        or "It may have run out of memory: a merge holds the whole model in the host's memory.",
    )


def _error(answer: dict[str, Any]) -> FtError:
    """Return the child's error as this process raises it."""
    kinds: dict[str, type[FtError]] = {"MissingExtra": MissingExtra}
    return kinds.get(answer["kind"], ModelError)(answer["message"], answer["fix"])
