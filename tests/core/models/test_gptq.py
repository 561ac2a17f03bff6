"""LoRA beside checkpoints that GPTQ quantised: `tests/gptq`, in a process that has gptqmodel."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ROOT / ".gptq"


@pytest.mark.skipif(
    not PACKAGES.is_dir() or importlib.util.find_spec("gptqmodel") is not None,
    reason="gptqmodel is not in .gptq: python3 .ci/setup.py dev; or it is installed, and tests/gptq run by themselves",
)
def test_in_a_process_with_gptqmodel(tmp_path: Path) -> None:
    paths = [str(PACKAGES), os.environ.get("PYTHONPATH", "")]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        "FT_RUNS_DIR": str(tmp_path),
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "tests" / "gptq")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert re.search(r"^6 passed", done.stdout, re.MULTILINE), done.stdout[-2000:]
