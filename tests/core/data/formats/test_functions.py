"""Functions of the user's as a type."""

from __future__ import annotations

import doctest
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, ConfigError, load_config
from ft_core.data import Sample
from ft_core.data.formats import columns, functions, styles
from ft_core.errors import DataError

Parts = Callable[..., list[tuple[str, str, bool]]]
MakeSamples = Callable[..., list[Sample]]
ROW = {"question": "Why?", "answer": "So."}
ASK = [("Q: Why?\nA:", "prompt", False), ("So.", "response", True), ("<|im_end|>", "response", True)]
SEGMENTS = [("Why? = ", "input", False), ("So.", "output", True)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, with the rows.py of the module's docstring in it; sys.path is as before afterwards."""
    _, _, example = (functions.__doc__ or "").partition("This is ``rows.py``::\n\n")
    (tmp_path / "rows.py").write_text(
        "\n".join(line.removeprefix("    ") for line in example.splitlines()) + "\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("name", ["rows.ask", "rows.py:ask", "./rows.py:ask"])
def test_a_prompt_and_a_response(name: str, parts: Parts) -> None:
    assert parts(name, ROW) == ASK


@pytest.mark.usefixtures("folder")
def test_segments(parts: Parts) -> None:
    assert parts("rows.segments", ROW) == SEGMENTS


@pytest.mark.usefixtures("folder")
def test_messages_go_through_the_chat_template(samples: MakeSamples) -> None:
    [made] = samples("rows.chat", ROW)
    turns = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    [chat] = samples("chat_template", {"messages": turns})

    assert made.spans == chat.spans


@pytest.mark.usefixtures("folder")
def test_messages_have_the_options_of_a_chat(parts: Parts) -> None:
    found = parts({"type": "rows.chat", "roles_to_train": ["user"], "field_messages": "elsewhere"}, ROW)

    assert "".join(text for text, _, trained in found if trained) == "Why?<|im_end|>"


@pytest.mark.usefixtures("folder")
def test_train_on_inputs(samples: MakeSamples) -> None:
    [ask] = samples("rows.ask", ROW, train_on_inputs=True)
    [segments] = samples("rows.segments", ROW, train_on_inputs=True)

    assert ask.labels.tolist() == ask.input_ids.tolist()
    assert segments.labels.tolist() == segments.input_ids.tolist()


def test_an_edited_file_is_never_taken_for_what_it_was(folder: Path, parts: Parts) -> None:
    for answer in ("one", "three"):
        (folder / "rows.py").write_text(f"def ask(row):\n    return 'Q', '{answer}'\n")
        assert parts("rows.ask", ROW)[1][0] == answer


def test_modules_beside_it_and_packages(folder: Path, parts: Parts) -> None:
    (folder / "pack").mkdir()
    (folder / "pack" / "__init__.py").write_text("from .inner import ask\n")
    (folder / "pack" / "inner.py").write_text(
        "import words_beside\ndef ask(row):\n    return words_beside.Q, 'a'\n"
    )
    (folder / "words_beside.py").write_text("Q = 'beside'\n")

    assert parts("pack.ask", ROW)[0][0] == "beside"
    assert parts("pack.inner.ask", ROW)[0][0] == "beside"


def test_a_file_does_not_stand_in_for_a_library(folder: Path, parts: Parts) -> None:
    import datasets

    (folder / "datasets.py").write_text("def ask(row):\n    return 'mine', 'a'\n")

    assert parts("datasets.ask", ROW)[0][0] == "mine"
    assert sys.modules["datasets"] is datasets
    assert str(folder) not in sys.path[: len(sys.path) - 1]


def test_a_run_finds_it_from_any_folder(folder: Path, monkeypatch: pytest.MonkeyPatch, parts: Parts) -> None:
    entries = [{"path": "a/b", "type": name} for name in ("rows.ask", "rows.py:ask", "textwrap.dedent")]
    config = load_config({"base_model": "a/b", "learning_rate": 1e-4, "datasets": entries}, check_paths=False)
    there = load_config(config.to_yaml(absolute_paths=True), check_paths=False)

    assert [entry.type for entry in there.datasets] == [*[f"{folder / 'rows.py'}:ask"] * 2, "textwrap.dedent"]
    monkeypatch.chdir("/")
    assert parts(there.datasets[0].type, ROW) == ASK


def test_code_in_the_config(parts: Parts) -> None:
    assert parts({"type": {"python": "def ask(row):\n    return 'Q', row['answer']\n"}}, ROW)[1][0] == "So."


def test_a_function_gets_a_row_of_its_own(samples: MakeSamples) -> None:
    row = {"turns": [{"text": "a", "train": True}]}
    samples({"type": {"python": "def ask(row):\n    row['turns'].append({'text': 'b', 'train': True})\n"
                                "    return row['turns']\n"}}, row)  # fmt: skip

    assert row == {"turns": [{"text": "a", "train": True}]}


BROKEN = "import no_such_library\ndef ask(row):\n    return 'a', 'b'\n"
RAISES = "def ask(row):\n    return row['query'], 'b'\n"
BAD_SYNTAX = "def ask(row) return\n"


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (BROKEN, "mine.ask", ("type: mine.ask: {folder}/mine.py cannot be loaded: "
         "ModuleNotFoundError: No module named 'no_such_library' (mine.py, line 1).")),
        (BAD_SYNTAX, "mine.ask", ("type: mine.ask: {folder}/mine.py cannot be loaded: "
         "SyntaxError: expected ':' (mine.py, line 1).")),
        (RAISES, "mine.ask", "some/rows, row 1: mine.ask raised KeyError: 'query' (mine.py, line 2)."),
        ("def tell(row): ...\n", "mine.ask",
         "type: mine.ask: there is no function 'ask' in {folder}/mine.py."),
        ("def asks(row): ...\n", "mine.ask",
         "type: mine.ask: there is no function 'ask' in {folder}/mine.py; did you mean 'asks'?"),
        ("ask = 3\n", "mine.ask", "type: mine.ask is a number, no function."),
        ("import re as ask\n", "mine.ask", "type: mine.ask is a module, no function."),
        ("", "absent.ask", "type: absent.ask: there is no module 'absent' in {folder}, and none is installed."),
        ("def ask(row): return None\n", "mine.ask",
         "some/rows, row 1: mine.ask returned null, of which no sample can be made."),
        ("def ask(row): return 'a', 3\n", "mine.ask",
         "some/rows, row 1: mine.ask returned a list, of which no sample can be made."),
        ("def ask(row): return [{'text': 'a'}]\n", "mine.ask",
         "some/rows, row 1: 'train' of segment 1 is not there."),
        ("def ask(row): return {1, 2}\n", "mine.ask",
         "some/rows, row 1: mine.ask returned an object of the class set, of which no sample can be made."),
    ],
)  # fmt: skip
def test_what_goes_wrong_is_told_as_it_is(
    code: str, name: str, message: str, folder: Path, samples: MakeSamples
) -> None:
    (folder / "mine.py").write_text(code)

    with pytest.raises(DataError) as caught:
        samples({"type": name}, ROW)

    assert caught.value.message == message.replace("{folder}", str(folder))


