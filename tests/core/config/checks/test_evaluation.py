"""When the model is evaluated, and on what."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "val_set_size: 0.1\neval_steps: 2\nevals_per_epoch: 1",
        6,
        1,
        "'eval_steps' and 'evals_per_epoch' both say when the model is evaluated",
        "remove one of the two",
        "val_set_size: 0.1\neval_steps: 2",
    ),
    (
        "val_set_size: 0.1\neval_strategy: epoch\neval_steps: 2",
        5,
        16,
        "'eval_strategy: epoch' and 'eval_steps' contradict each other",
        "write 'eval_strategy: steps', or remove 'eval_steps'",
        "val_set_size: 0.1\neval_strategy: steps\neval_steps: 2",
    ),
    (
        "val_set_size: 0.1\neval_strategy: epoch\nevals_per_epoch: 2",
        5,
        16,
        "'eval_strategy: epoch' and 'evals_per_epoch' contradict each other",
        "write 'eval_strategy: steps', or remove 'evals_per_epoch'",
        "val_set_size: 0.1\neval_strategy: steps\nevals_per_epoch: 2",
    ),
    (
        "val_set_size: 0\neval_steps: 5",
        5,
        1,
        "'eval_steps' is given, and 'val_set_size: 0' leaves nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "val_set_size: 0.1\neval_steps: 5",
    ),
    (
        "val_set_size: 0\neval_strategy: steps",
        5,
        1,
        "'eval_strategy' is given, and 'val_set_size: 0' leaves nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "val_set_size: 0\neval_strategy: no",
    ),
    (
        "val_set_size: 0.1\ndo_causal_lm_eval: true\neval_causal_lm_metrics: [perplexity, sacrebleu]",
        6,
        38,
        "the score 'sacrebleu' is not yet supported",
        "write 'eval_causal_lm_metrics: [perplexity]'",
        "val_set_size: 0.1\ndo_causal_lm_eval: true\neval_causal_lm_metrics: [perplexity]",
    ),
]

WARNINGS = [
    (
        "eval_steps: 5",
        4,
        1,
        "'eval_steps' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "eval_steps: 5\nval_set_size: 0.1",
    ),
    (
        "eval_strategy: steps",
        4,
        1,
        "'eval_strategy' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "eval_strategy: no",
    ),
    (
        "evals_per_epoch: 4",
        4,
        1,
        "'evals_per_epoch' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "evals_per_epoch: 0",
    ),
    (
        "val_set_size: 0.1\neval_steps: 20\nmax_steps: 10",
        5,
        1,
        "the model is never evaluated: 'eval_steps' is 20, and 'max_steps' 10",
        "write 'eval_steps: 10', or less",
        "val_set_size: 0.1\neval_steps: 10\nmax_steps: 10",
    ),
    (
        "eval_causal_lm_metrics: [perplexity]",
        4,
        1,
        "'eval_causal_lm_metrics' has no effect without 'do_causal_lm_eval'",
        "write 'do_causal_lm_eval: true', or remove the line",
        "val_set_size: 0.1\ndo_causal_lm_eval: true\neval_causal_lm_metrics: [perplexity]",
    ),
    (
        "do_causal_lm_eval: true",
        4,
        1,
        "'do_causal_lm_eval' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "do_causal_lm_eval: true\nval_set_size: 0.1",
    ),
    (
        "generate_samples: true",
        4,
        1,
        "'generate_samples' has no effect: there is nothing to evaluate on",
        "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line",
        "generate_samples: true\nval_set_size: 0.1",
    ),
    (
        "num_generation_samples: 5",
        4,
        1,
        "'num_generation_samples' has no effect without 'generate_samples'",
        "write 'generate_samples: true', or remove the line",
        "num_generation_samples: 5\ngenerate_samples: false",
    ),
]

TOGETHER = [
    (
        "val_set_size: 0.1\ngenerate_samples: true\nfsdp_config: {offload_params: true}",
        "'generate_samples' takes the whole model on the first device, and 'fsdp_config' spreads it over several",
        "remove one of the two",
    ),
    (
        "val_set_size: 0.1\ngenerate_samples: true\ncontext_parallel_size: 2",
        "'generate_samples' takes the whole model on the first device, and 'context_parallel_size' spreads it over several",
        "remove one of the two",
    ),
    (
        "val_set_size: 0.1\ngenerate_samples: true\nreward_model: true",
        "'generate_samples' goes on with texts, and the data of 'reward_model' are preferences",
        "remove the line, and chat with the tuned model",
    ),
]
"""Beside keys that may be refused for themselves as well."""


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "message", "fix"), TOGETHER)
def test_samples_are_not_for_every_run(found, lines, message, fix):
    assert ("error", 5, 1, message, fix) in found(lines)
