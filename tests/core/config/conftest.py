"""Short ways to load a config and to list what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ft_core.config import ConfigError, Problem, load_config

REQUIRED = "base_model: org/model\nlearning_rate: 2e-4\ndatasets: [{path: org/data, type: chat_template}]\n"
"""Three lines that make a valid config."""

Found = list[tuple[int | None, int | None, str, str]]


@pytest.fixture
def required() -> str:
    return REQUIRED


@pytest.fixture
def errors() -> Callable[..., Found]:
    """Return line, column, message and fix of each error that a text has."""

    def find(text: str, overrides: Mapping[str, Any] | None = None, **options: Any) -> Found:
        with pytest.raises(ConfigError) as caught:
            load_config(text, overrides, **options)
        return [_row(problem) for problem in caught.value.problems if problem.severity == "error"]

    return find


@pytest.fixture
def warnings() -> Callable[..., Found]:
    """Return line, column, message and fix of each warning that a valid text has."""

    def find(text: str, overrides: Mapping[str, Any] | None = None, **options: Any) -> Found:
        config = load_config(text, overrides, **options)
        assert all(problem.severity == "warning" for problem in config.warnings)
        return [_row(problem) for problem in config.warnings]

    return find


def _row(problem: Problem) -> tuple[int | None, int | None, str, str]:
    return problem.line, problem.column, problem.message, problem.fix
