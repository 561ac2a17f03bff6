"""What is found between the keys of a config: rows of a table of checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ft_core.config import Config, ConfigError, Problem, load_config
from ft_core.config.checks import check_together
from ft_core.config.document import Path, read_document
from ft_core.config.draft import Draft

HEAD = "base_model: org/model\nlearning_rate: 2e-4\n"
DATASET = "datasets: [{path: org/data, type: chat_template}]\n"

Found = list[tuple[str, int | None, int | None, str, str]]


def whole(lines: str) -> str:
    """Return the valid config that `lines` are added to, with them: two lines before their own dataset, else three."""
    own = re.search(r"^(datasets|pretraining_dataset):", lines, flags=re.MULTILINE)
    return HEAD + ("" if own else DATASET) + lines


@pytest.fixture
def found() -> Callable[[str], Found]:
    """Return what is wrong or doubtful in a config, but for the keys and values that are not supported yet."""

    def find(lines: str) -> Found:
        try:
            problems = load_config(whole(lines)).warnings
        except ConfigError as error:
            problems = error.problems
        return [_row(problem) for problem in problems if "not supported yet" not in problem.message]

    return find


@pytest.fixture
def found_once_supported() -> Callable[..., Found]:
    """Return the same for a config whose keys are all supported; the loader leaves out warnings about refused ones."""

    def find(lines: str, refused: Mapping[Path, Any] | None = None) -> Found:
        document = read_document(whole(lines))
        draft = Draft(document.data, document, refused=dict(refused or {}))
        check_together(Config.model_validate(document.data), draft)
        return [_row(problem) for problem in draft.told()]

    return find


def _row(problem: Problem) -> tuple[str, int | None, int | None, str, str]:
    return problem.severity, problem.line, problem.column, problem.message, problem.fix
