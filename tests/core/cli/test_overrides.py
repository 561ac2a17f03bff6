from __future__ import annotations

import pytest

from ft_core.cli.main import parse
from ft_core.cli.overrides import load
from ft_core.config import ConfigError


def test_the_config_with_all_that_is_set_over_it(tmp_path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("{base_model: a/b, learning_rate: 1e-4, datasets: [{path: c/d, type: alpaca}], seed: 3}")
    argv = ["plan", str(file), "--set", "seed=5", "--datasets[0].path", "e/f", "--learning-rate=2e-4"]
    config = load(parse(argv))
    assert (config.seed, config.datasets[0].path, config.learning_rate) == (5, "e/f", 2e-4)
    assert config.origin("seed").kind == "override"


@pytest.mark.parametrize("verb", ["train", "plan"])
def test_a_key_may_stand_before_the_file(verb: str) -> None:
    arguments = parse([verb, "--no-train-on-inputs", "c.yml", "--lora-r", "8", "--gpus", "2"])
    assert (arguments.config, arguments.gpus) == ("c.yml", 2)
    assert arguments.overrides == ["train_on_inputs=false", "lora_r=8"]


@pytest.mark.parametrize(
    ("word", "message"),
    [
        # An option may not be cut short.
        ("--overwrit", "ft train: there is no option or key '--overwrit'; did you mean '--overwrite'?"),
        (
            "--lerning_rate=1",
            "ft train: there is no option or key '--lerning_rate'; did you mean '--learning_rate'?",
        ),
    ],
)
def test_an_option_that_is_neither_a_key_nor_one_of_the_verb(capsys, word: str, message: str) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(["train", "c.yml", word])
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == message


def test_a_config_from_an_address_is_only_read_over_https() -> None:
    with pytest.raises(ConfigError) as caught:
        load(parse(["plan", "http://host/c.yml", "--seed", "1"]))
    assert caught.value.message == "a config is only read over https, not http"
