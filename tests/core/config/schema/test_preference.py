"""Keys of methods besides supervised fine-tuning."""

from __future__ import annotations

import pytest

SUPERVISED = "remove it: only supervised fine-tuning works, on datasets of type 'chat_template', 'alpaca' or 'completion'"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("rl: dpo", "dpo"),
        ("rl: ipo", "ipo"),
        ("rl: kto", "kto"),
        ("rl: orpo", "orpo"),
        ("rl: simpo", "simpo"),
        ("rl: gdpo", "gdpo"),
        ("rl: ebft", "ebft"),
        ("rl: grpo", "grpo"),
        ("rl_beta: 0.1", 0.1),
        ("dpo_loss_type: [sigmoid, sft]", ("sigmoid", "sft")),
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
            "use 'dpo', 'ipo', 'kto', 'orpo', 'simpo', 'grpo', 'gdpo' or 'ebft'",
        ),
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
        ("rl: dpo", SUPERVISED),
        ("rl: ipo", SUPERVISED),
        ("rl: kto", SUPERVISED),
        ("rl: orpo", SUPERVISED),
        ("rl: simpo", SUPERVISED),
        ("rl: gdpo", SUPERVISED),
        ("rl: ebft", SUPERVISED),
        ("rl: grpo", SUPERVISED),
        ("rl_beta: 0.1", SUPERVISED),
        ("dpo_loss_type: [sigmoid, sft]", SUPERVISED),
        ("dpo_label_smoothing: 0.1", SUPERVISED),
        ("dpo_use_weighting: true", SUPERVISED),
        ("dpo_padding_free: true", SUPERVISED),
        ("precompute_ref_log_probs: true", SUPERVISED),
        ("orpo_alpha: 0.1", SUPERVISED),
        ("simpo_gamma: 0.5", SUPERVISED),
        ("cpo_alpha: 1", SUPERVISED),
        ("kto_desirable_weight: 0.5", SUPERVISED),
        ("kto_undesirable_weight: 1", SUPERVISED),
        ("trl: {num_generations: 8}", SUPERVISED),
        ("vllm: {port: 8000}", SUPERVISED),
        ("ebft: {stride: 8}", SUPERVISED),
        ("reward_model: true", SUPERVISED),
        ("process_reward_model: true", SUPERVISED),
        ("center_rewards_coefficient: 0.01", SUPERVISED),
        ("diffusion_lm: {from_causal_lm: true}", SUPERVISED),
        ("diffusion: {noise_schedule: linear}", SUPERVISED),
        ("diffusion_decision: {answer_format: lines}", SUPERVISED),
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
