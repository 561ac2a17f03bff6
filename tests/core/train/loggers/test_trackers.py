"""Each tracker told of a real run, offline, and read back by its own reader or format."""

from __future__ import annotations

import json
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.runs import Run
from ft_core.train.loggers.continued import told_before

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]

EXPERIMENT = {"tags": ["t1"], "log_env_details": False}
EVALUATED = {"val_set_size": 4, "eval_steps": 2, "max_steps": 3}


def losses(events: Events, run: Run, kind: str) -> dict[int, float]:
    """Return what the run's own events say of the loss, by step."""
    return {event["step"]: event["loss"] for event in events(run, kind)}


def test_tensorboard(make_config: MakeConfig, train: Train, events: Events) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = train(make_config(use_tensorboard=True, **EVALUATED), "first")
    (told,) = events(run, "tracker")
    assert (told["name"], told["address"]) == ("TensorBoard", str(run.directory / "tensorboard"))
    read = EventAccumulator(told["address"]).Reload()
    assert sorted(read.Tags()["scalars"]) == [
        "eval/loss",
        *(f"train/{name}" for name in ("epoch", "grad_norm", "learning_rate", "loss", "tokens")),
        "train/tokens_per_second",
    ]

    def of(name: str) -> dict[int, float]:
        return {scalar.step: scalar.value for scalar in read.Scalars(name)}

    assert of("train/loss") == pytest.approx(losses(events, run, "step"), rel=1e-6)
    assert of("eval/loss") == pytest.approx(losses(events, run, "eval"), rel=1e-6)
    assert list(of("eval/loss")) == [2, 3]
    (config,) = read.Tensors("config/text_summary")
    assert b"    learning_rate: 0.01\n" in config.tensor_proto.string_val[0]


def wandb_records(directory: Path) -> Iterator[Any]:
    """Yield the records of an offline run: a log in blocks of 32 KiB, each record a header of 7 bytes and its data."""
    from wandb.proto import wandb_internal_pb2

    (file,) = directory.glob("wandb/offline-run-*/*.wandb")
    data, position, parts = file.read_bytes(), 7, b""
    while position + 7 <= len(data):
        if 32768 - position % 32768 < 7:
            position += 32768 - position % 32768
            continue
        _, length, kind = struct.unpack("<IHB", data[position : position + 7])
        parts += data[position + 7 : position + 7 + length]
        position += 7 + length
        if kind in (1, 4):  # whole, or the last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(parts)
            parts = b""
            yield record


def test_wandb_offline(make_config: MakeConfig, train: Train, events: Events) -> None:
    keys = {"wandb_project": "poems", "wandb_mode": "offline", "wandb_entity": "us", "wandb_log_model": "end"}
    run = train(make_config(**keys, **EVALUATED), "first")
    (told,) = events(run, "tracker")
    assert told["name"] == "Weights & Biases"
    assert Path(told["address"]).parent == run.directory / "wandb"
    records = list(wandb_records(run.directory))
    begun = [record.run for record in records if record.HasField("run")]
    assert (begun[0].display_name, begun[0].project, begun[0].entity) == ("first", "poems", "us")
    values = {item.key: json.loads(item.value_json) for item in begun[0].config.update}
    assert values["config"]["learning_rate"] == 0.01
    rows = [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]

    def of(name: str) -> dict[int, float]:
        return {row["train/global_step"]: row[name] for row in rows if name in row}

    assert of("train/loss") == losses(events, run, "step")
    assert of("eval/loss") == losses(events, run, "eval")
    artifacts = [record.request.log_artifact.artifact for record in records if record.HasField("request")]
    artifacts += [record.artifact for record in records if record.HasField("artifact")]
    # In an order that wandb does not promise.
    assert [set(artifact.aliases) for artifact in artifacts if artifact.type == "model"] == [
        {"latest", "final"}
    ]
    assert [record.exit.exit_code for record in records if record.HasField("exit")] == [0]


