"""A tracker that fails, is missing or is told a secret."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config
from ft_core.errors import RunError
from ft_core.runs import Run
from ft_core.train.loggers.asked import asked_kinds
from ft_core.train.loggers.secrets import without_secrets

MakeConfig = Callable[..., Config]
Train = Callable[..., Run]
Events = Callable[[Run, str], list[dict[str, Any]]]

SECRET = "0123456789abcdef0123456789abcdef01234567"


class Broken:
    """A tracker that fails at one thing."""

    address = "https://me:pass@tracker.example/run"
    identifier = "run-7"
    steps: list[int] = []  # noqa: RUF012 - emptied by each test

    def __init__(self, fails: str) -> None:
        self._fails = fails

    def _do(self, what: str) -> None:
        if what == self._fails:
            raise ConnectionError(f"refused for key {SECRET} at https://me:pass@tracker.example\nmore")

    def log(self, step: int, numbers: Any) -> None:
        self.steps.append(step)
        self._do("log")

    def save(self, step: int, checkpoint: Path) -> None:
        assert checkpoint.is_dir()
        self._do("save")

    def end(self, final: Path | None) -> None:
        self._do("end")


@pytest.mark.parametrize(
    ("fails", "steps"), [("log", [1]), ("save", [1, 2]), ("end", [1, 2, 3]), ("nothing", [1, 2, 3])]
)
def test_a_tracker_that_fails_is_one_warning_and_training_goes_on(
    fails: str,
    steps: list[int],
    make_config: MakeConfig,
    train: Train,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", SECRET)
    Broken.steps = []
    monkeypatch.setattr("ft_core.train.loggers.reporting._make", lambda kind, run: Broken(fails))
    run = train(make_config(use_wandb=True, save_strategy="steps", save_steps=2))
    assert run.state == "completed"
    assert Broken.steps == steps
    (told,) = events(run, "tracker")
    assert (told["address"], told["identifier"]) == ("https://tracker.example/run", "run-7")
    warnings = [(event["message"], event["fix"]) for event in events(run, "warning")]
    expected = (
        "Weights & Biases is told nothing more: refused for key *** at https://tracker.example",
        "The run goes on; its own events hold every number.",
    )
    assert warnings == ([] if fails == "nothing" else [expected])
    everything = capsys.readouterr().out + (run.directory / "events.jsonl").read_text()
    assert SECRET not in everything
    assert "me:pass" not in everything


SECRETS = ("WANDB_API_KEY", "COMET_API_KEY", "HF_TOKEN", "MLFLOW_TRACKING_PASSWORD", "TRACKIO_WRITE_TOKEN")


def test_no_file_of_a_run_or_a_tracker_holds_a_secret(
    make_config: MakeConfig,
    train: Train,
    events: Events,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, SECRET)
    keys: dict[str, Any] = {
        "use_wandb": True,
        "wandb_mode": "offline",
        "use_mlflow": True,
        "mlflow_tracking_uri": str(tmp_path / "store"),
        "use_trackio": True,
        "use_tensorboard": True,
    }
    run = train(make_config(max_steps=1, **keys))
    assert len(events(run, "tracker")) == 4
    said = capfd.readouterr()
    assert SECRET not in said.out + said.err
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert len(files) > 20
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []


def test_ranks_after_the_first_tell_nobody(make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    from ft_core.train.callbacks import RunCallback
    from ft_core.train.interrupts import Interrupts
    from ft_core.train.loggers.reporting import Reporting

    def make(kind: Any, run: Any) -> Any:
        raise AssertionError(kind)

    monkeypatch.setattr("ft_core.train.loggers.reporting._make", make)
    config = make_config(use_tensorboard=True, use_wandb=True)
    arguments: Any = None
    callback = RunCallback(config, None, Interrupts())
    with Reporting(config, None, callback, torch.nn.Linear(1, 1)) as reporting:
        reporting.on_log(arguments, arguments, arguments, {"loss": 1.0})
        reporting.on_save(arguments, arguments, arguments)


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        ({"use_wandb": True, "wandb_mode": "online"}, "Weights & Biases"),
        ({"use_comet": True}, "Comet"),
        ({"use_mlflow": True, "mlflow_tracking_uri": "http://127.0.0.1:9"}, "MLflow"),
    ],
)
def test_a_service_without_a_key_or_a_network_is_a_warning(
    keys: dict[str, Any],
    name: str,
    make_config: MakeConfig,
    train: Train,
    events: Events,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    run = train(make_config(max_steps=1, **keys))
    assert run.state == "completed"
    (warning,) = events(run, "warning")
    assert warning["message"].startswith(f"{name} is told nothing more: ")
    assert events(run, "tracker") == []


def test_a_missing_package_is_a_warning_with_the_pip_line(
    make_config: MakeConfig, train: Train, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *_: find(name) if name != "wandb" else None)

    def make(kind: Any, run: Any) -> Any:
        raise RunError("not reached")

    monkeypatch.setattr("ft_core.train.loggers.reporting._make", make)
    run = train(make_config(max_steps=1, use_wandb=True))
    assert run.state == "completed"
    assert [(event["message"], event["fix"]) for event in events(run, "warning")] == [
        (
            "'use_wandb' needs the package 'wandb', which is not installed: Weights & Biases is told nothing.",
            "pip install 'ft-jupyter[wandb]'",
        )
    ]


def test_the_plan_says_where_a_run_is_reported_and_what_is_missing(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ft_core.train import make_plan

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *_: find(name) if name != "comet_ml" else None
    )
    plan = make_plan(make_config(use_comet=True, use_tensorboard=True))
    assert plan.trackers == ("Comet", "TensorBoard")
    assert "reports to  Comet, TensorBoard\n" in plan.render()
    assert "  fix: pip install 'ft-jupyter[comet]'" in plan.render()


def test_trackers_change_nothing_of_the_training(
    make_config: MakeConfig, train: Train, events: Events
) -> None:
    keys = {"lora_dropout": 0.1, "val_set_size": 4, "eval_steps": 1}
    with_trackers = {"use_tensorboard": True, "use_wandb": True, "wandb_mode": "offline"}
    runs = [train(make_config(**keys)), train(make_config(**keys, **with_trackers))]
    assert [event["loss"] for event in events(runs[0], "step")] == [
        event["loss"] for event in events(runs[1], "step")
    ]


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        ({}, []),
        ({"wandb_project": "a"}, ["Weights & Biases"]),
        ({"wandb_project": "a", "use_wandb": False}, []),
        ({"wandb_project": "a", "wandb_mode": "disabled"}, []),
        ({"mlflow_experiment_name": "a"}, ["MLflow"]),
        ({"comet_project_name": "a", "use_tensorboard": True}, ["Comet", "TensorBoard"]),
        ({"trackio_project_name": "a"}, ["Trackio"]),
        ({"trackio_project_name": "a", "use_trackio": False}, []),
    ],
)
def test_what_a_config_asks_for(make_config: MakeConfig, keys: dict[str, Any], names: list[str]) -> None:
    assert [kind.name for kind in asked_kinds(make_config(**keys))] == names


def test_secrets_of_the_environment_are_taken_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("SHORT_KEY", "a")
    assert without_secrets("a hunter2 at postgresql://me:p@host/db") == "a *** at postgresql://host/db"


def test_the_password_of_a_server_stays_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    from ft_core.train.loggers.mlflow import _with_password_in_environment

    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "")
    assert _with_password_in_environment("https://me:pass@host:5000/x") == "https://host:5000/x"
    assert (os.environ["MLFLOW_TRACKING_USERNAME"], os.environ["MLFLOW_TRACKING_PASSWORD"]) == ("me", "pass")
