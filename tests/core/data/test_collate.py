from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data import Sample
from ft_core.data.collate import Collator, FlatCollator, PackCollator

PAD = 2


def sample(ids: list[int], labels: list[int] | None = None) -> Sample:
    return Sample(np.array(ids, dtype=np.int32), np.array(labels or ids, dtype=np.int32), (), 0, "rows.jsonl")


def test_shorter_samples_are_padded_on_the_right() -> None:
    batch = Collator(pad_token_id=PAD)([sample([5, 6, 7], [-100, 6, 7]), sample([8])])

    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, PAD, PAD]]
    assert batch["labels"].tolist() == [[-100, 6, 7], [8, -100, -100]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_a_token_equal_to_the_padding_keeps_label_and_attention() -> None:
    """CORRECTNESS 6: with pad = eos, masking by id would teach the model never to stop."""
    batch = Collator(pad_token_id=PAD)([sample([5, PAD]), sample([6, 7, 8, PAD])])

    assert batch["labels"].tolist() == [[5, PAD, -100, -100], [6, 7, 8, PAD]]
    assert batch["attention_mask"].tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]


@pytest.mark.parametrize(
    ("options", "length"),
    [
        ({}, 3),
        ({"pad_to_multiple_of": 8}, 8),
        ({"pad_to_multiple_of": 3}, 3),
        ({"pad_to_sequence_len": 5}, 5),
        ({"pad_to_sequence_len": 5, "pad_to_multiple_of": 4}, 8),
    ],
)
def test_a_batch_is_as_long_as_asked(options: dict[str, int], length: int) -> None:
    batch = Collator(pad_token_id=PAD, **options)([sample([5, 6, 7])])

    assert {name: tuple(tensor.shape) for name, tensor in batch.items()} == {
        "input_ids": (1, length),
        "labels": (1, length),
        "attention_mask": (1, length),
    }


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=9), min_size=1, max_size=5
    )
)
def test_samples_come_back_out_of_a_batch(rows: list[list[tuple[int, bool]]]) -> None:
    samples = [sample([i for i, _ in row], [i if trained else -100 for i, trained in row]) for row in rows]
    batch = Collator(pad_token_id=PAD, pad_to_multiple_of=4)(samples)

    for index, original in enumerate(samples):
        kept = batch["attention_mask"][index].bool()
        assert batch["input_ids"][index][kept].tolist() == original.input_ids.tolist()
        assert batch["labels"][index][kept].tolist() == original.labels.tolist()
        assert set(batch["labels"][index][~kept].tolist()) <= {-100}
        assert set(batch["input_ids"][index][~kept].tolist()) <= {PAD}


def test_no_samples_make_a_row_of_padding() -> None:
    """What a rank takes where there is no row left for it: a row that nothing is learned from."""
    batch = Collator(pad_token_id=PAD, pad_to_sequence_len=3)([])

    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[PAD, PAD, PAD]],
        "labels": [[-100, -100, -100]],
        "attention_mask": [[1, 0, 0]],
    }


def test_packed_rows_are_as_long_as_the_longest() -> None:
    batch = PackCollator(pad_token_id=PAD)([[sample([5, 6, 7]), sample([8, 9])], [sample([4, 4])]])

    assert {name: tensor.tolist() for name, tensor in batch.items()} == {
        "input_ids": [[5, 6, 7, 8, 9], [4, 4, PAD, PAD, PAD]],
        "labels": [[-100, 6, 7, -100, 9], [-100, 4, -100, -100, -100]],
        "position_ids": [[0, 1, 2, 0, 1], [0, 1, 0, 1, 2]],
        "document_ids": [[1, 1, 1, 2, 2], [1, 1, 0, 0, 0]],
    }
    assert {tensor.dtype for tensor in batch.values()} == {torch.int64}


def test_packed_rows_are_as_long_as_asked() -> None:
    batch = PackCollator(pad_token_id=PAD, length=4)([[sample([5, 6])]])

    assert batch["input_ids"].tolist() == [[5, 6, PAD, PAD]]


@pytest.mark.parametrize(("length", "ids"), [(0, [[PAD]]), (2, [[PAD, PAD]])])
def test_no_packs_make_a_row_of_padding(length: int, ids: list[list[int]]) -> None:
    batch = PackCollator(pad_token_id=PAD, length=length)([])

    assert batch["input_ids"].tolist() == ids
    assert set(batch["labels"].flatten().tolist()) == {-100}
    assert set(batch["document_ids"].flatten().tolist()) == {0}


def test_a_flat_batch_is_one_row() -> None:
    batch = FlatCollator(PackCollator(pad_token_id=PAD))([sample([5, 6]), sample([7, 8, 9])])

    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 0, 1, 2]]
    assert FlatCollator(PackCollator(pad_token_id=PAD))([])["input_ids"].tolist() == [[PAD]]
