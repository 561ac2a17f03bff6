from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ft_core.config import Config
from ft_core.data import Sample, drop_reason, load_samples
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]


@pytest.fixture
def prepare(
    make_config: MakeConfig, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    """Return a function from rows, keys of the dataset and of the config to the samples."""
    monkeypatch.chdir(tmp_path)

    def run(
        rows: list[dict[str, Any]],
        dataset: dict[str, Any] | None = None,
        on_progress: Any = None,
        **keys: Any,
    ) -> Any:
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        config = make_config({"path": "rows.jsonl", **(dataset or {})}, **keys)
        return load_samples(config, tokenizer, on_progress=on_progress)

    return run


def chat(answer: str, role: str = "assistant") -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "Say it."}, {"role": role, "content": answer}]}


def texts(count: int) -> list[dict[str, str]]:
    return [{"text": f"Number {number}."} for number in range(count)]


def rows_of(samples: list[Sample]) -> list[int]:
    return [sample.row for sample in samples]


COMPLETION = {"type": "completion"}
CHATML = {"chat_template": "chatml"}
REPEATED = [{"text": text} for text in ("a b", "c d", "a b", "e f", "c d", "a b")]


class TestOrder:
    def test_the_seed_decides_it(self, prepare: Callable[..., Any]) -> None:
        first = rows_of(prepare(texts(20), COMPLETION, seed=42).train)

        # The permutation of the datasets library for this seed, which Axolotl has too.
        assert first == np.random.default_rng(42).permutation(20).tolist()
        assert rows_of(prepare(texts(20), COMPLETION, seed=42).train) == first
        assert rows_of(prepare(texts(20), COMPLETION, seed=7).train) != first

    def test_it_is_that_of_the_datasets_library(self, prepare: Callable[..., Any]) -> None:
        from datasets import Dataset

        shuffled = Dataset.from_list(texts(20)).shuffle(seed=42)["text"]

        assert [f"Number {row}." for row in rows_of(prepare(texts(20), COMPLETION, seed=42).train)] == list(
            shuffled
        )

    def test_it_may_be_that_of_the_file(self, prepare: Callable[..., Any]) -> None:
        assert rows_of(prepare(texts(5), COMPLETION, shuffle_merged_datasets=False).train) == [0, 1, 2, 3, 4]

    def test_datasets_follow_each_other(self, prepare: Callable[..., Any]) -> None:
        Path("other.jsonl").write_text(json.dumps(chat("Yes.")) + "\n")
        entries = [{"path": "rows.jsonl", **COMPLETION}, {"path": "other.jsonl", "type": "chat_template"}]
        samples = prepare(texts(2), datasets=entries, shuffle_merged_datasets=False)

        assert [(sample.source, sample.row) for sample in samples.train] == [
            ("rows.jsonl", 0), ("rows.jsonl", 1), ("other.jsonl", 0),
        ]  # fmt: skip


class TestEvaluation:
    @pytest.mark.parametrize(("val_set_size", "held_out"), [(0, 0), (0.1, 2), (0.11, 3), (5, 5)])
    def test_val_set_size_takes_the_last(
        self, val_set_size: float, held_out: int, prepare: Callable[..., Any]
    ) -> None:
        order = np.random.default_rng(42).permutation(20).tolist()
        samples = prepare(texts(20), COMPLETION, val_set_size=val_set_size, seed=42)

        assert rows_of(samples.train) == order[: 20 - held_out]
        assert rows_of(samples.eval) == order[20 - held_out :]

    @pytest.mark.parametrize("val_set_size", [0.99, 5])
    def test_it_must_leave_something(self, val_set_size: float, prepare: Callable[..., Any]) -> None:
        with pytest.raises(
            DataError, match=f"val_set_size: {val_set_size:g} leaves none of 5 samples to train on"
        ):
            prepare(texts(5), COMPLETION, val_set_size=val_set_size)

    def test_test_datasets_are_it(self, prepare: Callable[..., Any]) -> None:
        Path("test.jsonl").write_text('{"text": "Held out."}\n')
        samples = prepare(
            texts(5), COMPLETION, test_datasets=[{"path": "test.jsonl", "split": "test", **COMPLETION}]
        )

        assert (len(samples.train), [sample.source for sample in samples.eval]) == (5, ["test.jsonl"])


