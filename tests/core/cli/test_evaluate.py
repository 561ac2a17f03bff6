"""``ft evaluate``: a table of losses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_core.cli.main import main
from ft_core.runs import Run
from ft_core.train.evaluate import Evaluated


def test_a_run_goes_by_its_weights(
    done_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def evaluate(run: Run, weights: str) -> list[Evaluated]:
        asked.append((run.name, weights))
        return [Evaluated("a.jsonl", 4, 120, 2.0, 7.389056)]

    monkeypatch.setattr("ft_core.launch.evaluation.evaluate_run", evaluate)
    assert main(["evaluate", done_run.name]) == 0
    assert main(["evaluate", done_run.name, "--weights", "base"]) == 0
    assert asked == [(done_run.name, "final"), (done_run.name, "base")]
    assert capsys.readouterr().out.splitlines()[:2] == [
        "dataset  samples  tokens    loss  perplexity",
        "a.jsonl        4     120  2.0000       7.389",
    ]


def test_a_key_over_a_run_is_refused(done_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", done_run.name, "--val-set-size", "2"]) == 1
    assert capsys.readouterr().err == (
        "error: A run is evaluated as it was trained, so no key can be set.\n"
        "fix: Name a YAML file to evaluate its base model.\n"
    )


def test_an_override_reaches_a_config(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[float] = []
    monkeypatch.setattr(
        "ft_core.launch.evaluation.evaluate_config",
        lambda config: seen.append(config.val_set_size) or [],
    )
    file = tmp_path / "a.yml"
    file.write_text(
        "base_model: org/model\nlearning_rate: 1e-4\ndatasets: [{path: org/data, type: alpaca}]\n"
    )
    assert main(["evaluate", str(file), "--val-set-size", "2"]) == 0
    assert seen == [2]
