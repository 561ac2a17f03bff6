"""The built wheel: what is in it, and that it installs where no Node.js is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import venv
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from this checkout, with the front end that is already built here."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, timeout=300)
    return next(folder.glob("*.whl"))


def test_it_holds_every_module_and_the_front_end(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for package, folder in (("ft_core", ROOT / "core"), ("ft_jupyter", ROOT)):
        sources = {path.relative_to(folder).as_posix() for path in (folder / package).rglob("*.py")}
        assert len(sources) > 10
        assert sources - names == set()
    templates = {path.name for path in (ROOT / "core" / "ft_core" / "data" / "templates").glob("*.jinja")}
    assert "chatml.jinja" in templates
    assert {f"ft_core/data/templates/{name}" for name in templates} <= names
    assert {
        f"ft_jupyter/static/{name}" for name in ("run_view.js", "chat_view.js", "plotly-basic.min.js.gz")
    } <= names
    shared = {name.partition("/data/")[2] for name in names if "/data/" in name}
    assert "share/jupyter/labextensions/ft-jupyter/package.json" in shared
    assert "share/jupyter/labextensions/ft-jupyter/install.json" in shared
    assert not [
        name for name in names if name.startswith(("tests/", "docs/", "example_notebooks/", "labextension/"))
    ]


def test_it_installs_without_node_and_jupyterlab_finds_the_extension(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "env", with_pip=True, system_site_packages=False)
    python = tmp_path / "env" / "bin" / "python"
    without_node = {"PATH": str(python.parent), "HOME": str(tmp_path)}
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", str(wheel)],
        check=True,
        env=without_node,
        timeout=120,
    )
    # The environment's own JupyterLab would take minutes to install; the one of the tests looks into its folder.
    listed = subprocess.run(
        [sys.executable, "-m", "jupyter", "labextension", "list"],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"JUPYTER_PATH": str(tmp_path / "env" / "share" / "jupyter"), "NO_COLOR": "1"},
        timeout=120,
    )
    found = [
        line
        for line in (listed.stdout + listed.stderr).splitlines()
        if str(tmp_path) in line or "ft-jupyter" in line
    ]
    assert any(str(tmp_path) in line for line in found)
    assert any("ft-jupyter" in line and "enabled" in line and "OK" in line for line in found)


def test_versions_agree() -> None:
    project = metadata.version("ft-jupyter")
    package = json.loads((ROOT / "labextension" / "package.json").read_text())["version"]
    engine = subprocess.run(
        [sys.executable, "-c", "import ft_core; print(ft_core.__version__)"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert [package, engine.stdout.strip()] == [project, project]
