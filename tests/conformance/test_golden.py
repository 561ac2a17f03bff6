"""Ids and labels equal those of Axolotl 0.19.0, case by case (sft_tokenization.jsonl)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import load_config
from ft_core.data import read_rows, tokenize_rows

CASES = [
    json.loads(line) for line in Path(__file__).with_name("sft_tokenization.jsonl").read_text().splitlines()
]


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
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


def test_no_case_is_missing() -> None:
    assert len(CASES) == len({case["id"] for case in CASES}) == 176
