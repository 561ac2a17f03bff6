"""Methods that learn from preferences and rewards, and the formats that they read."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "datasets: [{path: a/b, type: chatml.intel}]",
        3,
        30,
        "'type: chatml.intel' holds preferences, which only a method of 'rl' learns from",
        "add 'rl: dpo', or use 'type: chat_template' for conversations",
        "datasets: [{path: a/b, type: chatml.intel}]\nrl: dpo",
    ),
    (
        "datasets: [{path: a/b, type: alpaca}]\nrl: dpo",
        3,
        30,
        "'type: alpaca' holds no preferences, which 'rl: dpo' learns from",
        "use 'type: chatml.intel'",
        "datasets: [{path: a/b, type: chat_template.default}]\nrl: dpo",
    ),
    (
        "datasets: [{path: a/b, type: completion}]\nrl: orpo",
        3,
        30,
        "'type: completion' holds no preferences, which 'rl: orpo' learns from",
        "use 'type: chat_template.argilla'",
        "datasets: [{path: a/b}]\nrl: orpo",
    ),
    (
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]",
        3,
        30,
        "'type: bradley_terry.chat_template' holds pairs of answers, which only 'reward_model: true' learns from",
        "add 'reward_model: true'",
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nreward_model: true",
    ),
    (
        "datasets: [{path: a/b, type: alpaca}]\nreward_model: true",
        3,
        30,
        "'type: alpaca' holds no pairs of answers, which 'reward_model' learns from",
        "use 'type: bradley_terry.chat_template'",
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nreward_model: true",
    ),
    (
        "rl: ipo\ndpo_loss_type: [sigmoid]",
        5,
        1,
        "'dpo_loss_type' is read by 'rl: dpo' alone",
        "write 'rl: dpo', or remove it",
        "rl: dpo\ndpo_loss_type: [sigmoid]",
    ),
    (
        "rl: dpo\ndpo_loss_weights: [1.0]",
        5,
        1,
        "'dpo_loss_weights' needs 'dpo_loss_type': which losses are weighted",
        "add 'dpo_loss_type: [sigmoid, sft]'",
        "rl: dpo\ndpo_loss_weights: [1.0]\ndpo_loss_type: [sigmoid]",
    ),
    (
        "rl: dpo\ndpo_loss_weights: [1.0]\ndpo_loss_type: [sigmoid, sft]",
        5,
        1,
        "'dpo_loss_weights' and 'dpo_loss_type' differ in length: 1 and 2",
        "write one weight for each loss",
        "rl: dpo\ndpo_loss_weights: [1.0, 1.0]\ndpo_loss_type: [sigmoid, sft]",
    ),
    (
        "rl: grpo\ntrl: {num_generations: 1}",
        5,
        24,
        "'num_generations' must be at least 2, not 1: answers to a prompt are compared with each other",
        "write 'num_generations: 8'",
        "rl: grpo\ntrl: {num_generations: 2}",
    ),
    (
        "rl: grpo\ntrl: {num_generations: 8, generation_batch_size: 12}",
        5,
        50,
        "'generation_batch_size: 12' is no multiple of 'num_generations: 8'",
        "write 'generation_batch_size: 16'",
        "rl: grpo\ntrl: {num_generations: 8, generation_batch_size: 16}",
    ),
    (
        "rl: ebft",
        4,
        5,
        "'rl: ebft' needs its settings in 'ebft'",
        "add 'ebft: {mode: structured}'",
        "rl: ebft\nebft: {mode: structured}",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []
