"""``ft explain``: what a key means, in the terminal."""

from __future__ import annotations

import pytest

from ft_core.cli.main import main
from ft_core.config import explain
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
