"""``ft explain``: what a key means, in the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from ft_core.cli.main import main
from ft_core.config import explain, load_config
from ft_core.config.describe import describe, describe_topics


def test_a_key_is_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "datasets[0].type"]) == 0
    assert capsys.readouterr().out == describe(explain("datasets.type")) + "\n"


def test_without_a_key_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == 0
    assert capsys.readouterr().out == describe_topics() + "\n"


def test_a_wrong_key_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "lora_rr"]) == 1
    assert capsys.readouterr().err == "error: there is no key 'lora_rr'; did you mean 'lora_r'?\n"


def test_a_config_says_where_its_values_come_from(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_text("base_model: a/b\nlearning_rate: 1e-4\ndatasets: [{path: c/d, type: alpaca}]\n")
    assert main(["explain", str(file), "--seed", "3"]) == 0
    assert capsys.readouterr().out == f"{load_config(file, {'seed': 3}).explain()}\n"
