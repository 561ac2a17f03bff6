from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.data import load_samples
from ft_core.errors import DataError
from ft_core.models.tokenizer import load_tokenizer
from ft_core.train.light_tokenizer import read_tokenizer
from ft_core.train.row_lengths import RowLengths, sample_lengths


@pytest.fixture
def write(tmp_path: Path) -> Callable[[list[dict[str, Any]]], str]:
    """Return a function that writes rows and gives their file."""

    def to_file(rows: list[dict[str, Any]]) -> str:
        file = tmp_path / "some.jsonl"
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        return str(file)

    return to_file


def test_the_mean_and_the_padded_mean() -> None:
    lengths = RowLengths((2, 6, 4, 4, 9), 1.0, measured=True)
    assert lengths.mean == 5.0
    assert lengths.padded_mean(1) == 5.0
    assert lengths.padded_mean(2) == (6 + 6 + 4 + 4 + 9) / 5
    assert lengths.largest_batch(2) == 9
    assert lengths.largest_batch(1) == 9
    assert lengths.largest_batch(3) == 13


@pytest.mark.parametrize(
    ("keys", "lengths", "per_row"),
    [
        ({"sequence_len": 64}, (26, 4, 64, 37), 4 / 3),  # cut into windows
        ({"sequence_len": 512}, (26, 4, 101), 1.0),
    ],
)
def test_bytes_stand_for_tokens_without_a_tokenizer(
    keys: dict[str, Any],
    lengths: tuple[int, ...],
    per_row: float,
    make_config: Callable[..., Config],
    write: Callable[[list[dict[str, Any]]], str],
) -> None:
    file = write([{"text": "x" * 100}, {"text": "y" * 12}, {"text": "z" * 400}])
    found = sample_lengths(make_config(datasets=[{"path": file, "type": "completion"}], **keys), None)
    assert found is not None
    assert (found.lengths, found.per_row, found.measured) == (lengths, per_row, False)


@pytest.mark.parametrize(
    ("strategy", "lengths", "per_row"), [("drop", (16,), 0.5), ("truncate", (16, 64), 1.0)]
)
def test_long_chats_are_dropped_or_cut(
    strategy: str,
    lengths: tuple[int, ...],
    per_row: float,
    make_config: Callable[..., Config],
    write: Callable[[list[dict[str, Any]]], str],
) -> None:
    def chat(size: int) -> dict[str, Any]:
        turns = [{"role": "user", "content": "?" * 9}, {"role": "assistant", "content": "x" * size}]
        return {"messages": turns}

    file = write([chat(10), chat(1000)])
    config = make_config(
        datasets=[{"path": file, "type": "chat_template"}], excess_length_strategy=strategy, sequence_len=64
    )
    found = sample_lengths(config, None)
    assert found is not None
    assert (found.lengths, found.per_row) == (lengths, per_row)


def test_the_tokenizer_is_asked_where_it_is_at_hand(
    make_config: Callable[..., Config], tiny_model: Path
) -> None:
    config = make_config()
    found = sample_lengths(config, read_tokenizer(tiny_model))
    real = load_samples(config, load_tokenizer(config)).train
    assert found is not None
    assert found.measured
    assert sum(found.lengths) == pytest.approx(sum(len(sample) for sample in real), rel=0.1)


def test_real_chats_are_judged_within_a_twentieth(demo_model: Path, dictionary: Path) -> None:
    config = load_config(
        {
            "base_model": str(demo_model),
            "learning_rate": 1e-3,
            # The model's own template, which adds a system message that no row has.
            "datasets": [{"path": str(dictionary), "type": "chat_template"}],
        }
    )
    found = sample_lengths(config, read_tokenizer(demo_model))
    real = load_samples(config, load_tokenizer(config)).train
    assert found is not None
    assert found.mean == pytest.approx(sum(len(sample) for sample in real) / len(real), rel=0.05)


@pytest.mark.parametrize("content", ["", "{}", "no json"])
def test_a_broken_tokenizer_file_measures_nothing(
    content: str, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    (tmp_path / "tokenizer.json").write_text(content)
    found = sample_lengths(make_config(), read_tokenizer(tmp_path))
    assert found is not None
    assert not found.measured


def test_a_dataset_of_the_hub_is_not_loaded_for_a_plan(make_config: Callable[..., Config]) -> None:
    config = make_config(datasets=[{"path": "some/dataset", "type": "completion"}])
    assert sample_lengths(config, None) is None


def test_rows_that_are_all_too_long_tell_nothing(
    make_config: Callable[..., Config], write: Callable[[list[dict[str, Any]]], str]
) -> None:
    file = write([{"instruction": "x" * 900, "output": "y"}])
    config = make_config(datasets=[{"path": file, "type": "alpaca"}], sequence_len=64)
    assert sample_lengths(config, None) is None


def test_broken_rows_are_left_out_and_told(make_config: Callable[..., Config], tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    file.write_text('{"text": "one"}\nbroken\n{"text": "two"}\n')
    entry = {"path": str(file), "type": "completion"}
    found = sample_lengths(make_config(datasets=[entry], broken_rows="skip"), None)
    assert found is not None
    assert len(found.lengths) == 2
    assert found.notes == (
        f"1 broken row is left out (broken_rows is skip): {file} line 2: not valid JSON (expected value at column 1)",
    )
    with pytest.raises(DataError, match="line 2"):
        sample_lengths(make_config(datasets=[entry]), None)


@pytest.mark.parametrize(
    ("keys", "rows", "share"),
    [
        # "ask" and "answered" are 3 and 8 bytes, and the line end between them counts as text too
        ({}, [{"messages": [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "answered"}]}], 8 / 12),
        ({}, [{"messages": [{"role": "human", "content": "ask"}, {"role": "gpt", "content": "answered"}]}], 8 / 12),
        (
            {"roles_to_train": ["user"]},
            [{"messages": [{"role": "user", "content": "ask"}, {"role": "assistant", "content": "answered"}]}],
            3 / 12,
        ),
        ({"type": "alpaca"}, [{"instruction": "ask", "output": "answered"}], 8 / 12),
        ({"type": "completion"}, [{"text": "answered"}], 1.0),
    ],
)  # fmt: skip
def test_the_share_that_is_trained(
    keys: dict[str, Any],
    rows: list[dict[str, Any]],
    share: float,
    make_config: Callable[..., Config],
    write: Callable[[list[dict[str, Any]]], str],
) -> None:
    dataset = {"path": write(rows), "type": "chat_template"} | keys
    found = sample_lengths(make_config(datasets=[dataset]), None)
    assert found is not None
    assert found.trained_share == share
    everything = sample_lengths(make_config(datasets=[dataset], train_on_inputs=True), None)
    assert everything is not None
    assert everything.trained_share == 1.0