class TestLeftOut:
    def test_too_long_nothing_trained_and_too_short_are_counted(self, prepare: Callable[..., Any]) -> None:
        rows = [chat("Yes."), chat("very " * 30), chat(""), chat("No.", role="user")]
        samples = prepare(rows, CHATML, sequence_len=32)

        assert rows_of(samples.train) == [0]
        assert samples.dropped == {"longer than sequence_len": 1, "nothing trained": 2}

        # An empty text has no token at all.
        samples = prepare([{"text": "One."}, {"text": ""}], COMPLETION)
        assert samples.dropped == {"shorter than 2 tokens": 1}

    def test_truncated_samples_are_counted(self, prepare: Callable[..., Any]) -> None:
        """CORRECTNESS 25."""
        rows = [chat("Yes."), chat("very " * 30)]
        samples = prepare(rows, CHATML, sequence_len=32, excess_length_strategy="truncate")

        assert (len(samples.train), samples.truncated, samples.dropped) == (2, 1, {})
        assert sorted(sample.cut > 0 for sample in samples.train) == [False, True]

    def test_a_truncation_that_eats_the_answer_is_an_error_when_none_is_left(
        self, prepare: Callable[..., Any]
    ) -> None:
        """CORRECTNESS 8."""
        with pytest.raises(DataError) as caught:
            prepare([chat("Yes.")], CHATML, sequence_len=8, excess_length_strategy="truncate")

        assert caught.value.message == "No sample is left to train on: 1 nothing trained."
        assert "truncation cut off what is trained" in caught.value.fix

    def test_a_wrong_role_name_is_an_error_with_the_rule(self, prepare: Callable[..., Any]) -> None:
        """CORRECTNESS 8: loss 0.0 would look healthy."""
        with pytest.raises(DataError) as caught:
            prepare([chat("Yes.", role="model"), chat("No.", role="model")], CHATML)

        assert caught.value.message == "No sample is left to train on: 2 nothing trained."
        assert "masked: role model is not in roles_to_train" in caught.value.fix

    def test_all_too_long_is_an_error_with_the_way_out(self, prepare: Callable[..., Any]) -> None:
        with pytest.raises(DataError) as caught:
            prepare([chat("Yes.")], CHATML, sequence_len=8)

        assert caught.value.message == "No sample is left to train on: 1 longer than sequence_len."
        assert caught.value.fix == "Raise sequence_len (it is 8), or set excess_length_strategy: truncate."

    def test_raise_names_the_row(self, prepare: Callable[..., Any]) -> None:
        with pytest.raises(DataError) as caught:
            prepare(
                [chat("Yes."), chat("very " * 30)], CHATML, sequence_len=32, excess_length_strategy="raise"
            )

        assert caught.value.message == "rows.jsonl, row 2: 45 tokens are more than sequence_len (32)."

    def test_a_label_on_the_first_token_alone_trains_nothing(self, make_config: MakeConfig) -> None:
        ids = np.array([5, 6, 7])

        assert (
            drop_reason(make_config(), Sample(ids, np.array([5, -100, -100]), (), 0, "")) == "nothing trained"
        )
        assert drop_reason(make_config(), Sample(ids, np.array([5, -100, 7]), (), 0, "")) is None


def test_progress_counts_rows(prepare: Callable[..., Any]) -> None:
    seen: list[tuple[int, int | None]] = []
    prepare(texts(300), COMPLETION, on_progress=lambda done, total: seen.append((done, total)))

    assert seen == [(256, 300), (300, 300)]


