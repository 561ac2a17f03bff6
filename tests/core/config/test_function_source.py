"""Functions of the notebook as the type of a dataset."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import ConfigError, load_config
from ft_core.config.schema.dataset_type import FunctionSource

TEXT = "base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  type: $read\n"
FUTURE = "from __future__ import annotations\n"


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], dict[str, Any]]:
    """Return a function that runs a cell, as IPython does, and gives the notebook's variables."""
    import linecache

    def run(cell: str) -> dict[str, Any]:
        code = textwrap.dedent(cell)
        monkeypatch.setitem(
            linecache.cache, "<cell>", (len(code), None, code.splitlines(keepends=True), "<cell>")
        )
        variables: dict[str, Any] = {"__name__": "__main__"}
        exec(compile(code, "<cell>", "exec"), variables)
        return variables

    return run


@pytest.mark.parametrize(
    ("cell", "python"),
    [
        ("def read(row):\n    return row['q'], 'a'\n", "\ndef read(row):\n    return row['q'], 'a'\n"),
        (
            "import re as regex\nSEP = ' = '\ndef read(row):\n    return regex.sub('a', SEP, row['q']), max('a')\n",
            (
                "import re as regex\nSEP = ' = '\n\n"
                "def read(row):\n    return regex.sub('a', SEP, row['q']), max('a')\n"
            ),
        ),
        (
            (
                "from textwrap import dedent as flat\nfrom pathlib import PurePath\n"
                "def read(row):\n    return flat(row['q']), str(PurePath('a'))\n"
            ),
            (
                "from textwrap import dedent as flat\nfrom {pathlib} import PurePath\n\n"
                "def read(row):\n    return flat(row['q']), str(PurePath('a'))\n"
            ),
        ),
        (
            (
                "WORDS = {'a': [1, None]}\ndef clean(text):\n    return [w for w in text if w in WORDS]\n"
                "def read(row):\n    return (lambda: clean(row['q']))(), read.__name__\n"
            ),
            (
                "WORDS = {'a': [1, None]}\ndef clean(text):\n    return [w for w in text if w in WORDS]\n\n\n"
                "def read(row):\n    return (lambda: clean(row['q']))(), read.__name__\n"
            ),
        ),
    ],
)
def test_what_a_function_uses_comes_along(
    cell: str, python: str, notebook: Callable[[str], dict[str, Any]]
) -> None:
    from pathlib import PurePath

    config = load_config(TEXT, variables=notebook(cell), check_paths=False)

    form = config.datasets[0].type
    assert form == FunctionSource(python=FUTURE + python.replace("{pathlib}", PurePath.__module__))
    assert form.name == "read"
    assert load_config(config.to_yaml()) == config


def test_a_function_of_a_module_stands_by_its_name() -> None:
    config = load_config(TEXT, variables={"read": textwrap.dedent}, check_paths=False)

    assert config.datasets[0].type == "textwrap.dedent"


@pytest.mark.parametrize(
    ("cell", "message", "fix"),
    [
        (
            "import threading\nLOCK = threading.Lock()\ndef read(row):\n    return LOCK, row\n",
            "the function 'read' uses 'LOCK' (lock), which is defined outside it and cannot be written down",
            "define it inside the function, or put both into a module: type: my_module.my_function",
        ),
        (
            "def read(row):\n    return absent, row\n",
            "the function 'read' uses 'absent', which is not defined",
            "define it in an earlier cell",
        ),
        (
            "def make(sep):\n    def read(row):\n        return sep, row\n    return read\nread = make('=')\n",
            "the function 'read' uses sep of the function that made it",
            "define it at the top of a cell",
        ),
        ("read = lambda row: row\n", "the code of the function '<lambda>' is not to be had", "define it by 'def' in a cell"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_down(
    cell: str, message: str, fix: str, notebook: Callable[[str], dict[str, Any]]
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(TEXT, variables=notebook(cell), check_paths=False)

    [problem] = caught.value.problems
    assert (problem.line, problem.column, problem.message, problem.fix) == (5, 9, message, fix)


def test_a_function_has_no_business_elsewhere(notebook: Callable[[str], dict[str, Any]]) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(
            TEXT.replace("a/b\n  type", "$read\n  type").replace("base_model: a/b", "base_model: $read"),
            variables=notebook("def read(row):\n    return 'a', 'b'\n"),
            check_paths=False,
        )

    assert [(problem.line, problem.message) for problem in caught.value.problems] == [
        (1, "the variable 'read' is a function, which a config cannot hold here"),
        (4, "the variable 'read' is a function, which is no table of rows"),
    ]


@pytest.mark.parametrize(
    ("written", "message", "fix"),
    [
        ("{python: 'x = 1'}", "is a map whose 'python' defines no function", "write 'def ask(row): ...' under 'python: |'"),
        (
            "{python: 'def ask(row)'}",
            "is a map whose 'python' is no Python code: expected ':' (line 1 of it)",
            "write 'def ask(row): ...' under 'python: |'",
        ),
        (
            "{python: 3}",
            "is a map whose 'python' must be text, not 3",
            "write 'def ask(row): ...' under 'python: |'",
        ),
        ("{python: 'def f(r): return r', field_output: a}", "cannot hold 'field_output' beside 'python'", "keep one of the two"),
    ],
)  # fmt: skip
def test_code_in_the_config(written: str, message: str, fix: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(TEXT.replace("$read", written), check_paths=False)

    [problem] = caught.value.problems
    assert (problem.message, problem.fix) == (f"'type' {message}", fix)
