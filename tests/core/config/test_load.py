"""What is said of a config as a whole: nothing is trained on, or it is no config of a run at all."""

import pytest

from ft_core.config import ConfigError, load_config

RUN = "base_model: org/model\nlearning_rate: 2e-4\n"


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        # What is trained on is named, and refused: it is not missing.
        (
            RUN + "nemo_gym_datasets: [{path: tasks.jsonl}]",
            [(3, 1, "nemo_gym_datasets", "'nemo_gym_datasets' is not supported yet")],
        ),
        # An empty one names nothing.
        (RUN + "pretraining_dataset:", [(None, None, "datasets", "'datasets' is missing")]),
        # One that is no dataset is refused, and nothing is missing.
        (
            RUN + "pretraining_dataset: 3\nmax_steps: 5",
            [
                (
                    3,
                    22,
                    "pretraining_dataset",
                    "'pretraining_dataset' must be a list of maps, one map, or one path, not 3",
                )
            ],
        ),
        # What is wrong in it is told where it stands.
        (
            RUN + "pretraining_dataset:\n- {path: a/b, name: [en, fr]}\n- {name: c, typ: x}\nmax_steps: 5",
            [
                (5, 3, "pretraining_dataset[1].path", "'pretraining_dataset[1]' has no 'path'"),
                (5, 13, "pretraining_dataset[1].typ", "unknown key 'typ'; did you mean 'type'?"),
            ],
        ),
        # Beside it, the other is read as ever.
        (
            RUN + "pretraining_dataset: [{path: a/b}]\ndatasets: [{path: c/d, type: alpacca}]\nmax_steps: 5",
            [
                (
                    3,
                    1,
                    "pretraining_dataset",
                    "'datasets' and 'pretraining_dataset' both say what is trained on",
                ),
                (4, 30, "datasets[0].type", "'type' cannot be 'alpacca'; did you mean 'alpaca'?"),
            ],
        ),
    ],
)
def test_what_is_trained_on(text, problems):
    with pytest.raises(ConfigError) as raised:
        load_config(text)
    found = raised.value.problems
    assert [(problem.line, problem.column, problem.key, problem.message) for problem in found] == problems


@pytest.mark.parametrize(
    ("text", "line", "key"),
    [
        ("# comment\nprovider: some-cloud\nnodes: 2\nmemory: 128", 2, "provider"),
        ("volumes:\n  - {name: data, mount: /data}\ngpu: h100\ngpu_count: 8", 3, "gpu"),
    ],
)
def test_a_launchers_config_is_refused_by_one_problem(text, line, key):
    with pytest.raises(ConfigError) as raised:
        load_config(text)
    (problem,) = raised.value.problems
    assert (problem.line, problem.column, problem.key) == (line, 1, key)
    assert (
        problem.message
        == f"'{key}' is not supported yet: this is the config of a cloud launcher, and not of a run"
    )
    assert problem.fix == "give the config of the run that it launches"


def test_a_launchers_key_in_a_runs_config_is_an_unknown_key(required):
    with pytest.raises(ConfigError) as raised:
        load_config(required + "gpu_count: 8")
    assert [problem.message for problem in raised.value.problems] == ["unknown key 'gpu_count'"]
