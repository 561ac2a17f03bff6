"""The config of a cell: its YAML over its base, and what its line sets over both."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_core.config import ConfigError, remote
from ft_jupyter.magics.cell_config import cell_config
from ft_jupyter.magics.options import parse_finetune

CELL = "base_model: a/b\nlearning_rate: 1\ndatasets: [{path: c/d, type: alpaca}]\n"


def test_keys_on_the_line_win(tmp_path: Path) -> None:
    base = tmp_path / "base.yml"
    base.write_text("seed: 1\nlora_r: 4\nadapter: lora\n")
    line = f"--base {base} --seed 3 --no-shuffle-merged-datasets joker --datasets[0].path e/f --set learning_rate=2"
    options = parse_finetune(line)
    config = cell_config(options, CELL + "seed: 2\n", {})
    assert (options.name, config.seed, config.lora_r, config.learning_rate) == ("joker", 3, 4, 2)
    assert (config.datasets[0].path, config.shuffle_merged_datasets) == ("e/f", False)


@pytest.mark.parametrize(
    ("base", "cell", "chosen"),
    [
        ("flash_attention: true", "attn_implementation: eager", "eager"),
        ("attn_implementation: eager", "sdp_attention: true", "sdpa"),
        ("flash_attention: true", "sdp_attention: true", "sdpa"),
        ("flash_attention: true", "seed: 1", "flash_attention_2"),
    ],
)
def test_a_key_of_the_cell_wins_whatever_either_calls_it(
    tmp_path: Path, base: str, cell: str, chosen: str
) -> None:
    file = tmp_path / "base.yml"
    file.write_text(base)
    config = cell_config(parse_finetune(f"--base {file}"), CELL + cell, {})
    assert config.attn_implementation == chosen


def test_a_base_may_be_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "fetch", lambda address: {"https://host/base.yml": "seed: 9\n"}[address])
    assert cell_config(parse_finetune("--base https://host/base.yml"), CELL, {}).seed == 9


def test_a_base_is_only_read_over_https() -> None:
    with pytest.raises(ConfigError, match="a config is only read over https, not http"):
        cell_config(parse_finetune("--base http://host/base.yml"), CELL, {})


def test_a_mistake_on_the_line_is_told_of_its_key() -> None:
    with pytest.raises(ConfigError) as caught:
        cell_config(parse_finetune("--learning-rate high"), CELL, {})
    (problem,) = caught.value.problems
    assert problem.message == "--set learning_rate: 'learning_rate' must be a number, not 'high'"
