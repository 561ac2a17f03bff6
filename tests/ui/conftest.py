"""A JupyterLab server for the session, a page for each test, and a place for screenshots."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from lab import CHROMIUM_FLAGS, Notebook, Server, serve
from playwright.sync_api import Browser, Error, expect, sync_playwright

# As pages have it; the default is 5 s, and other tests may run beside these.
expect.set_options(timeout=30_000)

SCREENSHOTS = Path(__file__).parents[2] / "build" / "screenshots"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the machine's Chromium; skip without one, unless FT_REQUIRE_BROWSER is set."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        missing = "Chromium is not installed: apt-get install chromium"
        if os.environ.get("FT_REQUIRE_BROWSER"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=CHROMIUM_FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run one JupyterLab for all browser tests."""
    with serve(tmp_path_factory.mktemp("jupyterlab")) as running:
        yield running


@pytest.fixture
def notebook(browser: Browser, server: Server) -> Iterator[Notebook]:
    """Open a new notebook in a page of its own; the page's errors are printed where a test fails."""
    context = browser.new_context(viewport={"width": 1180, "height": 1000}, device_scale_factor=1)
    page = context.new_page()
    page.set_default_timeout(30_000)
    page.on("pageerror", lambda error: print(f"page error: {error}"))
    page.on("console", lambda message: message.type == "error" and print(f"console: {message.text}"))
    opened = Notebook(page, server)
    opened.open()
    yield opened
    with contextlib.suppress(Error):  # the test may have closed the page or killed the kernel
        opened.shut_down_kernel()
    context.close()


@pytest.fixture
def screenshots() -> Path:
    """Return the folder that keeps the pictures of every view: build/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
