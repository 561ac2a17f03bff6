"""What the worker tells of an error."""

from __future__ import annotations

import pytest
import torch

from ft_core.errors import DataError
from ft_core.infer.worker import _explained

MEMORY = "The device ran out of memory."


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            DataError("The tokenizer has no chat template.", "Choose one."),
            "The tokenizer has no chat template.",
        ),
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), MEMORY),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:115] . DefaultCPUAllocator: can't allocate memory"),
            MEMORY,
        ),
        (MemoryError(), MEMORY),
        (
            ZeroDivisionError("division by zero\nand more"),
            "The model could not answer: ZeroDivisionError: division by zero",
        ),
        (AssertionError(), "The model could not answer: AssertionError"),
    ],
)
def test_every_error_becomes_a_sentence(error: Exception, message: str) -> None:
    told = _explained(error)
    assert told["message"] == message
    assert told["fix"].endswith(".")


def test_only_an_error_of_ours_is_printed_whole(capsys: pytest.CaptureFixture[str]) -> None:
    _explained(DataError("No template.", "Choose one."))
    assert capsys.readouterr().err == ""
    _explained(ZeroDivisionError("division by zero"))
    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err
