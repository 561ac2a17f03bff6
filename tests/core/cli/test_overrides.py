from __future__ import annotations

import argparse

import pytest

from ft_core.cli import train
from ft_core.cli.main import parse
from ft_core.cli.overrides import load, split_overrides


@pytest.mark.parametrize(
    ("argv", "rest", "overrides"),
    [
        (["c.yml"], ["c.yml"], []),
        (["c.yml", "--lora_r", "8"], ["c.yml"], ["lora_r=8"]),
        (["c.yml", "--lora-r=8"], ["c.yml"], ["lora_r=8"]),
        (["c.yml", "--datasets[0].path=a-b/c.jsonl"], ["c.yml"], ["datasets[0].path=a-b/c.jsonl"]),
        (["c.yml", "--seed", "-1"], ["c.yml"], ["seed=-1"]),
        (["c.yml", "--tf32"], ["c.yml"], ["tf32=true"]),
        (["c.yml", "--tf32", "--overwrite"], ["c.yml", "--overwrite"], ["tf32=true"]),
        (
            ["c.yml", "--no-sample_packing", "--tf32", "false"],
            ["c.yml"],
            ["sample_packing=false", "tf32=false"],
        ),
        (["c.yml", "--tf32="], ["c.yml"], ["tf32="]),
        (["c.yml", "--gpus", "2", "--name=x"], ["c.yml", "--gpus", "2", "--name=x"], []),
        (["c.yml", "--set", "a=1"], ["c.yml", "--set", "a=1"], []),
        (["--", "--odd.yml"], ["--", "--odd.yml"], []),
        (["c.yml", "-h"], ["c.yml", "-h"], []),
    ],
)
def test_unknown_options_are_keys(argv: list[str], rest: list[str], overrides: list[str]) -> None:
    parser = argparse.ArgumentParser()
    train.add_arguments(parser)
    assert split_overrides(argv, parser) == (rest, overrides)


def test_the_config_with_all_that_is_set_over_it(tmp_path) -> None:
    file = tmp_path / "c.yml"
    file.write_text("{base_model: a/b, learning_rate: 1e-4, datasets: [{path: c/d, type: alpaca}], seed: 3}")
    argv = ["plan", str(file), "--set", "seed=5", "--datasets[0].path", "e/f", "--learning-rate=2e-4"]
    config = load(parse(argv))
    assert (config.seed, config.datasets[0].path, config.learning_rate) == (5, "e/f", 2e-4)
    assert config.origin("seed").kind == "override"


def test_an_option_may_not_be_cut_short() -> None:
    assert parse(["train", "c.yml", "--over", "1"]).overrides == ["over=1"]
