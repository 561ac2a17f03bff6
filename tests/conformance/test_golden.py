"""Ids and labels equal those of Axolotl 0.19.0, case by case (sft_tokenization.jsonl)."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import ConfigError, load_config
from ft_core.data import read_rows, tokenize_rows

CASES = [
    json.loads(line) for line in Path(__file__).with_name("sft_tokenization.jsonl").read_text().splitlines()
]

# Options of chat_template that a config may not name yet.
OPTIONS_TO_COME = {
    "chat_template.drop_system": 3,
    "chat_template.llama3": 2,
    "chat_template.training_detail": 3,
}
# `roles_to_train: []` with `train_on_eos: null` trains the whole last turn in Axolotl; here a null is the default.
DIFFERENT = {"chat_template.legacy_no_roles": 2}


def to_come(case: dict[str, Any]) -> str:
    """Return the option that a case waits for, or nothing."""
    name = case["id"].split("/")[1].removesuffix("+inputs")
    return name if name in OPTIONS_TO_COME | DIFFERENT else ""


def parameter(case: dict[str, Any]) -> Any:
    waits = to_come(case)
    raises = AssertionError if waits in DIFFERENT else ConfigError
    marks = (
        [pytest.mark.xfail(strict=True, raises=raises, reason=f"{waits} is not built yet")] if waits else []
    )
    return pytest.param(case, id=case["id"], marks=marks)


@pytest.mark.parametrize("case", [parameter(case) for case in CASES])
def test_ids_and_labels_are_those_of_axolotl(
    case: dict[str, Any],
    real_tokenizer: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in case["rows"]))
    config = load_config(
        {"base_model": "HuggingFaceTB/SmolLM2-135M", "learning_rate": 1e-4, **case["config"]}
    )
    rows = [row for _, row in read_rows(config.datasets[0])]

    samples = tokenize_rows(config, rows, real_tokenizer(case["tokenizer"]))

    assert [sample.input_ids.tolist() for sample in samples] == [row["input_ids"] for row in case["expected"]]
    assert [sample.labels.tolist() for sample in samples] == [row["labels"] for row in case["expected"]]


def test_every_case_that_waits_is_counted() -> None:
    waiting = Counter(to_come(case) for case in CASES)
    passing = waiting.pop("")

    assert dict(waiting) == OPTIONS_TO_COME | DIFFERENT
    assert passing == 166
