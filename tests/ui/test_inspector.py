"""What a person sees of the data in JupyterLab: rows, tokens and why each is trained, what is wrong, and what if."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import Notebook
from playwright.sync_api import Locator, expect

from ft_core.runs import open_run

pytestmark = pytest.mark.ui

SECONDS = 1000
HOSTILE = "<img src=x onerror='window.hurt = 1'> \x1b[31mred\x1b[0m \u202eevil\u202c \x00 é 👩‍👩‍👧"


def chat(question: str, answer: str, role: str = "assistant") -> dict[str, object]:
    return {"messages": [{"role": "user", "content": question}, {"role": role, "content": answer}]}


@pytest.fixture
def write(notebook: Notebook) -> Callable[..., str]:
    """Return a function that writes rows beside the notebook and gives their file's name."""

    def to_file(name: str, rows: list[dict[str, object]]) -> str:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (notebook.server.folder / name).write_text(text, encoding="utf-8")
        return name

    return to_file


@pytest.fixture
def inspect(notebook: Notebook, tiny_model: Path) -> Callable[..., Locator]:
    """Return a function that inspects a file in a cell and gives the inspector on the page, its sample drawn."""
    notebook.run("%load_ext ft_jupyter")

    def open_cell(file: str, more: str = "", dataset: str = "") -> Locator:
        output = notebook.run(
            f"%%finetune --inspect\nbase_model: {tiny_model}\nchat_template: chatml\nlearning_rate: 1e-3\nsequence_len: 256\n"
            f"datasets:\n  - path: {file}\n    type: chat_template\n{dataset}{more}"
        )
        view = output.locator(".ft-inspector")
        expect(view.get_by_role("grid", name="tokens")).to_be_visible(timeout=30 * SECONDS)
        expect(view.locator(".ft-grid .ft-token").first).to_be_visible(timeout=30 * SECONDS)
        return view

    return open_cell


def counted(view: Locator, rows: int) -> None:
    """Wait until the pass over the set is done."""
    expect(view.get_by_text(re.compile(rf"All of {rows:,} rows"))).not_to_have_count(0, timeout=60 * SECONDS)


def scrolled(view: Locator, to: Locator) -> Locator:
    to.scroll_into_view_if_needed()
    return to


def test_every_token_says_what_it_is_and_why(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook, screenshots: Path
) -> None:
    view = inspect(str(dictionary))
    counted(view, 817)
    tokens = view.locator(".ft-grid .ft-token")
    tokens.filter(has_text="abase").hover()
    detail = view.get_by_role("group", name="token")
    expect(detail).to_contain_text("-100, not trained")
    expect(detail).to_contain_text("masked: role user is not in roles_to_train")

    # From the first token to the last with the keyboard: the token that ends the answer is trained.
    tokens.first.focus()
    notebook.page.keyboard.press("ArrowRight")
    expect(detail).to_contain_text("position id1")
    notebook.page.keyboard.press("Control+End")
    notebook.page.keyboard.press("ArrowLeft")
    expect(detail).to_contain_text("<|im_end|>")
    expect(detail).to_contain_text("3C 7C 69 6D 5F 65 6E 64 7C 3E")
    expect(detail).to_contain_text("trained: end of turn (train_on_eos: turn)")
    trained = view.locator(".ft-grid .ft-token[data-kind=trained]").count()
    expect(view.locator(".ft-sample-facts")).to_contain_text(f"{trained} trained")

    view.scroll_into_view_if_needed()
    notebook.page.screenshot(path=screenshots / "inspector-light.png")
    notebook.set_theme("JupyterLab Dark")
    notebook.page.wait_for_timeout(300)
    notebook.page.screenshot(path=screenshots / "inspector-dark.png")
    notebook.set_theme("JupyterLab Light")


def test_the_histogram_follows_the_theme_and_a_picture_outlives_the_kernel(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook, screenshots: Path
) -> None:
    view = inspect(str(dictionary))
    counted(view, 817)
    view.get_by_role("tab", name="Summary").click()
    figure = view.locator(".ft-lengths-chart")
    number = figure.locator(".xtick text").first
    expect(number).to_have_css("fill", "rgb(0, 0, 0)")
    notebook.set_theme("JupyterLab Dark")
    expect(number).to_have_css("fill", "rgb(255, 255, 255)")
    view.screenshot(path=screenshots / "summary-dark.png")
    notebook.page.set_viewport_size({"width": 700, "height": 1000})
    notebook.set_theme("JupyterLab Light")
    expect(figure.locator("svg.main-svg").first).to_have_attribute(
        "width", str(figure.evaluate("(element) => element.clientWidth"))
    )

    notebook.save("inspected.ipynb")
    notebook.shut_down_kernel()
    notebook.open("inspected.ipynb")
    still = notebook.page.locator(".jp-OutputArea-output .ft-samples")
    expect(still).to_contain_text("817 rows", timeout=30 * SECONDS)
    expect(notebook.page.get_by_text("Error displaying widget")).to_have_count(0)