def test_wandb_watches_gradients(make_config: MakeConfig, train: Train, monkeypatch: Any) -> None:
    import wandb

    watched: list[dict[str, Any]] = []
    monkeypatch.setattr(wandb.Run, "watch", lambda self, model, **given: watched.append(given))
    train(make_config(use_wandb=True, wandb_mode="offline", wandb_watch="gradients", max_steps=1))
    assert watched == [{"log": "gradients", "log_freq": 100}]


def test_mlflow(make_config: MakeConfig, train: Train, events: Events, tmp_path: Path) -> None:
    import mlflow

    store = str(tmp_path / "store")
    keys = {"mlflow_experiment_name": "poems", "mlflow_tracking_uri": store, "hf_mlflow_log_artifacts": True}
    run = train(make_config(**keys, **EVALUATED, save_strategy="steps", save_steps=2), "first")
    (told,) = events(run, "tracker")
    assert (told["name"], told["address"]) == ("MLflow", store)
    client = mlflow.MlflowClient(store)
    experiment = client.get_experiment_by_name("poems")
    assert experiment is not None
    (stored,) = client.search_runs([experiment.experiment_id])
    assert (stored.info.run_name, stored.info.status) == ("first", "FINISHED")
    assert stored.data.params["learning_rate"] == "0.01"
    for kind, name in (("step", "train/loss"), ("eval", "eval/loss")):
        history = {
            metric.step: metric.value for metric in client.get_metric_history(stored.info.run_id, name)
        }
        assert history == losses(events, run, kind)
    assert sorted(item.path for item in client.list_artifacts(stored.info.run_id)) == [
        "checkpoint-2",
        "checkpoint-3",
        "config.yaml",
        "plan.json",
    ]


