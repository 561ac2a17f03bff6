"""Values that are set over those of the text."""

from __future__ import annotations

import pytest

from ft_core.config import ConfigError, Origin, load_config, parse_overrides

KEY_VALUE = "write it as in --set learning_rate=1e-4"
CLOSE = "close every quote, bracket and brace"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ("lora_r=8", {"lora_r": 8}),
        ("learning_rate=1e-4", {"learning_rate": "1e-4"}),
        ("bf16=on", {"bf16": True}),
        ("datasets[0].path=rows.jsonl", {"datasets[0].path": "rows.jsonl"}),
        ("output_dir=", {"output_dir": None}),
        ("output_dir=a: b # c", {"output_dir": "a: b # c"}),
        ("output_dir=@a=b", {"output_dir": "@a=b"}),
        ("output_dir='8'", {"output_dir": "8"}),
        ("output_dir=${x}", {"output_dir": "${x}"}),
        ("eot_tokens=[a, b]", {"eot_tokens": ["a", "b"]}),
        ("optim_args={eps: 1.0}", {"optim_args": {"eps": 1.0}}),
        (" seed = 1 ", {"seed": 1}),
    ],
)
def test_parse(item, expected):
    assert parse_overrides([item]) == expected


def test_the_last_of_two_wins():
    assert parse_overrides(["seed=1", "seed=2"]) == {"seed": 2}


@pytest.mark.parametrize(
    ("item", "message", "fix"),
    [
        ("seed", "--set seed: this is not 'key=value'", KEY_VALUE),
        ("=1", "--set =1: this is not 'key=value'", KEY_VALUE),
        ("a b=1", "--set a b=1: this is not 'key=value'", KEY_VALUE),
        ("datasets[x].path=1", "--set datasets[x].path=1: this is not 'key=value'", KEY_VALUE),
        ("eot_tokens=[a", "--set eot_tokens: '[a' is not a YAML value", CLOSE),
        ("output_dir='a", "--set output_dir: ''a' is not a YAML value", CLOSE),
        ("eot_tokens=" + "[" * 5000, "--set eot_tokens: '" + "[" * 57 + "...' is not a YAML value", CLOSE),
        (
            "seed=1" + ":10" * 199 + ".5",
            f"--set seed: '1{':10' * 18}:1...' is not a YAML value",
            CLOSE,
        ),
        ("seed=2024-13-45", "--set seed: '2024-13-45' is not a YAML value", CLOSE),
    ],
)
def test_parse_refuses(item, message, fix):
    with pytest.raises(ConfigError) as caught:
        parse_overrides([item, "also wrong"])
    problem, other = caught.value.problems
    assert (problem.line, problem.message, problem.fix) == (None, message, fix)
    assert other.message == "--set also wrong: this is not 'key=value'"


def test_overrides_win_and_say_so(required):
    config = load_config(
        required + "seed: 1\nspecial_tokens: {pad_token: a}\n",
        {
            "seed": 2,
            "lora_r": 4,
            "adapter": "lora",
            "datasets[0].path": "other/data",
            "datasets[1]": {"path": "more/data", "type": "alpaca"},
            "special_tokens.eos_token": "b",
            "model_revision": "abc",
        },
    )
    assert (config.seed, config.lora_r, config.adapter, config.revision_of_model) == (2, 4, "lora", "abc")
    assert [dataset.path for dataset in config.datasets] == ["other/data", "more/data"]
    assert (config.special_tokens.pad_token, config.special_tokens.eos_token) == ("a", "b")
    assert config.origin("seed") == Origin("override", None, "--set seed")
    assert config.origin("datasets[0].path") == Origin("override", None, "--set datasets[0].path")
    assert config.origin("datasets[0].type") == Origin("line", 3)
    assert config.origin("datasets[1].type") == Origin("override", None, "--set datasets[1]")
    assert config.origin("special_tokens.pad_token") == Origin("line", 5)
    assert config.origin("revision_of_model") == Origin("override", None, "--set model_revision")


def test_overrides_alone_can_be_a_config(required):
    import yaml

    assert load_config("", yaml.safe_load(required)) == load_config(required)


def test_null_is_the_default(required):
    assert load_config(required + "seed: 1", {"seed": None}).seed == 42


def test_what_an_override_replaces_is_no_longer_wrong(required, errors):
    assert load_config(required + "seed: x", {"seed": 7}).seed == 7
    text = "base_model: $model\nlearning_rate: 1\ndatasets: [{path: $data, type: alpaca}]"
    assert load_config(text, {"base_model": "a/b", "datasets[0].path": "c/d"}).base_model == "a/b"
    assert [problem[2] for problem in errors(text, {"base_model": 3, "datasets[0].path": "c/d"})] == [
        "--set base_model: 'base_model' must be text, not 3"
    ]


def test_an_override_changes_no_other_value_of_the_same_variable(required):
    text = required + "optim_args: &a $shared\nlr_scheduler_kwargs: *a\n"
    config = load_config(text, {"optim_args.x.y": 2}, variables={"shared": {"x": {"y": 1}}})
    assert (config.optim_args, config.lr_scheduler_kwargs) == ({"x": {"y": 2}}, {"x": {"y": 1}})


def test_what_an_override_makes_is_its_fault(errors, required):
    assert [problem[2] for problem in errors(required, {"datasets[1].path": "a/b"})] == [
        "--set datasets[1].path: 'datasets[1]' has no 'type'"
    ]
    mapping = {"base_model": "a/b", "learning_rate": 1, "datasets": [{"type": "alpaca", "split": 3}]}
    assert [problem[2] for problem in errors(mapping, {"datasets[0].path": "a/b"})] == [
        "'split' must be text, not 3"
    ]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("learning_rate", "high", "--set learning_rate: 'learning_rate' must be a number, not 'high'"),
        ("lerning_rate", 1, "--set lerning_rate: unknown key 'lerning_rate'; did you mean 'learning_rate'?"),
        ("swanlab_project", "mine", "--set swanlab_project: 'swanlab_project' is not supported yet"),
        (
            "datasets[0].type",
            "alpca",
            "--set datasets[0].type: 'type' cannot be 'alpca'; did you mean 'alpaca'?",
        ),
        ("datasets[0].path", "./no/rows", "--set datasets[0].path: there is no file './no/rows'"),
        ("datasets[0]", 3, "--set datasets[0]: 'datasets[0]' must be a map of 'key: value' lines, not 3"),
        ("datasets[5].path", "x", "--set datasets[5].path: the list has no [5]: its last entry is [0]"),
        ("test_datasets[1].path", "x", "--set test_datasets[1].path: the list has no [1]: it is empty"),
        ("seed.x", 1, "--set seed.x: 'seed' is not a map, so it has no 'x'"),
        ("special_tokens[0]", 1, "--set special_tokens[0]: there is no list for [0] to count in"),
        ("a..b", 1, "--set a..b: this is not the path of a key"),
        (
            "learning_rate",
            object(),
            "--set learning_rate: the value is an object, which a config cannot hold",
        ),
        (
            "lr_scheduler",
            "greedy",
            "--set lr_scheduler: 'lr_scheduler: greedy' follows the evaluation loss, and nothing is evaluated on",
        ),
    ],
)
def test_a_bad_override_says_which(errors, required, key, value, message):
    text = required + "seed: 1\nspecial_tokens: {pad_token: a}\n"
    ((line, column, found, _),) = errors(text, {key: value})
    assert (line, column, found) == (None, None, message)