def test_what_is_wrong_is_told_with_its_rows(
    inspect: Callable[..., Locator], write: Callable[..., str], notebook: Notebook, screenshots: Path
) -> None:
    rows = [chat(f"Question {n}?", f"Answer number {n}.") for n in range(40)]
    rows[7] = chat("Who?", "Me.", role="robot")
    rows[11] = chat("Nothing?", "")
    rows[30] = rows[29]
    view = inspect(write("wrong.jsonl", rows))
    counted(view, 40)
    filters = view.get_by_role("group", name="show rows")
    for words in ("Unknown role 1", "Empty turn 1", "Duplicate 1"):
        expect(filters.get_by_role("button", name=re.compile(words.replace(" ", r"\s*")))).to_be_visible()

    view.get_by_role("tab", name="Findings").click()
    first = view.locator(".ft-finding").first
    expect(first).to_contain_text("Unknown role")
    expect(first).to_contain_text("'robot'")
    notebook.page.screenshot(path=screenshots / "inspector-findings.png")
    first.get_by_role("button", name="Show rows").click()
    shown = view.get_by_role("option")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("Who?")
    shown.click()
    expect(view.locator(".ft-sample-title")).to_have_text("Row 8")


def test_rows_are_found_by_text_and_by_number(
    inspect: Callable[..., Locator], write: Callable[..., str], notebook: Notebook
) -> None:
    view = inspect(
        write("many.jsonl", [chat(f"Question {n}?", f"Answer number {n}.") for n in range(30_000)])
    )
    view.get_by_label("go to row").fill("29999")
    notebook.page.keyboard.press("Enter")
    expect(view.locator(".ft-sample-title")).to_have_text(re.compile("Row 29,?999"))
    expect(view.locator(".ft-grid")).to_contain_text("9998")
    view.get_by_label("search the rows").fill("number 12345.")
    expect(view.get_by_role("option")).to_have_count(1, timeout=30 * SECONDS)
    expect(view.get_by_role("option")).to_contain_text("Question 12345?")


def test_another_setting_shows_the_same_sample_again(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook, screenshots: Path
) -> None:
    view = inspect(str(dictionary))
    facts = view.locator(".ft-sample-facts")
    expect(facts).to_contain_text("27 trained")
    scrolled(view, view.get_by_role("button", name="What if")).click()
    panel = view.locator(".ft-what-if")
    panel.get_by_label("train_on_inputs", exact=True).check()
    expect(facts).to_contain_text("33 trained")
    panel.get_by_label("sequence_len", exact=True).fill("8")
    expect(facts).to_contain_text("longer than sequence_len")
    expect(panel.locator(".ft-yaml pre")).to_have_text(re.compile("train_on_inputs: true\\s+sequence_len: 8"))
    scrolled(view, panel)
    notebook.page.screenshot(path=screenshots / "inspector-what-if.png")
    panel.get_by_label("sequence_len", exact=True).fill("1")
    expect(panel.get_by_role("alert").filter(has_text="must be at least 2")).to_be_visible()
    panel.get_by_role("button", name="Reset all").click()
    expect(facts).to_contain_text("27 trained")


def test_a_prompt_that_chat_would_write_otherwise_is_named(
    inspect: Callable[..., Locator], write: Callable[..., str], notebook: Notebook, screenshots: Path
) -> None:
    template = (
        "{% for m in messages %}[{{ m.role }}]{{ m.content }}{{ eos_token }}{% endfor %}"
        "{% if add_generation_prompt %}[ model ]{% endif %}"
    )
    file = write("unlike.jsonl", [chat(f"Question {n}?", f"Answer number {n}.") for n in range(12)])
    view = inspect(
        file,
        more=f"chat_template_jinja: {json.dumps(template)}\neot_tokens: ['<|im_end|>']\n".replace("'", '"'),
    )
    scrolled(view, view.get_by_role("button", name="Prompt parity")).click()
    panel = view.locator(".ft-parity")
    expect(panel).to_contain_text("different")
    scrolled(view, panel)
    notebook.page.screenshot(path=screenshots / "inspector-parity.png")
    panel.get_by_role("button", name="Check the whole set").click()
    expect(panel.locator(".ft-parity-set")).to_contain_text("12", timeout=60 * SECONDS)


