from __future__ import annotations

from typing import Any

import pytest

from ft_core.train.logits import logit_bytes, logits_at_a_time

GIB = 1024**3


@pytest.mark.parametrize(
    ("model_config", "keys", "expected"),
    [
        # Llama 3's vocabulary, of which 512 rows are made at a time however many there are
        ({}, {"targets": 100.0}, 100 * 2**17 * 12 + 2 * 100 * 1024 * 2),
        ({}, {"targets": 8192.0}, 512 * 2**17 * 12 + 2 * 8192 * 1024 * 2),
        (
            {},
            {"targets": 8192.0, "head_trains": True},
            2048 * 2**17 * 12 + 2 * 8192 * 1024 * 2 + 2**17 * 1024 * 10,
        ),
        ({"final_logit_softcapping": 30.0}, {"targets": 100.0}, 100 * 2**17 * 16),
        ({"text_config": {"logit_scale": 0.25}}, {"targets": 100.0}, 100 * 2**17 * 16),
        ({"logits_scaling": 1.0}, {"targets": 100.0}, 100 * 2**17 * 12 + 2 * 100 * 1024 * 2),
        ({"final_logit_softcapping": None}, {"targets": 100.0}, 100 * 2**17 * 12 + 2 * 100 * 1024 * 2),
    ],
)
def test_what_the_loss_takes(model_config: dict[str, Any], keys: dict[str, Any], expected: float) -> None:
    settings = {"vocabulary": 2**17, "hidden": 1024, "compute_bytes": 2, "head_trains": False, **keys}
    assert logit_bytes(model_config, **settings) == expected


def test_a_chunk_is_larger_where_it_adds_to_the_gradient_of_the_head() -> None:
    assert [logits_at_a_time(head_trains=trains) * 4 / GIB for trains in (False, True)] == [0.25, 1.0]
