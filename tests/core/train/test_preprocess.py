"""What is tokenized before a run is not tokenized again by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.data import entry
from ft_core.data.write_tables import write_tables
from ft_core.errors import DataError, ModelError
from ft_core.runs import Run
from ft_core.train.preprocess import describe_samples, preprocess

MakeConfig = Callable[..., Config]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of the datasets whose samples are made, not found."""
    paths: list[str] = []
    original = entry.sieve_batches

    def counted(config: Any, tokenizer: Any, dataset: Any, batches: Any, **keys: Any) -> Any:
        paths.append(Path(dataset.path).name)
        return original(config, tokenizer, dataset, batches, **keys)

    monkeypatch.setattr(entry, "sieve_batches", counted)
    return paths


def test_a_run_starts_from_it(
    make_config: MakeConfig,
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    made: list[str],
) -> None:
    config = make_config(val_set_size=2, sequence_len=12, max_steps=1)
    prepared = preprocess(config)
    run = train(config)

    assert made == ["rows.jsonl"]
    assert run.state == "completed"
    [data] = events(run, "data")
    assert data["train_samples"] == len(prepared.samples.train)
    assert data["train_tokens"] == int(prepared.samples.train.lengths.sum())
    assert data["dropped"] == prepared.samples.dropped


def test_a_run_that_keeps_its_samples_elsewhere_makes_them_there(
    make_config: MakeConfig,
    train: Callable[..., Run],
    made: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A relative folder means the one that the config was written for, though a run works in its own."""
    monkeypatch.chdir(tmp_path)
    config = make_config(dataset_prepared_path="mine", max_steps=1)
    preprocess(config)
    monkeypatch.chdir("/")
    train(load_config(config.to_yaml(absolute_paths=True).replace("/mine", str(tmp_path / "mine"))))
    assert made == ["rows.jsonl"]


def test_rows_of_a_variable_are_those_that_a_run_writes(
    make_config: MakeConfig, train: Callable[..., Run], made: list[str], tmp_path: Path
) -> None:
    rows = [{"text": "One two three."}, {"text": "Four five six."}]
    config = make_config(datasets=[{"path": rows, "type": "completion"}], max_steps=1)
    prepared = preprocess(config)
    train(write_tables(config, tmp_path))

    assert len(made) == 1
    assert prepared.paths == tuple(dataset.path for dataset in config.datasets)


def test_what_is_told(make_config: MakeConfig, rows: Path, prepared_folder: Path) -> None:
    rows.write_text(rows.read_text() + rows.read_text().splitlines()[0] + "\n")
    config = make_config(val_set_size=2, dataset_exact_deduplication=True)
    prepared = preprocess(config)
    [kept] = [path for path in prepared_folder.iterdir() if path.name != "files"]
    lengths = prepared.samples.train.lengths.sum()

    assert prepared.render().splitlines()[:-1] == [
        str(rows),
        f"  13 rows, 13 samples, {prepared.samples.entries[0].table.lengths.sum()} tokens, 100.0% of them trained",
        f"  now kept in {kept}",
        f"to train on     10 samples, {lengths} tokens, 100.0% of them trained",
        f"to evaluate on  2 samples, {prepared.samples.eval.lengths.sum()} tokens, 100.0% of them trained",
        "left out        1 equal to an earlier sample",
    ]
    assert prepared.render().splitlines()[-1].startswith("time            ")
    assert preprocess(config).by_dataset()[0][1][-1] == f"found in {kept}"


def test_what_is_left_out_and_cut_off_is_told(make_config: MakeConfig, rows: Path) -> None:
    row = {"instruction": "Count.", "input": "", "output": "One two three four five six."}
    rows.write_text(f"{json.dumps(row)}\n{json.dumps({**row, 'output': ''})}\n")
    data = [{"path": str(rows), "type": "alpaca"}]
    prepared = preprocess(make_config(datasets=data, sequence_len=36, excess_length_strategy="truncate"))
    assert ("truncated", "1 samples, to sequence_len") in prepared.totals()
    assert prepared.by_dataset()[0][1][1] == "left out: 1 nothing trained"


def test_a_function_of_the_notebook_is_asked_each_time(make_config: MakeConfig, rows: Path) -> None:
    code = "def ask(row):\n    return 'Which?', row['text']\n"
    prepared = preprocess(make_config(datasets=[{"path": str(rows), "type": {"python": code}}]))
    assert prepared.by_dataset()[0][1][-1] == "not kept: what gives its rows may give others the next time"


def test_a_model_that_is_not_there_is_told(make_config: MakeConfig) -> None:
    with pytest.raises(ModelError):
        preprocess(make_config(base_model="no/such"))


def test_samples_in_words(make_config: MakeConfig, rows: Path) -> None:
    rows.write_text(json.dumps({"instruction": "Say it.", "input": "", "output": "Yes."}) + "\n")
    samples = preprocess(make_config(datasets=[{"path": str(rows), "type": "alpaca"}])).samples.train
    ids = samples[0].input_ids.tolist()
    prompt, response, end = samples[0].spans
    lines = list(describe_samples(samples))

    assert lines == [
        f"{rows}, row 1: {len(ids)} tokens, {samples[0].trained} trained",
        f"  masked   prompt     {json.dumps(prompt.text)}  ({prompt.rule.removeprefix('masked: ')})",
        f"           {' '.join(map(str, ids[: prompt.end]))}",
        '  trained  response   "Yes."  (response)',
        f"           {' '.join(map(str, ids[response.start : response.end]))}",
        f'  trained  response   "<|im_end|>"  ({end.rule.removeprefix("trained: ")})',
        f"           {ids[-1]}",
    ]
    assert list(describe_samples(samples, ids=False)) == [lines[0], *lines[1::2]]


def test_a_stop_ends_tokenizing(
    make_config: MakeConfig,
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    prepared_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from ft_core.runs import RunWriter

    phase = RunWriter.phase

    def phase_and_stop(self: RunWriter, name: str, **extra: Any) -> None:
        phase(self, name, **extra)
        if name == "tokenizing":
            Run(self.directory).stop()

    monkeypatch.setattr(RunWriter, "phase", phase_and_stop)
    run = train(make_config())
    assert run.state == "stopped"
    assert events(run, "data") == []
    assert [path.name for path in prepared_folder.iterdir()] == []


def test_streamed_rows_are_not_prepared(make_config: MakeConfig) -> None:
    with pytest.raises(DataError) as caught:
        preprocess(make_config(streaming=True))
    assert (
        caught.value.message
        == "streaming: true tokenizes rows while training, so there is nothing to prepare."
    )
    assert caught.value.fix == "Start the run, or remove streaming."


def test_what_is_prepared_goes_to_the_hub(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    pushed: list[tuple[str, str]] = []

    def push(repository: str, folder: Path) -> bool:
        pushed.append((repository, folder.name))
        return len(pushed) == 1

    monkeypatch.setattr("ft_core.data.hub.push_samples", push)
    monkeypatch.setattr("ft_core.data.hub.fetch_samples", lambda *_: None)
    config = make_config(push_dataset_to_hub="me/data")
    prepared = preprocess(config)
    folder = prepared.samples.entries[0].folder
    assert folder is not None
    assert pushed == [("me/data", folder.name)]
    assert ("on the hub", "1 of 1 datasets put into 'me/data'") in prepared.totals()
    assert ("on the hub", "0 of 1 datasets put into 'me/data', 1 were there") in preprocess(config).totals()
    assert "on the hub" not in dict(preprocess(make_config()).totals())
