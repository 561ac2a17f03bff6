"""Drive a real JupyterLab in a real browser: a server, a page, a notebook, in plain calls."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page

from ft_core.runs import find_runs

# Chromium looks for its maker's servers at every start; none of that belongs in a test.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SERVER_CONFIG = """
c = get_config()
c.ServerApp.open_browser = False
c.ServerApp.port_retries = 0
c.LabApp.expose_app_in_browser = True
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
"""
SETTINGS = {"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False}}


@dataclass(frozen=True)
class Server:
    """A running JupyterLab and the folder it serves."""

    url: str
    token: str
    folder: Path
    runs: Path


@contextmanager
def serve(folder: Path) -> Iterator[Server]:
    """Run JupyterLab on `folder` with a configuration of its own, until the block ends."""
    config, work, runs = folder / "config", folder / "work", folder / "runs"
    for each in (config / "labconfig", work):
        each.mkdir(parents=True)
    (config / "labconfig" / "default_setting_overrides.json").write_text(json.dumps(SETTINGS))
    (config / "jupyter_lab_config.py").write_text(SERVER_CONFIG)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(8)
    environment = os.environ | {
        "JUPYTER_CONFIG_DIR": str(config),
        "JUPYTERLAB_WORKSPACES_DIR": str(folder / "workspaces"),
        "JUPYTERLAB_SETTINGS_DIR": str(folder / "settings"),
        "FT_RUNS_DIR": str(runs),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--port={port}",
        "--allow-root",
        f"--IdentityProvider.token={token}",
    ]
    with (folder / "server.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=work, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        url = f"http://127.0.0.1:{port}"
        _await_answer(f"{url}/api/status?token={token}", server, folder / "server.log")
        yield Server(url, token, work, runs)
    finally:
        # A run outlives its notebook and its server; those of a test must not outlive the test.
        for run in find_runs(runs):
            if run.alive:
                run.stop(now=True)
        server.terminate()
        server.wait(timeout=20)


def _await_answer(url: str, server: subprocess.Popen[bytes], log: Path, timeout: float = 60) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"JupyterLab ended: {log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise TimeoutError(f"JupyterLab did not answer in {timeout} s: {log.read_text()[-2000:]}")


class Notebook:
    """One notebook, open in one page of JupyterLab."""

    def __init__(self, page: Page, server: Server) -> None:
        self.page = page
        self.server = server

    def open(self, path: str | None = None) -> None:
        """Load JupyterLab, then open the notebook at `path` (in the served folder), or a new one."""
        self.page.goto(f"{self.server.url}/lab/workspaces/{secrets.token_hex(4)}?token={self.server.token}")
        self.page.wait_for_function("() => window.jupyterapp !== undefined", timeout=60_000)
        self.page.evaluate("async () => { await window.jupyterapp.restored }")
        opening = (
            f"'docmanager:open', {{path: '{path}'}}"
            if path
            else "'notebook:create-new', {kernelName: 'python3'}"
        )
        # Not awaited: the page may collect a promise that only the test's driver holds.
        self.page.evaluate(f"() => {{ void window.jupyterapp.commands.execute({opening}) }}")
        self.page.wait_for_selector(".jp-NotebookPanel .jp-Cell", timeout=30_000)
        self.page.evaluate(
            """async () => {
                const panel = window.jupyterapp.shell.currentWidget
                await panel.context.ready
                await panel.sessionContext.ready
                if (window.jupyterapp.shell.leftCollapsed === false) window.jupyterapp.shell.collapseLeft()
            }"""
        )

    def start(self, code: str) -> int:
        """Put `code` in a new last cell, run it, and return the cell's index without waiting."""
        index: int = self.page.evaluate(
            """async (code) => {
                const app = window.jupyterapp
                const panel = app.shell.currentWidget
                const notebook = panel.content
                const last = notebook.widgets.length - 1
                notebook.activeCellIndex = last
                notebook.activeCell.model.sharedModel.setSource(code)
                app.commands.execute('notebook:run-cell-and-insert-below')
                return last
            }""",
            code,
        )
        return index

    def run(self, code: str, timeout: float = 60) -> Locator:
        """Run `code` in a new last cell, wait until the cell is done, and return its output area."""
        index = self.start(code)
        self.page.wait_for_function(
            """(index) => {
                const cell = window.jupyterapp.shell.currentWidget.content.widgets[index]
                const prompt = cell.node.querySelector('.jp-InputPrompt')?.textContent ?? ''
                return /\\[\\d+\\]/.test(prompt)
            }""",
            arg=index,
            timeout=timeout * 1000,
        )
        return self.output(index)

    def output(self, index: int) -> Locator:
        """Return the output area of the cell at `index`."""
        return self.page.locator(".jp-Notebook .jp-Cell").nth(index).locator(".jp-Cell-outputArea")

    def save(self, path: str) -> None:
        """Save the notebook as `path` in the served folder."""
        self.page.evaluate(
            """async (path) => {
                const app = window.jupyterapp
                const context = app.shell.currentWidget.context
                await context.save()
                if (context.path !== path) {
                    try { await app.serviceManager.contents.delete(path) } catch { /* it was not there */ }
                    await context.rename(path)
                }
            }""",
            path,
        )

    def shut_down_kernel(self) -> None:
        """End the notebook's kernel the ordinary way."""
        self.page.evaluate(
            "async () => { await window.jupyterapp.shell.currentWidget.sessionContext.shutdown() }"
        )

    def set_theme(self, name: str) -> None:
        """Switch to 'JupyterLab Light' or 'JupyterLab Dark', and wait until the page shows it."""
        self.page.evaluate(
            "async (name) => { await window.jupyterapp.commands.execute('apputils:change-theme', {theme: name}) }",
            name,
        )
        light = "false" if "Dark" in name else "true"
        # 'attached': to the browser's driver, a body without a height of its own is not visible.
        self.page.wait_for_selector(f"body[data-jp-theme-light='{light}']", state="attached")
