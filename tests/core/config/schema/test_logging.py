"""Keys of the log and of trackers."""

from __future__ import annotations

import pytest

from ft_core.config import explain, load_config

IN_THE_NOTEBOOK = "remove it: the loss curve is drawn in the notebook and kept in the run's events.jsonl"
IN_THE_ENVIRONMENT = (
    "set the environment variable COMET_API_KEY and remove the line: a config is kept with its run and shared"
)
NOT_PROFILED = "remove it: the dashboard shows the time of each step"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("logging_steps: 10", 10),
        ("use_wandb: true", True),
        ("wandb_project: a", "a"),
        ("wandb_entity: a", "a"),
        ("wandb_name: a", "a"),
        ("wandb_run_id: a", "a"),
        ("wandb_mode: offline", "offline"),
        ("wandb_watch: gradients", "gradients"),
        ("wandb_watch: 'false'", "false"),
        ("wandb_watch: false", "false"),
        ("wandb_log_model: checkpoint", "checkpoint"),
        ("use_mlflow: true", True),
        ("mlflow_tracking_uri: http://localhost:5000", "http://localhost:5000"),
        ("mlflow_experiment_name: a", "a"),
        ("mlflow_run_name: a", "a"),
        ("hf_mlflow_log_artifacts: true", True),
        ("use_comet: true", True),
        ("comet_api_key: a", "a"),
        ("comet_workspace: a", "a"),
        ("comet_project_name: a", "a"),
        ("comet_experiment_key: a", "a"),
        ("comet_mode: create", "create"),
        ("comet_experiment_config: {tags: [a]}", {"tags": ["a"]}),
        ("use_tensorboard: true", True),
        ("use_trackio: true", True),
        ("trackio_project_name: a", "a"),
        ("trackio_run_name: a", "a"),
        ("trackio_space_id: a/b", "a/b"),
        ("use_swanlab: true", True),
        ("swanlab_project: a", "a"),
        ("swanlab_experiment_name: a", "a"),
        ("swanlab_description: a", "a"),
        ("swanlab_mode: local", "local"),
        ("swanlab_completion_log_interval: 50", 50),
        ("swanlab_completion_max_buffer: 64", 64),
        ("use_otel_metrics: true", True),
        ("otel_metrics_host: 0.0.0.0", "0.0.0.0"),
        ("otel_metrics_port: 9000", 9000),
        ("profiler_steps: 3", 3),
        ("profiler_steps_start: 10", 10),
        ("comet_online: false", False),
        ("swanlab_log_completions: true", True),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("logging_steps: 0", "must be at least 1, not 0", ""),
        ("use_wandb: wandb", "must be true or false, not 'wandb'", ""),
        ("wandb_name: 7", "must be text, not 7", "put it in quotes if it is meant as text"),
        (
            "wandb_mode: of line",
            "cannot be 'of line'; did you mean 'offline'?",
            "use 'online', 'offline' or 'disabled'",
        ),
        ("wandb_watch: true", "cannot be true", "use 'gradients', 'parameters', 'all' or 'false'"),
        (
            "wandb_log_model: checkpoints",
            "cannot be 'checkpoints'; did you mean 'checkpoint'?",
            "use 'checkpoint', 'end' or 'false'",
        ),
        ("comet_mode: new", "cannot be 'new'", "use 'get_or_create', 'get' or 'create'"),
        ("comet_experiment_config: [a]", "must be a map of 'name: value' lines, not a list", ""),
        (
            "swanlab_mode: clouds",
            "cannot be 'clouds'; did you mean 'cloud'?",
            "use 'cloud', 'local', 'offline' or 'disabled'",
        ),
        ("otel_metrics_port: 70000", "must be at least 1 and at most 65535, not 70000", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("comet_api_key: a", IN_THE_ENVIRONMENT),
        ("use_swanlab: true", IN_THE_NOTEBOOK),
        ("swanlab_project: a", IN_THE_NOTEBOOK),
        ("swanlab_experiment_name: a", IN_THE_NOTEBOOK),
        ("swanlab_description: a", IN_THE_NOTEBOOK),
        ("swanlab_mode: local", IN_THE_NOTEBOOK),
        ("swanlab_completion_log_interval: 50", IN_THE_NOTEBOOK),
        ("swanlab_completion_max_buffer: 64", IN_THE_NOTEBOOK),
        ("use_otel_metrics: true", IN_THE_NOTEBOOK),
        ("otel_metrics_host: 0.0.0.0", IN_THE_NOTEBOOK),
        ("otel_metrics_port: 9000", IN_THE_NOTEBOOK),
        ("profiler_steps: 3", NOT_PROFILED),
        ("profiler_steps_start: 10", NOT_PROFILED),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]


@pytest.mark.parametrize(
    "line",
    [
        "use_wandb: false",
        "wandb_project:",
        "wandb_name: ''",
        "wandb_watch: false",
        "use_comet: false",
        "comet_online: true",
        "use_tensorboard: false",
        "otel_metrics_host: localhost",
        "otel_metrics_port: 8000",
        "swanlab_log_completions: true",
        "swanlab_completion_log_interval: 100",
        "profiler_steps_start: 0",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("logging_steps", 1),
        ("comet_online", True),
        ("swanlab_log_completions", True),
        ("swanlab_completion_log_interval", 100),
        ("swanlab_completion_max_buffer", 128),
        ("otel_metrics_host", "localhost"),
        ("otel_metrics_port", 8000),
        ("profiler_steps_start", 0),
    ],
)
def test_defaults(key, default):
    assert explain(key).default == default


@pytest.mark.parametrize(
    ("line", "key", "reason"),
    [
        ("wandb_project: a", "use_wandb", "wandb_project is given"),
        ("mlflow_experiment_name: a", "use_mlflow", "mlflow_experiment_name is given"),
        ("comet_project_name: a", "use_comet", "comet_project_name is given"),
    ],
)
def test_a_project_switches_its_tracker_on(required, line, key, reason):
    config = load_config(required + line)
    assert (getattr(config, key), config.origin(key).reason) == (True, reason)
    assert getattr(load_config(f"{required}{line}\n{key}: false"), key) is False


def test_a_secret_is_in_no_copy_of_the_config(errors, required):
    (problem,) = errors(f"{required}comet_api_key: hunter2")
    assert "hunter2" not in str(problem)


@pytest.mark.parametrize(
    ("uri", "stored"),
    [
        ("http://localhost:5000", "http://localhost:5000"),
        ("databricks", "databricks"),
        ("file:///data/mlruns", "file:///data/mlruns"),
        ("mlruns", "{here}/mlruns"),
        ("sqlite:///mlflow.db", "sqlite:///{here}/mlflow.db"),
    ],
)
def test_a_store_of_mlflow_is_the_same_from_any_folder(tmp_path, monkeypatch, required, uri, stored):
    monkeypatch.chdir(tmp_path)
    text = load_config(f"{required}mlflow_tracking_uri: {uri}\nuse_mlflow: true").to_yaml(absolute_paths=True)
    assert f"mlflow_tracking_uri: {stored.format(here=tmp_path)}\n" in text
