from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ft_core.data import Sample
from ft_core.data.packing_rows import Pack, PackLayout, assemble_pack, pack_layout

PAD = 2


def sample(ids: list[int], labels: list[int] | None = None) -> Sample:
    labels = ids if labels is None else labels
    return Sample(np.array(ids, np.int32), np.array(labels, np.int32), (), 0, "rows.jsonl")


def arrays(pack: Pack) -> dict[str, list[int]]:
    names = ("input_ids", "labels", "position_ids", "document_ids")
    return {name: getattr(pack, name).tolist() for name in names}


SAMPLES = [sample([7, 8, 9], [-100, 8, 9]), sample([5, 6]), sample([]), sample([4])]


@pytest.mark.parametrize(
    ("indices", "length", "expected"),
    [
        pytest.param(
            [1, 0],
            8,
            {
                "input_ids": [5, 6, 7, 8, 9, PAD, PAD, PAD],
                "labels": [-100, 6, -100, 8, 9, -100, -100, -100],
                "position_ids": [0, 1, 0, 1, 2, 0, 1, 2],
                "document_ids": [1, 1, 2, 2, 2, 0, 0, 0],
            },
            id="padded",
        ),
        pytest.param(
            [1, 3],
            0,
            {
                "input_ids": [5, 6, 4],
                "labels": [-100, 6, -100],
                "position_ids": [0, 1, 0],
                "document_ids": [1, 1, 2],
            },
            id="as-long-as-its-samples",
        ),
        pytest.param(
            [1, 1],
            3,
            {
                "input_ids": [5, 6, 5, 6],
                "labels": [-100, 6, -100, 6],
                "position_ids": [0, 1, 0, 1],
                "document_ids": [1, 1, 2, 2],
            },
            id="never-cut",
        ),
        pytest.param(
            [2, 1, 2],
            3,
            {
                "input_ids": [5, 6, PAD],
                "labels": [-100, 6, -100],
                "position_ids": [0, 1, 0],
                "document_ids": [2, 2, 0],
            },
            id="documents-of-no-tokens",
        ),
        pytest.param(
            [],
            1,
            {"input_ids": [PAD], "labels": [-100], "position_ids": [0], "document_ids": [0]},
            id="only-padding",
        ),
    ],
)
def test_samples_lie_end_to_end(indices: list[int], length: int, expected: dict[str, list[int]]) -> None:
    pack = assemble_pack(SAMPLES, indices, pad_token_id=PAD, length=length)

    assert arrays(pack) == expected
    assert pack.samples == tuple(indices)
    assert len(pack) == len(expected["input_ids"])


def test_a_pack_holds_int32_that_cannot_be_written() -> None:
    pack = assemble_pack(SAMPLES, np.array([0, 1]), pad_token_id=PAD)

    for array in (pack.input_ids, pack.labels, pack.position_ids, pack.document_ids):
        assert array.dtype == np.int32
        assert not array.flags.writeable
    assert pack.samples == (0, 1)
    assert all(type(index) is int for index in pack.samples)


def test_a_token_equal_to_the_padding_keeps_its_label() -> None:
    """CORRECTNESS 6: with pad = eos, masking by id would teach the model never to stop."""
    pack = assemble_pack([sample([5, PAD])], [0], pad_token_id=PAD, length=3)

    assert pack.labels.tolist() == [-100, PAD, -100]


@given(
    st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=6), max_size=6),
    st.integers(0, 40),
)
def test_documents_come_out_as_they_went_in(documents: list[list[int]], length: int) -> None:
    """CORRECTNESS 2 and 3: ids and labels in their order, positions from 0, nothing predicted across a boundary."""
    samples = [sample(ids) for ids in documents]
    pack = assemble_pack(samples, range(len(samples)), pad_token_id=PAD, length=length)
    size = sum(map(len, documents))

    assert len(pack) == max(size, length)
    for number, ids in enumerate(documents, 1):
        there = pack.document_ids == number
        assert pack.input_ids[there].tolist() == ids
        assert pack.labels[there].tolist() == [-100, *ids[1:]]
        assert pack.position_ids[there].tolist() == list(range(len(ids)))
    padding = pack.document_ids == 0
    assert np.flatnonzero(padding).tolist() == list(range(size, len(pack)))
    assert set(pack.input_ids[padding].tolist()) <= {PAD}
    assert set(pack.labels[padding].tolist()) <= {-100}
    assert pack.position_ids[padding].tolist() == list(range(len(pack) - size))


@pytest.mark.parametrize(
    ("attention", "expected"),
    [("varlen", PackLayout(rows=1, capacity=6144)), ("dense", PackLayout(rows=3, capacity=2048))],
)
def test_the_layout_follows_the_attention(attention: str, expected: PackLayout) -> None:
    assert pack_layout(3, 2048, attention) == expected  # type: ignore[arg-type]
