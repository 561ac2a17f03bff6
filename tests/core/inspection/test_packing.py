"""Samples in rows, as training lays them and in the other ways."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ft_core.config import Config, load_config
from ft_core.data import Sample
from ft_core.inspection.packing import Layout, layout_pack, pack_layouts
from ft_core.train.batches import make_rows

PAD = 0


def make(**keys: Any) -> Config:
    keys = {"sequence_len": 10, "micro_batch_size": 2, **keys}
    datasets = [{"path": "x", "type": "completion"}]
    return load_config(
        {"base_model": "a/b", "learning_rate": 1e-4, "datasets": datasets, **keys}, check_paths=False
    )


def make_samples(lengths: list[int]) -> list[Sample]:
    """Return samples whose ids tell them apart, the first half of each masked."""
    samples: list[Sample] = []
    for number, length in enumerate(lengths):
        ids = np.arange(length) + 100 * (number + 1)
        labels = np.where(np.arange(length) < length // 2, -100, ids)
        samples.append(Sample(ids, labels, (), number, "x"))
    return samples


def layout(config: Config, lengths: list[int], name: str, **options: Any) -> Layout:
    return next(each for each in pack_layouts(config, lengths, **options) if each.name == name)


LENGTHS = [3, 3, 3, 7, 7, 7]


@pytest.mark.parametrize(
    ("name", "keys", "bins", "widths", "fill"),
    [
        ("packed", {}, [[0, 3], [1, 4], [2, 5]], [10, 10, 10], 1.0),
        ("sequential", {}, [[0, 1, 2], [3], [4], [5]], [10, 10, 10, 10], 0.75),
        ("packed", {"multipack_real_batches": False, "sample_packing": True}, [[0, 1, 3, 4], [2, 5]], [20, 20], 0.75),
        ("packed", {"sample_packing_bin_size": 1}, [[0], [1], [2], [3], [4], [5]], [10] * 6, 0.5),
        ("packed", {"attn_implementation": "flash_attention_2"}, [[0, 1, 3, 4], [2, 5]], [20, 20], 0.75),
        # The epoch's order is 3 2 5 4 1 0.
        ("padded", {"seed": 42}, [[0], [1], [2], [3], [4], [5]], [3, 3, 7, 7, 7, 7], 30 / 34),
        ("padded", {"seed": 1}, [[0], [1], [2], [3], [4], [5]], [7, 3, 3, 7, 7, 7], 30 / 34),
        ("padded", {"group_by_length": True}, [[0], [1], [2], [3], [4], [5]], [3, 3, 7, 7, 7, 7], 30 / 34),
        ("padded", {"pad_to_sequence_len": True}, [[0], [1], [2], [3], [4], [5]], [10] * 6, 0.5),
        ("padded", {"sample_packing": True}, [[0], [1], [2], [3], [4], [5]], [3, 3, 7, 7, 7, 7], 30 / 34),
        ("flattened", {"batch_flattening": True}, [[3, 2], [5, 4], [1, 0]], [10, 14, 6], 1.0),
    ],
)  # fmt: skip
def test_layouts(name: str, keys: dict[str, Any], bins: list[Any], widths: list[int], fill: float) -> None:
    found = layout(make(**keys), LENGTHS, name)
    assert [each.tolist() for each in found.bins] == bins
    assert found.widths.tolist() == widths
    assert found.fill == pytest.approx(fill)
    assert (found.rows, found.samples, found.tokens) == (len(bins), 6, 30)
    assert found.samples_per_row == 6 / len(bins)


@pytest.mark.parametrize(
    ("keys", "evaluation", "names"),
    [
        ({}, False, ["padded", "packed", "sequential"]),
        ({"sample_packing": True}, False, ["packed", "sequential", "padded"]),
        ({"sample_packing": True, "sample_packing_sequentially": True}, False, ["sequential", "packed", "padded"]),
        ({"batch_flattening": True}, False, ["flattened", "packed", "sequential", "padded"]),
        ({"sample_packing": True, "eval_sample_packing": False, "val_set_size": 2}, True, ["padded", "packed", "sequential"]),
    ],
)  # fmt: skip
def test_the_way_of_the_config_comes_first(keys: dict[str, Any], evaluation: bool, names: list[str]) -> None:
    layouts = pack_layouts(make(**keys), LENGTHS, evaluation=evaluation)
    assert [each.name for each in layouts] == names
    assert [each.current for each in layouts] == [True] + [False] * (len(names) - 1)
    assert all(each.title and each.description.endswith(".") for each in layouts)


def test_nothing_to_lay_out() -> None:
    for found in pack_layouts(make(batch_flattening=True), []):
        assert (found.rows, found.fill, found.samples_per_row, found.widths.tolist()) == (0, 1.0, 0.0, [])


WAYS: list[dict[str, Any]] = [
    {"sample_packing": True},
    {"sample_packing": True, "sample_packing_bin_size": 2},
    {"sample_packing": True, "multipack_real_batches": False},
    {"sample_packing": True, "pad_to_sequence_len": False},
    {"sample_packing": True, "sample_packing_sequentially": True},
    {"batch_flattening": True},
    {"batch_flattening": True, "pad_to_sequence_len": True, "group_by_length": True},
    {},
    {"pad_to_sequence_len": True},
    {"group_by_length": True, "gradient_accumulation_steps": 2},
]


@given(lengths=st.lists(st.integers(1, 10), min_size=1, max_size=40), seed=st.integers(0, 5))
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("keys", WAYS, ids=lambda keys: ", ".join(keys) or "default")
@pytest.mark.parametrize("evaluation", [False, True])
def test_rows_are_those_that_a_training_step_receives(
    keys: dict[str, Any], evaluation: bool, lengths: list[int], seed: int
) -> None:
    config = make(seed=seed, val_set_size=1, **keys)
    samples = make_samples(lengths)
    rows = make_rows(config, samples, lengths, pad_token_id=PAD, evaluation=evaluation)
    order = rows.order(
        rank=0,
        world_size=1,
        accumulation=config.gradient_accumulation_steps,
        seed=None if evaluation else config.seed,
    )
    found = pack_layouts(config, lengths, evaluation=evaluation)[0]

    step = 0
    for number, batch in enumerate(order.batches(0)):
        tensors = rows.collate([rows.items[row] for row in batch])
        shown = [number] if found.name == "flattened" else batch
        packs = [
            layout_pack(found, row, [samples[int(at)] for at in found.bins[row]], pad_token_id=PAD)
            for row in shown
        ]
        for name in ("input_ids", "labels", "position_ids", "document_ids"):
            if name not in tensors:
                continue  # rows of one sample have neither positions nor documents
            received = tensors[name].numpy().astype(np.int32)
            if found.name == "padded" and name == "labels":
                received[:, 0] = -100  # nothing predicts the first token, so its label says nothing
            assert received.tobytes() == np.stack([getattr(pack, name) for pack in packs]).tobytes()
        step += 1
    assert step == len(order)


def test_samples_of_about_one_length_share_a_step_of_several_micro_batches() -> None:
    config = make(group_by_length=True, gradient_accumulation_steps=2)
    lengths = np.random.default_rng(0).integers(1, 11, 250)
    found = pack_layouts(config, lengths)[0]
    rows = make_rows(config, [], lengths, pad_token_id=PAD)
    rows = replace(rows, items=range(250))
    order = rows.order(rank=0, world_size=1, accumulation=2, seed=config.seed)
    for batch in order.batches(0):
        assert found.widths[batch].tolist() == [lengths[batch].max()] * len(batch)


@pytest.mark.parametrize("keys", [{"sample_packing": True}, {"batch_flattening": True}])
def test_a_million_samples_take_no_time(keys: dict[str, Any]) -> None:
    random = np.random.default_rng(0)
    lengths = np.minimum(random.lognormal(5, 1, 1_000_000).astype(np.int64) + 1, 2048)
    config = make(sequence_len=2048, **keys)
    seconds: list[float] = []
    for _ in range(2):
        began = time.process_time()
        layouts = pack_layouts(config, lengths)
        seconds.append(time.process_time() - began)
    assert all(found.samples == 1_000_000 for found in layouts)
    # About 1.0 s for all ways together; the slack is for a machine that does other things.
    assert min(seconds) < 6
