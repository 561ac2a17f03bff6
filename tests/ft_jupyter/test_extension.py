"""Loading the extension: quick, idempotent, reversible; and the public names."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import ft_jupyter as ft
from ft_core.config import ConfigError
from ft_core.errors import RunError

LOAD = """
import json, sys, time
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
begin = time.perf_counter()
ip.run_line_magic("load_ext", "ft_jupyter")
seconds = time.perf_counter() - begin
print(json.dumps({"seconds": seconds, "modules": sorted(name.partition(".")[0] for name in sys.modules)}))
"""


def load_in_a_new_process(tmp_path: Path) -> dict[str, Any]:
    environment = {"IPYTHONDIR": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", LOAD], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.alone
def test_loading_takes_under_a_third_of_a_second_and_imports_nothing_heavy(tmp_path: Path) -> None:
    measured = [load_in_a_new_process(tmp_path) for _ in range(3)]
    heavy = {
        "torch",
        "transformers",
        "pydantic",
        "anywidget",
        "ipywidgets",
        "plotly",
        "pandas",
        "numpy",
        "datasets",
    }
    assert heavy.isdisjoint(measured[0]["modules"])
    assert median(one["seconds"] for one in measured) <= 0.3


def test_loading_twice_is_loading_once(shell: Any) -> None:
    before = shell.ip.magics_manager.registry["FinetuneMagics"]
    ft.load_ipython_extension(shell.ip)
    assert shell.ip.magics_manager.registry["FinetuneMagics"] is before


def test_unloading_takes_the_magics_away_and_closes_the_views(shell: Any, write_run: Any) -> None:
    write_run("joker")
    shell.run("%ft attach joker")
    assert any(thread.name == "follow joker" for thread in threading.enumerate())
    ft.unload_ipython_extension(shell.ip)
    for thread in threading.enumerate():
        if thread.name == "follow joker":
            thread.join(5)
    assert not any(thread.name == "follow joker" for thread in threading.enumerate())
    assert shell.ip.find_cell_magic("finetune") is None
    assert shell.ip.find_line_magic("ft") is None
    ft.load_ipython_extension(shell.ip)
    assert shell.ip.find_cell_magic("finetune") is not None


def test_every_public_name_is_there() -> None:
    for name in ft.__all__:
        assert getattr(ft, name) is not None
    assert set(ft.__all__) <= set(dir(ft))
    with pytest.raises(AttributeError, match="module 'ft_jupyter' has no attribute 'trian'"):
        _ = ft.trian  # type: ignore[attr-defined]


def test_jupyterlab_finds_the_built_extension() -> None:
    assert ft._jupyter_labextension_paths() == [{"src": "labextension", "dest": "ft-jupyter"}]


@pytest.mark.parametrize("kind", ["text", "mapping", "file", "name of a file", "config"])
def test_a_config_may_be_given_in_any_form(yaml: str, tmp_path: Path, kind: str) -> None:
    import yaml as pyyaml

    from ft_core.config import load_config

    file = tmp_path / "my.yml"
    file.write_text(yaml)
    mapping = pyyaml.safe_load(yaml) | {"learning_rate": 0.001}
    forms = {
        "text": yaml,
        "mapping": mapping,
        "file": file,
        "name of a file": str(file),
        "config": load_config(yaml),
    }
    assert ft.plan(forms[kind]).plan.steps == 4


def test_the_api_raises_what_cells_show_as_a_sentence(shell: Any) -> None:
    cell = shell.run("import ft_jupyter as ft\nft.plan('learning_rate: 1')")
    assert isinstance(cell.error, ConfigError)
    assert "Traceback" not in cell.printed
    with pytest.raises(RunError, match="There is no run 'nobody'"):
        ft.attach("nobody")


def test_attach_and_runs_return_runs_that_draw_themselves(write_run: Any) -> None:
    written = write_run("joker", step=3)
    run = ft.attach("joker")
    assert isinstance(run, ft.Run)
    assert [found.name for found in ft.runs()] == ["joker"]
    assert isinstance(ft.runs()[0], ft.Run)
    bundle = run._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert "3 of 10" in bundle["text/html"]
    written.end()
    assert "completed" in repr(run)


def test_a_run_can_be_awaited_while_other_code_goes_on(write_run: Any) -> None:
    written = write_run("joker")
    order: list[str] = []

    async def other() -> None:
        order.append("other")
        written.end("stopped")

    async def both() -> str:
        task = asyncio.create_task(other())
        state = await ft.attach("joker")
        await task
        order.append(state)
        return state

    # In a thread of its own: the browser's tests leave a loop running in this one.
    with ThreadPoolExecutor() as thread:
        assert thread.submit(asyncio.run, both()).result() == "stopped"
    assert order == ["other", "stopped"]


def test_a_figure_has_the_losses(write_run: Any) -> None:
    written = write_run("joker")
    written.step(1)
    written.step(2)
    written.emit({"type": "eval", "step": 2, "loss": 2.5})
    figure = written.run.figure()
    assert [trace.name for trace in figure.data] == ["loss", "evaluation loss"]
    assert figure.data[0].y.tolist() == [4.0, 3.0]
    assert figure.data[1].y.tolist() == [2.5]
    assert figure.layout.title.text == "Run joker"


def test_a_mistake_is_told_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    environment = {"IPYTHONDIR": str(tmp_path), "PATH": "", "PYTHONPATH": ":".join(sys.path)}
    code = LOAD + "\nip.run_cell('%%finetune\\nbase_modle: x\\n')\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert "did you mean 'base_model'?" in done.stdout
    modules = set(json.loads(done.stdout.splitlines()[-1]))
    assert {"torch", "transformers", "anywidget", "numpy", "ft_core.train"}.isdisjoint(modules)
