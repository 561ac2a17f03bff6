from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.errors import DataError, FtError, LaunchError, MissingExtra, ModelError, RunError
from ft_core.train.failures import explain
from ft_core.train.memory import less_memory


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.50 GiB. GPU 0 has"),
            ModelError,
            "The GPU memory is full: another 2.50 GiB was asked for and not there.",
        ),
        (
            RuntimeError(
                "DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes."
            ),
            ModelError,
            "The host memory is full: another 4.0 GiB was asked for and not there.",
        ),
        (MemoryError(), ModelError, "The host memory is full."),
        (
            RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
            ModelError,
            "The MPS memory is full.",
        ),
        (
            ModuleNotFoundError("No module named 'a.b'", name="a.b"),
            MissingExtra,
            "The package 'a' is needed and not installed.",
        ),
    ],
)
def test_what_a_user_can_mend_is_a_sentence(
    error: Exception, kind: type[FtError], message: str, tmp_path: Path, make_config: Callable[..., Config]
) -> None:
    explained = explain(error, make_config(), tmp_path)
    assert type(explained) is kind
    assert isinstance(explained, FtError)
    assert explained.message == message
    assert explained.fix


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk(error: Exception, tmp_path: Path) -> None:
    explained = explain(error, None, tmp_path)
    assert isinstance(explained, RunError)
    assert explained.message.startswith(f"The disk that holds '{tmp_path}' is full (")
    assert "save_total_limit: 1" in explained.fix


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_as_torch_meets_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.save({"weight": torch.zeros(10**6)}, "/dev/full")
    assert isinstance(explain(raised.value, None, tmp_path), RunError)


def test_a_full_disk_behind_another_error(tmp_path: Path) -> None:
    error = RuntimeError("PytorchStreamWriter failed writing file data/0")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(explain(error, None, tmp_path), RunError)


def test_a_fault_of_ours_and_a_sentence_stay_what_they_are(tmp_path: Path) -> None:
    for error in (TypeError("'NoneType' object is not callable"), DataError("No rows.", "Add some.")):
        assert explain(error, None, tmp_path) is error


def test_a_lost_rank_is_one_only_where_there_are_several(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = RuntimeError("[../gloo/transport/tcp/pair.cc] Connection closed by peer [127.0.0.1]:3")
    assert explain(error, None, tmp_path) is error
    monkeypatch.setenv("WORLD_SIZE", "2")
    explained = explain(error, None, tmp_path)
    assert isinstance(explained, LaunchError)
    assert explained.message.startswith("Another process of this run ended unexpectedly")


@pytest.mark.parametrize(
    ("keys", "fix"),
    [
        (
            {"micro_batch_size": 5, "gradient_accumulation_steps": 2},
            "Set micro_batch_size: 2 (now 5) and gradient_accumulation_steps: 5",
        ),
        ({"micro_batch_size": 1}, "Set gradient_checkpointing: true"),
        ({"micro_batch_size": 1, "gradient_checkpointing": True, "adapter": ...}, "Set adapter: lora"),
        ({"micro_batch_size": 1, "gradient_checkpointing": True}, "Lower sequence_len (now 64)"),
    ],
)
def test_the_change_that_costs_least_comes_first(
    keys: dict[str, Any], fix: str, make_config: Callable[..., Config]
) -> None:
    assert less_memory(make_config(**keys)).startswith(fix)