def test_mlflow_without_an_address_keeps_runs_beside_the_runs(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    run = train(make_config(use_mlflow=True, max_steps=1))
    (told,) = events(run, "tracker")
    assert told["address"] == str(run.directory.parent / "mlruns")


def test_comet_offline(make_config: MakeConfig, train: Train, events: Events) -> None:
    keys = {"comet_project_name": "poems", "comet_online": False, "comet_experiment_config": EXPERIMENT}
    run = train(make_config(**keys, **EVALUATED), "first")
    (told,) = events(run, "tracker")
    assert (told["name"], told["address"]) == ("Comet", str(run.directory / "comet"))
    (archive,) = (run.directory / "comet").glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        begun = json.loads(opened.read("experiment.json"))
        messages = [json.loads(line) for line in opened.read("messages.json").splitlines()]
    assert (begun["project_name"], begun["tags"]) == ("poems", ["t1"])
    metrics = [message["payload"]["metric"] for message in messages if message["type"] == "metric_msg"]

    def of(name: str) -> dict[int, float]:
        return {row["step"]: row["metricValue"] for row in metrics if row["metricName"] == name}

    assert of("train/loss") == losses(events, run, "step")
    assert of("eval/loss") == losses(events, run, "eval")


def test_trackio(make_config: MakeConfig, train: Train, events: Events) -> None:
    from trackio.sqlite_storage import SQLiteStorage

    run = train(make_config(trackio_project_name="poems", **EVALUATED), "first")
    (told,) = events(run, "tracker")
    assert told["name"] == "Trackio"
    assert told["address"] == 'trackio show --project "poems"'
    rows = SQLiteStorage.get_logs("poems", "first")
    for kind, name in (("step", "train/loss"), ("eval", "eval/loss")):
        assert {row["step"]: row[name] for row in rows if name in row} == losses(events, run, kind)
    config = SQLiteStorage.get_run_config("poems", "first")
    assert config is not None
    assert config["config"]["learning_rate"] == 0.01


def test_what_goes_on_from_a_checkpoint_is_one_run_of_each_tracker(
    make_config: MakeConfig, train: Train, events: Events, tmp_path: Path
) -> None:
    import mlflow
    from trackio.sqlite_storage import SQLiteStorage

    store = str(tmp_path / "store")
    keys: dict[str, Any] = {
        "wandb_project": "poems",
        "wandb_mode": "offline",
        "mlflow_experiment_name": "poems",
        "mlflow_tracking_uri": store,
        "trackio_project_name": "poems",
        "use_tensorboard": True,
    }
    first = train(make_config(**keys, max_steps=2, save_strategy="steps", save_steps=2), "first")
    checkpoint = str(first.directory / "checkpoints" / "checkpoint-2")
    second = train(make_config(**keys, max_steps=4, resume_from_checkpoint=checkpoint), "second")
    assert (second.state, events(second, "warning")) == ("completed", [])
    names, again = (
        {event["name"]: event["identifier"] for event in events(run, "tracker")} for run in (first, second)
    )
    assert names == again
    assert names["Trackio"] == "first"
    assert names["TensorBoard"] == ""
    both = losses(events, first, "step") | losses(events, second, "step")
    assert list(both) == [1, 2, 3, 4]

    # Weights & Biases takes what an offline run of the same identifier has as its continuation.
    (begun,) = (record.run for record in wandb_records(second.directory) if record.HasField("run"))
    assert begun.run_id == names["Weights & Biases"]
    client = mlflow.MlflowClient(store)
    stored = client.get_run(names["MLflow"])
    assert stored.info.status == "FINISHED"
    assert stored.data.params["max_steps"] == "2"
    history = client.get_metric_history(stored.info.run_id, "train/loss")
    assert {metric.step: metric.value for metric in history} == both
    rows = SQLiteStorage.get_logs("poems", "first")
    assert {row["step"]: row["train/loss"] for row in rows if "train/loss" in row} == both


def test_mlflow_begins_anew_where_the_store_has_no_such_run(
    make_config: MakeConfig, train: Train, events: Events, tmp_path: Path
) -> None:
    keys: dict[str, Any] = {"use_mlflow": True, "save_strategy": "steps", "save_steps": 1}
    first = train(make_config(**keys, mlflow_tracking_uri=str(tmp_path / "one"), max_steps=1))
    checkpoint = str(first.directory / "checkpoints" / "checkpoint-1")
    other = {"mlflow_tracking_uri": str(tmp_path / "other"), "resume_from_checkpoint": checkpoint}
    second = train(make_config(**keys, **other, max_steps=2))
    assert (second.state, events(second, "warning")) == ("completed", [])
    ((one,), (two,)) = (events(run, "tracker") for run in (first, second))
    assert one["identifier"] != two["identifier"]


def test_a_checkpoint_that_no_run_saved_continues_nothing(tmp_path: Path) -> None:
    (tmp_path / "a" / "checkpoint-1").mkdir(parents=True)
    assert told_before(str(tmp_path / "a" / "checkpoint-1")) == {}
    assert told_before(None) == {}


def test_a_run_that_fails_is_told_as_failed(
    make_config: MakeConfig, train: Train, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import mlflow

    from ft_core.train.callbacks import RunCallback

    def broken(*_: Any, **__: Any) -> None:
        raise TypeError("broken")

    monkeypatch.setattr(RunCallback, "on_step_end", broken)
    store = str(tmp_path / "store")
    run = train(make_config(use_mlflow=True, mlflow_tracking_uri=store))
    assert run.state == "failed"
    (stored,) = mlflow.MlflowClient(store).search_runs(["0"])
    assert stored.info.status == "FAILED"


def test_nothing_is_imported_that_is_not_asked_for(
    make_config: MakeConfig, train: Train, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("wandb", "mlflow", "comet_ml", "trackio", "torch.utils.tensorboard"):
        monkeypatch.setitem(sys.modules, name, None)
    run = train(make_config(max_steps=1, use_wandb=True, wandb_mode="disabled"))
    assert run.state == "completed"