def test_packed_rows_are_drawn_and_open_their_samples(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook, screenshots: Path
) -> None:
    view = inspect(str(dictionary), more="sample_packing: true\n")
    counted(view, 817)
    view.get_by_role("tab", name="Packing").click()
    grid = view.get_by_role("grid", name="packed rows")
    expect(grid.locator(".ft-pack-segment").first).to_be_visible()
    expect(view.locator(".ft-pack-picture svg").first).to_be_visible()
    view.scroll_into_view_if_needed()
    notebook.page.screenshot(path=screenshots / "inspector-packing.png")
    grid.locator(".ft-pack-segment").nth(1).click()
    expect(view.get_by_role("tab", name="Rows")).to_have_attribute("aria-selected", "true")
    expect(view.locator(".ft-sample-title")).to_have_text(re.compile(r"Row (?!1$)[\d,]+"))


def test_losses_of_each_token_are_computed_when_asked_for(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook, screenshots: Path
) -> None:
    view = inspect(str(dictionary))
    scrolled(view, view.get_by_role("button", name="Losses")).click()
    view.get_by_role("button", name="Show losses").click()
    # The tiny model has random weights: each of 49,152 tokens is as likely as any other, ln 49152 = 10.80.
    means = view.locator(".ft-losses-means")
    expect(means).to_contain_text(re.compile(r"base\s*1[01]\.\d"), timeout=90 * SECONDS)
    scrolled(view, means)
    notebook.page.screenshot(path=screenshots / "inspector-losses.png")


def test_hostile_text_is_text(
    inspect: Callable[..., Locator], write: Callable[..., str], notebook: Notebook, screenshots: Path
) -> None:
    view = inspect(write("hostile.jsonl", [chat(HOSTILE, HOSTILE) for _ in range(3)]))
    counted(view, 3)
    for name in ("Text", "IDs", "Tokens"):
        view.get_by_role("button", name=name, exact=True).click()
    view.get_by_role("button", name="Raw row").click()
    expect(view.get_by_role("group", name="raw row")).to_contain_text("onerror")
    assert view.locator("img").count() == 0
    assert notebook.page.evaluate("() => window.hurt") is None
    view.scroll_into_view_if_needed()
    notebook.page.screenshot(path=screenshots / "inspector-hostile.png")


def test_a_reloaded_page_shows_the_row_that_was_looked_at(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook
) -> None:
    view = inspect(str(dictionary))
    view.get_by_label("go to row").fill("300")
    notebook.page.keyboard.press("Enter")
    expect(view.locator(".ft-sample-title")).to_have_text("Row 300")
    notebook.page.wait_for_timeout(500)
    notebook.save("inspected.ipynb")
    notebook.open("inspected.ipynb")
    expect(notebook.page.locator(".ft-inspector .ft-sample-title")).to_have_text(
        "Row 300", timeout=30 * SECONDS
    )


def test_the_ids_on_the_page_are_those_that_training_gets(
    inspect: Callable[..., Locator], dictionary: Path, notebook: Notebook, tiny_model: Path
) -> None:
    """The boxes, read off the page, against the first rows of a training step of the same config."""
    from ft_core.config import load_config
    from ft_core.data import tokenize_rows
    from ft_core.models import load_tokenizer

    view = inspect(str(dictionary))
    view.get_by_role("button", name="IDs", exact=True).click()
    shown = [int(text) for text in view.locator(".ft-grid .ft-token").all_inner_texts()]
    trained = [
        box.get_attribute("data-kind") == "trained" for box in view.locator(".ft-grid .ft-token").all()
    ]
    config = load_config(
        {
            "base_model": str(tiny_model),
            "chat_template": "chatml",
            "learning_rate": 1e-3,
            "sequence_len": 256,
            "datasets": [{"path": str(dictionary), "type": "chat_template"}],
        }
    )
    rows = [json.loads(line) for line in dictionary.read_text().splitlines()[:1]]
    (sample,) = tokenize_rows(config, rows, load_tokenizer(config))
    assert shown == sample.input_ids.tolist()
    assert trained == (sample.labels != -100).tolist()


def test_the_data_of_a_run_is_opened_from_its_dashboard(
    notebook: Notebook, tiny_model: Path, dictionary: Path
) -> None:
    notebook.run("%load_ext ft_jupyter")
    output = notebook.run(
        f"%%finetune looked\nbase_model: {tiny_model}\nadapter: lora\nlora_r: 8\nlora_alpha: 16\nlearning_rate: 1e-3\n"
        f"datasets:\n  - path: {dictionary}\n    type: chat_template\nchat_template: chatml\nnum_epochs: 50\n"
    )
    output.locator(".ft-run").get_by_role("button", name="Inspect data").click()
    expect(output.locator(".ft-inspector .ft-sample-title")).to_have_text("Row 1", timeout=60 * SECONDS)
    open_run("looked", notebook.server.runs).stop(now=True)
