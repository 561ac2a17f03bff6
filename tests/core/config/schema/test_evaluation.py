"""Keys of the evaluation."""

from __future__ import annotations

import pytest

from ft_core.config import explain


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("eval_strategy: no", "no"),
        ("eval_strategy: epoch", "epoch"),
        ("eval_steps: 0.1", 0.1),
        ("eval_steps: '50'", 50),
        ("evals_per_epoch: 0", 0),
        ("eval_on_start: true", True),
        ("eval_batch_size: 4", 4),
        ("early_stopping_patience: 3", 3),
        ("metric_for_best_model: eval_loss", "eval_loss"),
        ("greater_is_better: false", False),
        ("do_causal_lm_eval: true", True),
        ("eval_causal_lm_metrics: [sacrebleu, chrf]", ("sacrebleu", "chrf")),
        ("generate_samples: true", True),
        ("num_generation_samples: 5", 5),
        ("generation_max_new_tokens: 100", 100),
        ("generation_temperature: 0", 0.0),
        ("generation_top_p: 0.9", 0.9),
        ("generation_top_k: 50", 50),
        ("generation_prompt_ratio: 0.3", 0.3),
        ("generation_do_sample: false", False),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        (
            "eval_strategy: epochs",
            "cannot be 'epochs'; did you mean 'epoch'?",
            "use 'epoch', 'steps' or 'no'",
        ),
        ("eval_steps: 0", "must be greater than 0, not 0", ""),
        ("eval_batch_size: 0", "must be at least 1, not 0", ""),
        ("early_stopping_patience: 0", "must be at least 1, not 0", ""),
        ("metric_for_best_model: 3", "cannot be 3", "use 'loss'"),
        ("metric_for_best_model: chrf", "cannot be 'chrf': it is not supported yet", "use 'loss'"),
        ("eval_causal_lm_metrics: chrf", "must be a list of texts, not 'chrf'", "write [chrf]"),
        ("generation_temperature: -1", "must be at least 0, not -1", ""),
        ("generation_top_p: 0", "must be greater than 0 and at most 1, not 0", ""),
        ("generation_prompt_ratio: 2", "must be at least 0 and at most 1, not 2", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    "line",
    [
        "eval_on_start: false",
        "early_stopping_patience:",
        "greater_is_better: false",
        "eval_causal_lm_metrics: []",
        "num_generation_samples: 3",
        "generation_max_new_tokens: 50",
        "generation_temperature: 0.7",
        "generation_do_sample: true",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("eval_strategy", "no"),
        ("num_generation_samples", 3),
        ("generation_max_new_tokens", 50),
        ("generation_temperature", 0.7),
        ("generation_prompt_ratio", None),
        ("generation_do_sample", True),
    ],
)
def test_defaults(key, default):
    assert explain(key).default == default