def test_files_that_it_may_depend_on(folder: Path, make_config: Callable[..., Config]) -> None:
    (folder / "beside.py").write_text("")
    (folder / "pack" / "deep").mkdir(parents=True)
    for name in ("pack/__init__.py", "pack/inner.py", "pack/deep/more.py"):
        (folder / name).write_text("")

    def files(kind: Any) -> list[str]:
        [dataset] = make_config({"type": kind}).datasets
        return [str(file.relative_to(folder)) for file in functions.function_files(dataset)]

    assert files("rows.ask") == files("rows.py:ask") == ["beside.py", "rows.py"]
    assert files("pack.inner.ask") == ["pack/__init__.py", "pack/deep/more.py", "pack/inner.py"]
    assert files("alpaca") == files("") == files({"python": "def ask(row): ..."}) == files({}) == []

    [dataset] = make_config({"type": "textwrap.dedent"}).datasets
    assert functions.function_files(dataset) == [Path(textwrap.__file__)]


@pytest.mark.usefixtures("folder")
def test_a_file_that_is_not_there_is_found_before_anything_else() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            {
                "base_model": "a/b",
                "learning_rate": 1e-4,
                "datasets": [{"path": "a/b", "type": "absent.py:ask"}],
            }
        )

    assert [(problem.key, problem.message) for problem in caught.value.problems] == [
        ("datasets[0].type", "there is no file 'absent.py'")
    ]


@pytest.mark.parametrize("module", [columns, styles])
def test_examples_in_docstrings(module: Any) -> None:
    failed, attempted = doctest.testmod(module)
    assert (failed, attempted > 0) == (0, True)
