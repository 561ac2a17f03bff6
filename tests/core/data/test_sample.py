from __future__ import annotations

import numpy as np
import pytest

from ft_core.data import Sample


def test_arrays_are_int32_and_cannot_be_written() -> None:
    ids = np.array([5, 6, 7])
    sample = Sample(ids, np.array([-100, 6, 7]), (), 0, "rows.jsonl")

    assert (sample.input_ids.dtype, sample.labels.dtype) == (np.int32, np.int32)
    with pytest.raises(ValueError, match="read-only"):
        sample.input_ids[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        sample.labels[0] = 1


def test_the_array_that_was_given_stays_writable() -> None:
    ids = np.array([5, 6, 7], dtype=np.int32)
    Sample(ids, ids, (), 0, "rows.jsonl")

    ids[0] = 1

    assert ids.tolist() == [1, 6, 7]


def test_it_counts_its_tokens_and_those_trained() -> None:
    sample = Sample(np.array([5, 6, 7]), np.array([-100, 6, 7]), (), 0, "rows.jsonl")

    assert (len(sample), sample.trained) == (3, 2)
