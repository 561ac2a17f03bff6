"""Ids and labels equal those of Axolotl 0.19.0, case by case (sft_tokenization.jsonl)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from ft_core.config import load_config
from ft_core.data import Sample, read_rows, tokenize_rows
from ft_core.data.arrow import BlockWriter
from ft_core.data.sieve import batch_sieve, drop_reason
from ft_core.data.stored import SampleTable

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


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_what_is_kept_in_a_file_is_what_is_shown(
    case: dict[str, Any],
    real_tokenizer: Callable[[str], Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each row twice: a conversation may be made in another way than the first of its kind."""
    monkeypatch.chdir(tmp_path)
    Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in case["rows"] * 2))
    config = load_config(
        {"base_model": "HuggingFaceTB/SmolLM2-135M", "learning_rate": 1e-4, **case["config"]}
    )
    dataset, tokenizer = config.datasets[0], real_tokenizer(case["tokenizer"])
    rows = list(read_rows(dataset))
    shown = tokenize_rows(config, [row for _, row in rows], tokenizer)
    half = len(shown) // 2
    for first, second in zip(shown[:half], shown[half:], strict=True):
        assert facts(first)[:3] == facts(second)[:3]

    sieved = batch_sieve(config, tokenizer, dataset)(rows)
    buffer = pa.BufferOutputStream()
    writer = BlockWriter(buffer)
    writer.write(sieved.block)
    reasons = writer.close()
    table = SampleTable(buffer.getvalue(), reasons, dataset.path)

    kept = [facts(table.sample(index)) for index in range(len(table))]
    assert kept == [facts(sample) for sample in shown if drop_reason(config, sample) is None]


def facts(sample: Sample) -> tuple[Any, ...]:
    ids, labels = sample.input_ids.tolist(), sample.labels.tolist()
    return ids, labels, sample.spans, sample.row, sample.source, sample.cut


def test_no_case_is_missing() -> None:
    assert len(CASES) == len({case["id"] for case in CASES}) == 176
