"""A function from a dataset entry and rows to the text rows that it gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.data.preference import Method, preference_rows
from ft_core.data.preference.task import Example


@pytest.fixture(scope="session")
def finish(make_config: Callable[..., Config], tokenizer: Any) -> Callable[..., list[Example]]:
    """Return a function from a type, rows and a method to the finished rows; keys are those of the dataset."""

    def run(kind: object, *rows: dict[str, Any], method: Method = "dpo", **keys: Any) -> list[Example]:
        config = make_config()
        # A config takes no preference type yet, so it is written over that of a supervised dataset.
        entry = config.datasets[0].model_copy(update={"path": "pairs.jsonl", "type": kind, **keys})
        return preference_rows(config, rows, tokenizer, method=method, dataset=entry)

    return run
