"""Where a chat's weights go, and in which format."""

from __future__ import annotations

import pytest
import torch

from ft_core.infer.load import best_device, fitting_dtype
from ft_core.models.hardware import Device, Hardware


def hardware(
    kind: str = "cpu", *free: int, capability: tuple[int, int] = (9, 0), cpu_bf16: bool = False
) -> Hardware:
    devices = tuple(Device("GPU", 80, memory, capability) for memory in free)
    return Hardware(kind, devices, 2, 24, 20, cpu_bf16)


def test_the_gpu_with_the_most_free_memory_is_taken() -> None:
    assert best_device(hardware("cuda", 10, 30, 20)) == "cuda:1"
    assert best_device(hardware()) == "cpu"


@pytest.mark.parametrize(
    ("stored", "device", "machine", "loaded"),
    [
        (torch.bfloat16, "cpu", hardware(cpu_bf16=True), torch.bfloat16),
        (torch.bfloat16, "cpu", hardware(cpu_bf16=False), torch.float32),
        (torch.float16, "cpu", hardware(cpu_bf16=True), torch.float32),
        (torch.float32, "cpu", hardware(cpu_bf16=True), torch.float32),
        (torch.bfloat16, "cuda:0", hardware("cuda", 1), torch.bfloat16),
        (torch.bfloat16, "cuda:0", hardware("cuda", 1, capability=(7, 5)), torch.float16),
        (torch.float16, "cuda:0", hardware("cuda", 1, capability=(7, 5)), torch.float16),
        (torch.float32, "cuda:0", hardware("cuda", 1), torch.float32),
    ],
)
def test_weights_are_loaded_in_a_format_that_the_device_multiplies(
    stored: torch.dtype, device: str, machine: Hardware, loaded: torch.dtype
) -> None:
    assert fitting_dtype(stored, device, machine) == loaded
