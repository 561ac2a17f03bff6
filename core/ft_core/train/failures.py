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
from ft_core.train.memory import gib, less_memory

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
        return ModelError(_out_of_memory(text), less_memory(config) if config else "Use a smaller model.")
    if isinstance(error, ModuleNotFoundError) and error.name:
        package = error.name.partition(".")[0]
        return MissingExtra(f"The package '{package}' is needed and not installed.", f"pip install {package}")
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


def _out_of_memory(text: str) -> str:
    """Return which memory ran out, with the amount that was asked for where the error says it."""
    where = "GPU" if "CUDA" in text or "CUBLAS" in text else "MPS" if "MPS" in text else "host"
    asked = re.search(r"Tried to allocate ([\d.]+ [KMG]iB)", text)
    if asked:
        return f"The {where} memory is full: another {asked.group(1)} was asked for and not there."
    if tried := re.search(r"tried to allocate (\d+) bytes", text, re.IGNORECASE):
        return f"The {where} memory is full: another {gib(int(tried.group(1)))} was asked for and not there."
    return f"The {where} memory is full."
