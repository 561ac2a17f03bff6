from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from ft_core.runs import Run
from ft_core.runs.events import encode

COLUMNS = ["epoch", "loss", "learning_rate", "grad_norm", "tokens_per_second", "gpu_memory", "eval_loss"]


def append(run: Run, *events: dict[str, object]) -> None:
    with (run.directory / "events.jsonl").open("ab") as file:
        for event in events:
            file.write(encode({"time": 1.0, **event}))


def step(number: int, loss: float | None) -> dict[str, object]:
    return {
        "type": "step", "step": number, "total_steps": 9, "epoch": number / 10, "loss": loss, "learning_rate": 1e-3,
        "grad_norm": 0.5, "tokens": 100, "tokens_per_second": 50.0, "eta": 3.0, "gpu_memory": 1.5,
    }  # fmt: skip


def test_before_anything_happened(run: Run) -> None:
    frame = run.metrics
    assert list(frame.columns) == COLUMNS
    assert frame.empty
    assert frame.index.name == "step"


def test_one_row_a_step(run: Run) -> None:
    append(run, {"type": "phase", "phase": "training"}, step(1, 2.5), step(2, None))
    append(run, {"type": "eval", "step": 2, "epoch": 0.2, "loss": 2.25})
    nan = math.nan
    expected = pd.DataFrame(
        [[0.1, 2.5, 1e-3, 0.5, 50.0, 1.5, nan], [0.2, nan, 1e-3, 0.5, 50.0, 1.5, 2.25]],
        columns=COLUMNS,
        index=pd.Index([1, 2], name="step"),
    )
    pd.testing.assert_frame_equal(run.metrics, expected)


def test_an_eval_before_the_first_step(run: Run) -> None:
    append(run, {"type": "eval", "step": 0, "epoch": 0.0, "loss": 3.0}, step(1, 2.5))
    assert run.metrics["eval_loss"].tolist()[0] == 3.0
    assert list(run.metrics.index) == [0, 1]
    assert run.metrics.loc[1, "loss"] == 2.5


def test_more_each_time(run: Run) -> None:
    append(run, step(1, 2.5))
    assert run.metrics["loss"].tolist() == [2.5]
    append(run, step(2, 2.0))
    assert run.metrics["loss"].tolist() == [2.5, 2.0]


def test_a_resumed_run_takes_its_steps_back(run: Run) -> None:
    append(
        run, *(step(n, float(n)) for n in range(1, 6)), {"type": "eval", "step": 5, "epoch": 0.5, "loss": 9.0}
    )
    append(run, step(3, 30.0))
    assert run.metrics["loss"].to_dict() == {1: 1.0, 2: 2.0, 3: 30.0}
    assert run.metrics["eval_loss"].isna().all()


def test_junk_is_left_out(run: Run) -> None:
    append(run, {"type": "step"}, {"type": "step", "step": "4"}, {"type": "step", "step": True}, step(1, 2.5))
    append(run, {"type": "step", "step": 2, "loss": "low"})
    assert list(run.metrics.index) == [1, 2]
    assert math.isnan(run.metrics.loc[2, "loss"])


def test_an_overwritten_run_starts_over(run: Run, new_run: Callable[..., Run]) -> None:
    append(run, step(1, 2.5))
    assert run.metrics["loss"].tolist() == [2.5]
    status = (run.directory / "status.json").read_text().replace('"starting"', '"stopped"', 1)
    (run.directory / "status.json").write_text(status)
    append(new_run(run.name, overwrite=True), step(1, 7.0), step(2, 6.0))
    assert run.metrics["loss"].tolist() == [7.0, 6.0]


def test_rewards_have_columns_where_a_model_learns_from_preferences(run: Run) -> None:
    append(run, {**step(1, 0.7), "rewards/margins": 0.5, "rewards/chosen": 0.25})
    frame = run.metrics
    assert list(frame.columns) == [*COLUMNS, "rewards/chosen", "rewards/margins"]
    assert frame.loc[1, "rewards/margins"] == 0.5
