"""What is wrong with the first rows is told in the plan, before transformers is imported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.train.light_tokenizer import read_tokenizer
from ft_core.train.row_checks import FIRST, check_first_rows

GOOD = {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": "Hello."}]}
BOT = {"messages": [{"role": "user", "content": "Hi."}, {"role": "bot", "content": "Hello."}]}
EMPTY = {"messages": [{"role": "user", "content": "Hi."}, {"role": "assistant", "content": ""}]}
ODD = {
    "messages": [{"role": "user", "content": "A caf\u00c3\u00a9?"}, {"role": "assistant", "content": "Yes."}]
}
UNKNOWN = "2 of the first 3 rows: unknown role ('bot'); a message has a role that neither roles nor the chat template knows"
OPEN = {"messages": [{"role": "user", "content": "Hi."}]}


@pytest.fixture
def told(make_config: Callable[..., Config], tmp_path: Path, tiny_model: Path) -> Callable[..., list[Any]]:
    """Return what is told of rows, each as key, message and fix."""

    def tell(rows: list[Any], dataset: dict[str, Any] | None = None, **keys: Any) -> list[Any]:
        path = tmp_path / "rows.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        entry = {"path": str(path), "type": "chat_template", **(dataset or {})}
        config = make_config(datasets=[entry], **keys)
        assert all(it.severity == "warning" for it in check_first_rows(config, None))
        return [(it.key, it.message, it.fix) for it in check_first_rows(config, read_tokenizer(tiny_model))]

    return tell


@pytest.mark.parametrize(
    ("rows", "dataset", "keys", "expected"),
    [
        ([GOOD], {}, {}, []),
        ([GOOD, OPEN], {}, {}, []),
        (
            [GOOD, BOT, BOT],
            {},
            {},
            [UNKNOWN],
        ),
        ([BOT], {"roles": {"assistant": ["bot"]}}, {}, []),
        ([BOT], {}, {"chat_template_jinja": "{% if m.role == 'bot' %}{% endif %}"}, []),
        (
            [EMPTY, GOOD],
            {},
            {},
            ["1 of the first 2 rows: empty turn; a message, or the answer, holds no text"],
        ),
        (
            [ODD],
            {},
            {},
            [
                "1 of the first 1 rows: mojibake; the text holds signs such as Ã© or â€™, which are UTF-8 read as Latin-1"
            ],
        ),
        ([{**GOOD, "note": "caf\u00c3\u00a9"}], {}, {}, []),
        ([{"text": "Plain."}], {"type": "completion"}, {}, []),
        ([*[GOOD] * FIRST, BOT], {}, {}, []),
    ],
)
def test_what_is_wrong_with_the_first_rows_is_told(
    told: Callable[..., list[Any]],
    rows: list[Any],
    dataset: dict[str, Any],
    keys: dict[str, Any],
    expected: list[str],
) -> None:
    found = told(rows, dataset, **keys)
    assert [message for _, message, _ in found] == expected
    assert all(key == "datasets[0].path" and fix.endswith(".") for key, _, fix in found)
