"""How fast an inspector is on the page: `python tests/benchmarks/inspector_page.py`.

JupyterLab in Chromium without a GPU, a real kernel, SmolLM2's tokenizer. One file of a million conversations, one of them
65,000 tokens long: from the cell's start to the first rows and to the first tokens, in a kernel that has the tokenizer's
libraries loaded and in one that has not (the tokenizer was kept before, as it is from its first use on); what a person waits for after a click on a row, on a filter and on the long
sample; and how long the page is busy for one frame of scrolling the rows and the tokens.
"""

from __future__ import annotations

import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "ui"))

from lab import CHROMIUM_FLAGS, Notebook, serve
from playwright.sync_api import Locator, Page, expect, sync_playwright

from ft_core.config import load_config
from ft_core.models.demo import demo_model
from ft_core.models.kept_tokenizer import open_tokenizer

ROWS = 1_000_000
LONG = 42
"""The place of the long row."""

SOURCE = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"
FRAMES = 60

SCROLL = """async ([selector, frames, step]) => {
    const box = document.querySelector(selector);
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    const busy = [];
    for (let at = 0; at < frames; at += 1) {
        await frame();
        const began = performance.now();
        box.scrollTop += step;
        box.dispatchEvent(new Event('scroll'));
        void box.offsetHeight;
        busy.push(performance.now() - began);
    }
    return busy;
}"""


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as folder, serve(Path(folder) / "lab") as server:
        write_rows(server.folder / "rows.jsonl")
        keep_tokenizer(server.folder / "rows.jsonl")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"), args=CHROMIUM_FLAGS
            )
            page = browser.new_page(viewport={"width": 1180, "height": 1000})
            page.set_default_timeout(120_000)
            notebook = Notebook(page, server)
            notebook.open()
            notebook.run("%load_ext ft_jupyter")
            cell = (
                f"%%finetune --inspect\nbase_model: {demo_model()}\nchat_template: chatml\nlearning_rate: 1e-3\n"
                "sequence_len: 131072\ndatasets:\n  - path: rows.jsonl\n    type: chat_template\n"
            )
            view = opened(notebook, cell, "in a fresh kernel")
            view = opened(notebook, cell, "in a kernel that has opened one before")
            clicks(page, view)
            notebook.shut_down_kernel()
            browser.close()


def keep_tokenizer(rows: Path) -> None:
    """Let the tokenizer have been used before."""
    datasets = [{"path": str(rows), "type": "chat_template"}]
    open_tokenizer(
        load_config({"base_model": str(demo_model()), "learning_rate": 1e-3, "datasets": datasets})
    )


def opened(notebook: Notebook, cell: str, where: str) -> Locator:
    """Run a cell, and print how long its first rows and its first tokens took."""
    began = time.perf_counter()
    output = notebook.output(notebook.start(cell))
    view = output.locator(".ft-inspector")
    view.get_by_role("option").first.wait_for()
    rows = time.perf_counter() - began
    view.locator(".ft-grid .ft-token").first.wait_for()
    tell(f"first rows of {ROWS:,}, {where}", rows)
    tell(f"first tokens, {where}", time.perf_counter() - began)
    return view


def clicks(page: Page, view: Locator) -> None:
    """Print what a person waits for."""
    title = view.locator(".ft-sample-title")
    waits: list[float] = []
    for number in range(2, 12):
        began = time.perf_counter()
        view.get_by_role("option").nth(number - 1).click()
        title.get_by_text(f"Row {number}", exact=True).wait_for()
        waits.append(time.perf_counter() - began)
    tell("from a click on a row to its tokens (median of 10)", statistics.median(waits))

    began = time.perf_counter()
    view.get_by_role("button", name="Random").click()
    expect(view.locator(".ft-row-number").first).not_to_have_text("1", timeout=60_000)
    tell("from a click on a filter to its rows", time.perf_counter() - began)
    view.get_by_role("button", name="All 1,000,000").click()

    began = time.perf_counter()
    view.get_by_label("go to row").fill(str(LONG + 1))
    page.keyboard.press("Enter")
    title.get_by_text(f"Row {LONG + 1}", exact=True).wait_for()
    tell("to the first tokens of a sample of 65,000 tokens", time.perf_counter() - began)
    page.wait_for_timeout(3000)
    view.evaluate("(element) => element.setAttribute('data-measured', '')")
    for name, selector, step in (
        ("rows", "[data-measured] [role=listbox]", 120),
        ("tokens", "[data-measured] [role=grid][aria-label=tokens]", 240),
    ):
        busy = sorted(page.evaluate(SCROLL, [selector, FRAMES, step]))
        tell(f"busy for a frame of scrolling {name}, median", statistics.median(busy) / 1000)
        tell(f"busy for a frame of scrolling {name}, slowest of {FRAMES}", busy[-1] / 1000)


def write_rows(file: Path) -> None:
    """Write the million conversations, one of which is 65,000 tokens long."""
    pairs = [
        [turn["content"] for turn in json.loads(line)["messages"]] for line in SOURCE.read_text().splitlines()
    ]
    draw = random.Random(0)
    with file.open("w") as stream:
        for number in range(ROWS):
            question, answer = draw.choice(pairs)
            answer = " ".join(text for _, text in pairs)[:290_000] if number == LONG else answer
            turns = [
                {"role": "user", "content": f"{number}: {question}"},
                {"role": "assistant", "content": answer},
            ]
            stream.write(json.dumps({"messages": turns}) + "\n")


def tell(what: str, seconds: float) -> None:
    """Print one figure."""
    print(f"{what}: {seconds:.2f} s" if seconds >= 0.1 else f"{what}: {seconds * 1000:.1f} ms", flush=True)


if __name__ == "__main__":
    main()