def test_a_template_that_never_ends_a_turn_is_a_warning(prepare: Callable[..., Any]) -> None:
    keys = {
        "chat_template": "jinja",
        "chat_template_jinja": "{% for m in messages %}{{ m.content }}<end>{% endfor %}",
    }

    [warning] = prepare([chat("Yes.")], keys).warnings
    assert warning == (
        "The chat template never writes '<|im_end|>', so the model does not learn to end its turn; "
        "set eot_tokens to the token that does end a turn in this template."
    )
    assert prepare([chat("Yes.")], CHATML).warnings == ()


class TestShortest:
    def test_min_sample_len_is_the_shortest_that_is_kept(self, prepare: Callable[..., Any]) -> None:
        rows = [{"text": "One"}, {"text": "One two three four"}, {"text": "One two three four five"}]
        lengths = prepare(rows, COMPLETION, shuffle_merged_datasets=False).train.lengths.tolist()
        assert lengths == [2, 5, 6]
        samples = prepare(rows, COMPLETION, min_sample_len=6)
        assert (samples.train.lengths.tolist(), samples.dropped) == ([6], {"shorter than 6 tokens": 2})

    def test_one_token_is_never_enough(self, prepare: Callable[..., Any]) -> None:
        rows = [{"text": ""}, {"text": "One two"}]
        assert prepare(rows, COMPLETION, min_sample_len=1).dropped == {"shorter than 2 tokens": 1}

    def test_none_left_says_which_key(self, prepare: Callable[..., Any]) -> None:
        with pytest.raises(DataError) as caught:
            prepare([{"text": "One"}], COMPLETION, min_sample_len=10)
        assert caught.value.message == "No sample is left to train on: 1 shorter than 10 tokens."
        assert caught.value.fix == "Lower min_sample_len (it is 10)."


class TestDeduplication:
    def test_the_first_in_the_order_of_training_stays(self, prepare: Callable[..., Any]) -> None:
        keys = {"dataset_exact_deduplication": True}
        samples = prepare(REPEATED, COMPLETION, shuffle_merged_datasets=False, **keys)
        assert rows_of(samples.train) == [0, 1, 3]
        assert samples.dropped == {"equal to an earlier sample": 3}

        order = np.random.default_rng(42).permutation(6).tolist()
        texts = [REPEATED[row]["text"] for row in order]
        first = [row for place, row in enumerate(order) if texts.index(texts[place]) == place]
        assert rows_of(prepare(REPEATED, COMPLETION, **keys).train) == first

    def test_without_it_all_stay(self, prepare: Callable[..., Any]) -> None:
        samples = prepare(REPEATED, COMPLETION)
        assert (len(samples.train), samples.dropped) == (6, {})

    def test_equal_ids_with_other_labels_are_another_sample(self, prepare: Callable[..., Any]) -> None:
        entries = [
            {"path": "rows.jsonl", "type": "chat_template", "roles_to_train": roles, **CHATML}
            for roles in (["assistant"], ["user"], ["assistant"])
        ]
        samples = prepare(
            [chat("Yes.")], datasets=entries, shuffle_merged_datasets=False, dataset_exact_deduplication=True
        )
        assert (len(samples.train), samples.dropped) == (2, {"equal to an earlier sample": 1})

    def test_what_is_trained_on_is_not_evaluated_on(self, prepare: Callable[..., Any]) -> None:
        Path("test.jsonl").write_text('{"text": "a b"}\n{"text": "x y"}\n{"text": "x y"}\n')
        test = [{"path": "test.jsonl", **COMPLETION}]
        samples = prepare(REPEATED, COMPLETION, test_datasets=test, dataset_exact_deduplication=True)
        assert (len(samples.train), rows_of(samples.eval)) == (3, [1])
        assert samples.dropped == {"equal to an earlier sample": 5}

    def test_nothing_left_to_evaluate_on_is_an_error(self, prepare: Callable[..., Any]) -> None:
        Path("test.jsonl").write_text('{"text": "a b"}\n')
        test = [{"path": "test.jsonl", **COMPLETION}]
        with pytest.raises(DataError) as caught:
            prepare(REPEATED, COMPLETION, test_datasets=test, dataset_exact_deduplication=True)
        assert caught.value.message == "No sample is left to evaluate on: 1 equal to an earlier sample."
        assert caught.value.fix == "Give other rows for it, or remove dataset_exact_deduplication."

    def test_val_set_size_is_of_what_is_left(self, prepare: Callable[..., Any]) -> None:
        samples = prepare(REPEATED, COMPLETION, val_set_size=1, dataset_exact_deduplication=True)
        assert (len(samples.train), len(samples.eval)) == (2, 1)


