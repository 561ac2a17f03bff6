"""Plans of runs whose rows are streamed, and of rows that cannot be trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.config import Config
from ft_core.errors import DataError
from ft_core.models.hardware import Hardware
from ft_core.train import make_plan
from ft_core.train.figures import figures

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)


@pytest.fixture(autouse=True)
def no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, runs_root: Path) -> None:
    """Let nothing be known of earlier runs and models."""
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "cache"))


def test_streamed_rows_are_not_counted(make_config: Callable[..., Config]) -> None:
    plan = make_plan(make_config(streaming=True, max_steps=7), hardware=CPU)
    assert (plan.train_rows, plan.eval_rows, plan.tokens, plan.epochs) == (None, 0, None, None)
    assert (plan.steps, plan.steps_exact, plan.streaming) == (7, True, True)
    assert plan.seconds is not None
    told = {line.name: (line.value, line.reason) for line in figures(plan)}
    assert told["Rows"] == ("streamed", "up to 64 tokens each")
    assert told["Steps"] == ("7", "2 rows a step")
    assert "Tokens" not in told


def test_streamed_rows_are_packed_a_buffer_at_a_time(make_config: Callable[..., Config], rows: Path) -> None:
    tests = [{"path": str(rows), "type": "completion", "split": "train[:3]"}]
    config = make_config(
        streaming=True, max_steps=7, sample_packing=True, test_datasets=tests, multipack_real_batches=True
    )
    plan = make_plan(config, hardware=CPU)
    assert plan.eval_rows == 3
    assert plan.packing is not None
    assert plan.packing.capacity == 64
    told = {line.name: (line.value, line.reason) for line in figures(plan)}
    assert told["Rows"] == ("streamed", "and 3 to evaluate on, up to 64 tokens each")
    assert told["Packing"] == ("rows of 64 tokens", f"about {plan.packing.fill:.1%} full")
    assert not any("an epoch is one small step" in warning.message for warning in plan.warnings)


def test_rows_that_cannot_be_trained_on_are_refused_before_the_run(
    make_config: Callable[..., Config], rows: Path
) -> None:
    config = make_config(datasets=[{"path": str(rows), "type": "stepwise_supervised"}])
    with pytest.raises(DataError) as caught:
        make_plan(config, hardware=CPU)
    assert caught.value.message == (
        f"{rows}: type: stepwise_supervised cannot be trained yet; its rows can be inspected."
    )
    assert caught.value.fix == "Use another type, or remove the dataset."
