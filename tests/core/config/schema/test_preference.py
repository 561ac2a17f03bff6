"""Keys of methods besides supervised fine-tuning."""

from __future__ import annotations

import pytest

NOT_YET = "remove it: supervised fine-tuning, 'rl: dpo', 'ipo', 'kto', 'orpo', 'simpo' and 'reward_model: true' work"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("rl: dpo", "dpo"),
        ("rl: ipo", "ipo"),
        ("rl: kto", "kto"),
        ("rl: orpo", "orpo"),
        ("rl: simpo", "simpo"),
        ("rl_beta: 0.1", 0.1),
        ("dpo_loss_type: [sigmoid, sft]", ("sigmoid", "sft")),
        ("dpo_loss_weights: [1, 0.5]", (1.0, 0.5)),
        ("dpo_ld_alpha: 0.5", 0.5),
        ("dpo_label_smoothing: 0.1", 0.1),
        ("dpo_use_weighting: true", True),
        ("dpo_padding_free: true", True),
        ("precompute_ref_log_probs: true", True),
        ("orpo_alpha: 0.1", 0.1),
        ("simpo_gamma: 0.5", 0.5),
        ("cpo_alpha: 1", 1.0),
        ("kto_desirable_weight: 0.5", 0.5),
        ("kto_undesirable_weight: 1", 1.0),
        ("trl: {num_generations: 8}", {"num_generations": 8}),
        ("vllm: {port: 8000}", {"port": 8000}),
        ("ebft: {stride: 8}", {"stride": 8}),
        ("reward_model: true", True),
        ("process_reward_model: true", True),
        ("center_rewards_coefficient: 0.01", 0.01),
        ("diffusion_lm: {from_causal_lm: true}", {"from_causal_lm": True}),
        ("diffusion: {noise_schedule: linear}", {"noise_schedule": "linear"}),
        ("diffusion_decision: {answer_format: lines}", {"answer_format": "lines"}),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        (
            "rl: ppo",
            "cannot be 'ppo'",
            "use 'dpo', 'ipo', 'kto', 'orpo' or 'simpo'",
        ),
        (
            "rl: grpo",
            "cannot be 'grpo': it is not supported yet",
            "use 'dpo', 'ipo', 'kto', 'orpo' or 'simpo'",
        ),
        (
            "rl: gdpo",
            "cannot be 'gdpo': it is not supported yet",
            "use 'dpo', 'ipo', 'kto', 'orpo' or 'simpo'",
        ),
        (
            "rl: ebft",
            "cannot be 'ebft': it is not supported yet",
            "use 'dpo', 'ipo', 'kto', 'orpo' or 'simpo'",
        ),
        ("dpo_loss_weights: 1", "must be a list of numbers, not 1", "write [1.0, 0.5]"),
        ("dpo_loss_weights: [a]", "must hold numbers only, not 'a'", ""),
        ("dpo_ld_alpha: 2", "must be at least 0 and at most 1, not 2", ""),
        ("rl_beta: -1", "must be at least 0, not -1", ""),
        ("dpo_loss_type: sigmoid", "must be a list of texts, not 'sigmoid'", "write [sigmoid]"),
        ("dpo_label_smoothing: 1", "must be at least 0 and at most 0.5, not 1", ""),
        ("trl: true", "must be a map of 'name: value' lines, not true", ""),
        ("reward_model: a/b", "must be true or false, not 'a/b'", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("dpo_padding_free: true", NOT_YET),
        ("trl: {num_generations: 8}", NOT_YET),
        ("vllm: {port: 8000}", NOT_YET),
        ("ebft: {stride: 8}", NOT_YET),
        ("process_reward_model: true", NOT_YET),
        ("diffusion_lm: {from_causal_lm: true}", NOT_YET),
        ("diffusion: {noise_schedule: linear}", NOT_YET),
        ("diffusion_decision: {answer_format: lines}", NOT_YET),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert (4, 1, f"'{key}' is not supported yet", fix) in errors(required + line)


@pytest.mark.parametrize(
    "line",
    [
        "rl:",
        "rl: false",
        "rl: ''",
        "trl: {}",
        "trl:",
        "vllm: {}",
        "reward_model: false",
        "diffusion_lm: null",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []
