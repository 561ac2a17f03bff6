from __future__ import annotations

import pytest

from ft_core.cli.lines import line_of


@pytest.mark.parametrize(
    ("event", "line"),
    [
        ({"type": "phase", "phase": "tokenizing"}, "tokenizing"),
        ({"type": "phase", "phase": "tokenizing", "done": 1500, "total": 3000}, "tokenizing 1,500/3,000"),
        ({"type": "phase", "phase": "tokenizing", "done": 1500, "total": None}, "tokenizing 1,500"),
        (
            {
                "type": "step",
                "step": 7,
                "total_steps": 20,
                "loss": 2.5,
                "tokens_per_second": 1234.5,
                "eta": 75.2,
            },
            "step 7/20  loss 2.5000  1,234 tokens/s  1:15 left",
        ),
        ({"type": "step", "step": 7, "total_steps": 20, "loss": None}, "step 7/20  loss not finite"),
        ({"type": "eval", "step": 3, "epoch": 0.1, "loss": 2.25}, "eval at step 3  loss 2.2500"),
        ({"type": "merged", "folder": "merged"}, "merged the adapter into its base: merged"),
        (
            {
                "type": "data",
                "train_samples": 1200,
                "eval_samples": 10,
                "dropped": {"too long": 3, "empty": 0},
            },
            "1,200 samples, 10 for evaluation, dropped: 3 too long",
        ),
        (
            {"type": "data", "train_samples": 5, "eval_samples": 0, "dropped": {}},
            "5 samples, 0 for evaluation",
        ),
        (
            {"type": "model", "parameters": 135000000, "trainable_parameters": 4884480},
            "135,000,000 parameters, 4,884,480 train",
        ),
        (
            {"type": "checkpoint", "step": 5, "path": "checkpoints/checkpoint-5"},
            "saved checkpoints/checkpoint-5",
        ),
        ({"type": "warning", "message": "Slow.", "fix": "Buy more."}, "warning: Slow. Buy more."),
        ({"type": "warning", "message": "Slow.", "fix": ""}, "warning: Slow."),
        ({"type": "warning", "message": "\x1b[2Jgone\x07", "fix": ""}, "warning: gone"),
        ({"type": "error", "message": "told at the end"}, None),
        ({"type": "end", "state": "completed"}, None),
        ({"type": "of a later version"}, None),
        ({"type": "checkpoint"}, None),
    ],
)
def test_an_event_as_a_line(event: dict[str, object], line: str | None) -> None:
    assert line_of({"time": 1.0, **event}) == line
