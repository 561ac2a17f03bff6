"""What an inspector loads before anything is looked at."""

from __future__ import annotations

import subprocess
import sys


def test_neither_torch_nor_transformers_is_imported_with_the_package() -> None:
    code = "import sys, ft_core.inspection.inspection; print({'torch', 'transformers', 'datasets'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert found.stdout == "set()\n"
