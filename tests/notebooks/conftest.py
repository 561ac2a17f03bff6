"""What runs the example notebooks."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

EXAMPLES = Path(__file__).parents[2] / "example_notebooks"


@pytest.fixture(scope="session")
def examples() -> Path:
    """Return the folder of the notebooks."""
    return EXAMPLES


@pytest.fixture(scope="session")
def runner() -> ModuleType:
    """Return example_notebooks/run.py, which is a script and no package."""
    spec = importlib.util.spec_from_file_location("run_notebook", EXAMPLES / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
