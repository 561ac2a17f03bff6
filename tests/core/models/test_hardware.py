from __future__ import annotations

import subprocess
import sys

import pytest

from ft_core.models import hardware
from ft_core.models.hardware import Device, Hardware, detect_hardware, visible_gpus

GIB = 1024**3
LISTED = """\
GPU-aaa1, 0, NVIDIA H100 80GB HBM3, 81559, 80994, 9.0
GPU-bbb2, 1, Tesla T4, 15360, 14912, 7.5
"""
H100 = Device("NVIDIA H100 80GB HBM3", 81559 * 1024**2, 80994 * 1024**2, (9, 0))
T4 = Device("Tesla T4", 15360 * 1024**2, 14912 * 1024**2, (7, 5))


@pytest.mark.parametrize(
    ("visible", "expected"),
    [
        (None, (H100, T4)),
        ("0", (H100,)),
        ("1,0", (T4, H100)),
        ("GPU-bbb", (T4,)),
        ("1,7,0", (T4,)),  # CUDA hides what follows an entry that names no GPU
        ("7", ()),
    ],
)
def test_cuda_visible_devices_chooses_and_orders(visible: str | None, expected: tuple[Device, ...]) -> None:
    assert visible_gpus(LISTED, visible) == expected


def test_memory_that_the_driver_does_not_tell_is_zero() -> None:
    assert visible_gpus("GPU-a, 0, GB10, [N/A], [N/A], 12.1\n", None) == (Device("GB10", 0, 0, (12, 1)),)


def test_a_gpu_with_a_torch_that_cannot_use_it_is_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_nvidia_gpus", lambda: (H100,))
    monkeypatch.setattr(hardware, "_torch_has_cuda", lambda: False)
    found = detect_hardware()
    assert (found.kind, found.devices) == ("cpu", ())
    assert (
        found.note
        == "A GPU is there, but the installed torch is built without CUDA, so training uses the CPU."
    )


def test_gpus_with_a_torch_for_them_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "_nvidia_gpus", lambda: (H100, T4))
    monkeypatch.setattr(hardware, "_torch_has_cuda", lambda: True)
    found = detect_hardware()
    assert (found.kind, found.note) == ("cuda", "")
    assert found.device_memory == T4.memory  # a rank on the smaller one decides


def test_the_installed_torch_is_read_right() -> None:
    import torch

    assert hardware._torch_has_cuda() == (torch.version.cuda is not None)


def test_a_container_caps_memory_and_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {
        "/sys/fs/cgroup/memory.max": str(GIB),
        "/sys/fs/cgroup/memory.current": str(GIB // 4),
        "/sys/fs/cgroup/cpu.max": "100000 100000",
    }
    monkeypatch.setattr(hardware, "_read", lambda path: files.get(str(path), ""))
    monkeypatch.setattr(hardware, "_nvidia_gpus", lambda: ())
    found = detect_hardware()
    assert (found.memory, found.free_memory, found.cpu_cores) == (GIB, GIB - GIB // 4, 1)


@pytest.mark.parametrize(
    ("devices", "cores", "name"),
    [
        ((), 1, "CPU, 1 core"),
        ((), 8, "CPU, 8 cores"),
        ((H100, H100, T4), 8, "2x NVIDIA H100 80GB HBM3 + Tesla T4"),
    ],
)
def test_name(devices: tuple[Device, ...], cores: int, name: str) -> None:
    assert Hardware("cuda" if devices else "cpu", devices, cores, GIB, GIB).name == name


def test_models_are_imported_without_torch() -> None:
    code = "import sys, ft_core.models; sys.exit(bool({'torch', 'transformers', 'peft'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
