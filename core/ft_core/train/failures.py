"""Why a run failed, in one sentence with what to do.

What is the user's to mend becomes an FtError; what is not stays the exception it was, and its traceback is kept.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.errors import FtError, LaunchError, MissingExtra, ModelError, RunError, causes
from ft_core.runs.events import last_event
from ft_core.runs.paths import CHECKPOINTS
from ft_core.train.memory import about_gib, gib, less_memory, smaller
from ft_core.train.saving import list_checkpoints

if TYPE_CHECKING:
    from ft_core.config import Config

# torch.save says of a full disk only that its stream broke, or that it wrote less than it should have.
_NO_SPACE = re.compile(
    r"no space left on device|disk quota exceeded|os error (28|122)|iostream error|"
    r"inline_container\.cc.*unexpected pos|PytorchStreamWriter failed writing",
    re.IGNORECASE | re.DOTALL,
)
_NO_MEMORY = re.compile(
    r"out of memory|can't allocate memory|not enough memory|cannot allocate memory|CUBLAS_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)
_NOT_COMPILED = re.compile(
    r"BackendCompilerFailed|InductorError|InvalidCxxCompiler|C compiler|torch\._dynamo", re.IGNORECASE
)
_LOST_RANK = re.compile(
    r"connection (closed|reset) by peer|socket closed|NCCL.*(remote process|timeout)|"
    r"watchdog.*timeout|timed out waiting|broken pipe",
    re.IGNORECASE | re.DOTALL,
)


def explain(error: BaseException, config: Config | None, directory: Path) -> BaseException:
    """Return `error` as an FtError where a user can mend it, else `error` itself.

    Parameters
    ----------
    error
        What ended the run.
    config
        The run's config, if it could be read.
    directory
        The run's directory.
    """
    if isinstance(error, FtError) or not isinstance(error, Exception):
        return error
    text = " ".join(f"{type(link).__name__}: {link}" for link in causes(error))
    if any(
        isinstance(link, OSError) and link.errno in (errno.ENOSPC, errno.EDQUOT) for link in causes(error)
    ) or (_NO_SPACE.search(text)):
        return _disk_full(directory)
    if (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or _NO_MEMORY.search(text)
    ):
        fix = f"{less_memory(config)}{_estimate(config, directory)}" if config else "Use a smaller model."
        return ModelError(_out_of_memory(text, directory), fix)
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return MissingExtra(f"The package '{package}' is needed and not installed.", f"pip install {package}")
    if config is not None and config.torch_compile and _NOT_COMPILED.search(text):
        reason = str(causes(error)[-1]).strip().splitlines()
        return ModelError(
            f"PyTorch could not compile the model: {reason[0] if reason else type(error).__name__}",
            "Remove 'torch_compile', or install what is missing (a C compiler such as gcc, most often).",
        )
    if _LOST_RANK.search(text) and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        return LaunchError(
            "Another process of this run ended unexpectedly, most often because the system killed it for lack of memory.",
            "The end of log.txt says which; lower micro_batch_size or use fewer ranks if memory was short.",
        )
    return error


def _disk_full(directory: Path) -> RunError:
    """Return the sentence for a full disk, with what is left on it."""
    free = gib(shutil.disk_usage(directory).free)
    return RunError(
        f"The disk that holds '{directory}' is full ({free} left without the unfinished file). "
        "Checkpoints that were saved before are whole.",
        "Free some space, set save_total_limit: 1 to keep only the newest checkpoint, or set FT_RUNS_DIR to another disk.",
    )


def _out_of_memory(text: str, directory: Path) -> str:
    """Return which memory ran out and when, with the amount that was asked for where the error says it, and what is left."""
    where = "GPU" if "CUDA" in text or "CUBLAS" in text else "MPS" if "MPS" in text else "host"
    asked = re.search(r"Tried to allocate ([\d.]+ [KMG]iB)", text)
    tried = re.search(r"tried to allocate (\d+) bytes", text, re.IGNORECASE)
    more = asked.group(1) if asked else gib(int(tried.group(1))) if tried else ""
    message = f"The {where} memory is full{_when(directory)}"
    message += f": another {more} was asked for and not there." if more else "."
    if checkpoints := list_checkpoints(directory / CHECKPOINTS):
        message += f" What was saved before is whole: {CHECKPOINTS}/{checkpoints[-1].name}."
    return message


def _when(directory: Path) -> str:
    """Return how far the run had come, as its events tell."""
    phase = (last_event(directory, "phase") or {}).get("phase")
    if phase != "training":
        return f" while {phase}" if phase else ""
    step = (last_event(directory, "step") or {}).get("step")
    return f" after step {step}" if step else " in the first step"


def _estimate(config: Config, directory: Path) -> str:
    """Return how much memory the advice leaves the run to need, by the plan's estimate; nothing where that is not known."""
    from ft_core.train.plan import make_plan

    if not (keys := smaller(config)):
        return ""
    try:
        world_size = int(os.environ.get("WORLD_SIZE", "1"))
        then = make_plan(config.model_copy(update=keys), world_size=world_size, root=directory.parent)
    except Exception:  # noqa: BLE001 - whatever it is, it is not what ended the run
        return ""
    if then.memory is None:
        return ""
    return f" It then takes {about_gib(then.memory)} (estimate) of {gib(then.device_memory)}."