class TestShufflingBeforeMerging:
    def order(self, prepare: Callable[..., Any], datasets: int, **keys: Any) -> list[tuple[str, int]]:
        paths = ["rows.jsonl", "other.jsonl"][:datasets]
        Path("other.jsonl").write_text("".join(json.dumps(row) + "\n" for row in texts(4)))
        entries = [{"path": path, **COMPLETION} for path in paths]
        samples = prepare(texts(6), datasets=entries, shuffle_before_merging_datasets=True, **keys)
        return [(sample.source, sample.row) for sample in samples.train]

    def test_each_dataset_is_shuffled_by_itself(self, prepare: Callable[..., Any]) -> None:
        from datasets import Dataset, concatenate_datasets

        kept = self.order(prepare, 2, shuffle_merged_datasets=False)
        one, two = (Dataset.from_dict({"row": range(count)}).shuffle(seed=42) for count in (6, 4))
        assert kept == [("rows.jsonl", row) for row in one["row"]] + [
            ("other.jsonl", row) for row in two["row"]
        ]

        mixed = concatenate_datasets([one, two]).shuffle(seed=42)["row"]
        assert [row for _, row in self.order(prepare, 2)] == list(mixed)

    def test_one_dataset_has_nothing_to_be_joined_with(self, prepare: Callable[..., Any]) -> None:
        assert [row for _, row in self.order(prepare, 1, shuffle_merged_datasets=False)] == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("index", "trained", "held_out"),
    [(0, [0, 1, 2], [3]), (1, [4, 5], [6]), (2, [7, 8], [9])],
)
def test_a_part_of_all_samples(
    prepare: Callable[..., Any], index: int, trained: list[int], held_out: list[int]
) -> None:
    keys = {"dataset_shard_num": 3, "dataset_shard_idx": index, "val_set_size": 1}
    samples = prepare(texts(10), COMPLETION, shuffle_merged_datasets=False, **keys)
    assert (rows_of(samples.train), rows_of(samples.eval)) == (trained, held_out)


def test_more_parts_than_samples(prepare: Callable[..., Any]) -> None:
    with pytest.raises(DataError) as caught:
        prepare(texts(2), COMPLETION, dataset_shard_num=3, dataset_shard_idx=2)
    assert caught.value.message == "dataset_shard_num: 3 parts of 2 samples leave none in part 2."


def test_of_streamed_data_only_tests_are_prepared(prepare: Callable[..., Any]) -> None:
    tests = [{"path": "rows.jsonl", "type": "completion", "split": "train[:2]"}]
    samples = prepare(texts(5), COMPLETION, streaming=True, max_steps=3, test_datasets=tests)
    assert (rows_of(samples.train), rows_of(samples.eval)) == ([], [0, 1])
    assert [entry.path for entry in samples.entries] == ["rows.jsonl"]
    samples = prepare(texts(5), COMPLETION, streaming=True, max_steps=3)
    assert (samples.entries, len(samples.train), len(samples.eval)) == ((), 0, 0)
