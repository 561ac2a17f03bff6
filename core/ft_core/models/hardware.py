"""What this machine can train on, asked without importing torch.

A plan must be on screen within a second, and importing torch alone takes longer. Everything here comes from
``nvidia-smi``, ``/proc``, the container's limits, and the text of the installed torch's version file.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

GIB = 1024**3
_QUERY = "uuid,index,name,memory.total,memory.free,compute_cap"


@dataclass(frozen=True)
class Device:
    """One accelerator: its name, memory in bytes, and CUDA compute capability (``(8, 0)`` is an A100)."""

    name: str
    memory: int
    free_memory: int
    compute_capability: tuple[int, int] | None = None


@dataclass(frozen=True)
class Hardware:
    """The kind of device that training will use, the devices of that kind, and the host beside them.

    Attributes
    ----------
    kind
        ``cuda`` when torch is built for CUDA and a GPU is visible, ``mps`` on Apple silicon, else ``cpu``.
    devices
        The visible GPUs, in the order torch numbers them; empty on a CPU.
    cpu_cores
        Cores this process may use, after affinity and container limits.
    memory, free_memory
        The host's memory in bytes, after container limits.
    cpu_bf16
        The processor multiplies bfloat16 matrices in hardware.
    note
        Why a GPU that is there will not be used; empty otherwise.
    """

    kind: Literal["cuda", "mps", "cpu"]
    devices: tuple[Device, ...]
    cpu_cores: int
    memory: int
    free_memory: int
    cpu_bf16: bool = False
    note: str = ""

    @property
    def name(self) -> str:
        """The devices in words: ``2x NVIDIA H100 80GB HBM3`` or ``CPU, 8 cores``."""
        if not self.devices:
            return f"CPU, {self.cpu_cores} core{'s' if self.cpu_cores != 1 else ''}"
        counts = {device.name: 0 for device in self.devices}
        for device in self.devices:
            counts[device.name] += 1
        return " + ".join(f"{count}x {name}" if count > 1 else name for name, count in counts.items())

    @property
    def device_memory(self) -> int:
        """Memory in bytes that one rank can fill: the smallest GPU's, or the host's."""
        return min((device.memory for device in self.devices), default=self.memory)


def detect_hardware() -> Hardware:
    """Return what this process can train on. Imports neither torch nor transformers; takes some 50 ms."""
    memory, free_memory = _host_memory()
    cores = cpu_cores()
    gpus = _nvidia_gpus()
    note = ""
    if gpus and not _torch_has_cuda():
        note = "A GPU is there, but the installed torch is built without CUDA, so training uses the CPU."
        gpus = ()
    kind: Literal["cuda", "mps", "cpu"] = "cuda" if gpus else "cpu"
    devices = gpus
    if not gpus and platform.system() == "Darwin" and platform.machine() == "arm64":
        # Apple silicon shares one memory between processor and GPU.
        kind, devices = "mps", (Device("Apple GPU", memory, free_memory),)
    return Hardware(kind, devices, cores, memory, free_memory, _cpu_bf16(), note)


def cpu_cores() -> int:
    """Return the cores this process may use: its affinity, capped by a container's CPU quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _read(Path("/sys/fs/cgroup/cpu.max")).split()
    if len(quota) == 2 and quota[0] != "max":
        cores = min(cores, max(1, round(int(quota[0]) / int(quota[1]))))
    return cores


def _host_memory() -> tuple[int, int]:
    """Return total and available bytes of host memory, capped by a container's limit."""
    host = psutil.virtual_memory()
    limit = _read(Path("/sys/fs/cgroup/memory.max"))
    if not limit.isdigit() or int(limit) >= host.total:
        return host.total, host.available
    used = _read(Path("/sys/fs/cgroup/memory.current"))
    free = int(limit) - int(used) if used.isdigit() else int(limit)
    return int(limit), max(0, min(free, host.available))


def _nvidia_gpus() -> tuple[Device, ...]:
    """Return the GPUs that ``nvidia-smi`` lists and ``CUDA_VISIBLE_DEVICES`` leaves visible."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None and visible.strip() in ("", "-1", "NoDevFiles"):
        return ()
    command = ["nvidia-smi", f"--query-gpu={_QUERY}", "--format=csv,noheader,nounits"]
    try:
        listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout
    except (OSError, subprocess.SubprocessError):
        # No NVIDIA driver here, or one that does not answer: nothing torch could use either.
        return ()
    return visible_gpus(listed, visible)


def visible_gpus(listed: str, visible: str | None) -> tuple[Device, ...]:
    """Parse ``nvidia-smi``'s lines and keep what ``CUDA_VISIBLE_DEVICES`` names, in its order.

    Parameters
    ----------
    listed
        Lines of ``uuid, index, name, total MiB, free MiB, compute capability``.
    visible
        The value of ``CUDA_VISIBLE_DEVICES``: indices or UUID prefixes with commas, or None for all. As in CUDA, the
        first entry that names no GPU hides itself and all that follow.
    """
    gpus: list[tuple[str, str, Device]] = []
    for line in listed.strip().splitlines():
        uuid, index, name, total, free, capability = (part.strip() for part in line.split(","))
        gpus.append((uuid, index, Device(name, _mib(total), _mib(free), _capability(capability))))
    if visible is None:
        return tuple(device for _, _, device in gpus)
    chosen: list[Device] = []
    for entry in (part.strip() for part in visible.split(",")):
        match = next(
            (d for uuid, index, d in gpus if entry == index or (entry and uuid.startswith(entry))), None
        )
        if match is None:
            break
        chosen.append(match)
    return tuple(chosen)


def _mib(text: str) -> int:
    """Return a count of MiB as bytes; 0 where the driver answers ``[N/A]`` (GPUs that share the host's memory)."""
    return int(text) * 1024**2 if text.isdigit() else 0


def _capability(text: str) -> tuple[int, int] | None:
    """Parse ``9.0`` as ``(9, 0)``."""
    major, _, minor = text.partition(".")
    return (int(major), int(minor)) if major.isdigit() and minor.isdigit() else None


def _torch_has_cuda() -> bool:
    """Say whether the installed torch is built for CUDA, from the text of its version file."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    found = re.search(
        r"^cuda\b[^=]*=\s*(.+)$", _read(Path(spec.origin).with_name("version.py")), re.MULTILINE
    )
    return found is not None and found.group(1).strip() != "None"


def torch_version() -> tuple[int, ...]:
    """Return the first two numbers of the installed torch's version, without importing it."""
    return tuple(int(number) for number in re.findall(r"\d+", importlib.metadata.version("torch"))[:2])


def _cpu_bf16() -> bool:
    """Say whether the processor has bfloat16 matrix instructions (AMX or AVX-512 BF16 on x86, BF16 on ARM)."""
    flags = _read(Path("/proc/cpuinfo"))
    return re.search(r"\b(amx_bf16|avx512_bf16|bf16)\b", flags) is not None


def _read(path: Path) -> str:
    """Return a small system file's text, or an empty string where this system has no such file."""
    try:
        return path.read_text().strip()
    except OSError:
        return ""
