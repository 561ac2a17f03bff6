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
        "rl: dpo\ndpo_loss_type: [sigmoid, hinges]",
        5,
        26,
        "'dpo_loss_type' cannot hold 'hinges'; did you mean 'hinge'?",
        (
            "use one of sigmoid, hinge, ipo, exo_pair, nca_pair, robust, bco_pair, sppo_hard, aot, aot_unpaired, apo_zero, "
            "apo_down, discopop, sft, sigmoid_norm"
        ),
        "rl: dpo\ndpo_loss_type: [sigmoid, hinge]",
    ),
    (
        "rl: dpo\ndpo_loss_type: [exo_pair]",
        5,
        1,
        "the loss 'exo_pair' needs 'dpo_label_smoothing' above 0",
        "add 'dpo_label_smoothing: 0.001'",
        "rl: dpo\ndpo_loss_type: [exo_pair]\ndpo_label_smoothing: 0.001",
    ),
    (
        "rl: dpo\ndpo_loss_type: [aot]\ndpo_use_weighting: true",
        6,
        1,
        "'dpo_use_weighting' weighs each pair, and the losses 'aot' and 'aot_unpaired' mix them",
        "remove one of the two",
        "rl: dpo\ndpo_loss_type: [sigmoid]\ndpo_use_weighting: true",
    ),
    (
        "rl: orpo\nrl_beta: 0.1",
        5,
        1,
        "'rl_beta' is read by 'rl: dpo', 'rl: ipo', 'rl: kto' or 'rl: simpo' alone",
        "write 'rl: dpo', or remove it",
        "rl: simpo\nrl_beta: 0.1",
    ),
    (
        "rl: kto\nmicro_batch_size: 2\nprecompute_ref_log_probs: true",
        6,
        1,
        "'precompute_ref_log_probs' is read by 'rl: dpo' or 'rl: ipo' alone",
        "write 'rl: dpo', or remove it",
        "rl: ipo\nprecompute_ref_log_probs: true",
    ),
    (
        "rl: dpo\ncenter_rewards_coefficient: 0.01",
        5,
        1,
        "'center_rewards_coefficient' is read by 'reward_model: true' alone",
        "add 'reward_model: true', or remove it",
        "datasets: [{path: a/b, type: bradley_terry.chatml}]\nreward_model: true\ncenter_rewards_coefficient: 0.01",
    ),
    (
        "datasets: [{path: a/b, type: passthrough}]\nrl: dpo\nreward_model: true",
        5,
        1,
        "'reward_model' trains a model that scores answers, and 'rl' one that writes them",
        "remove one of the two",
        "datasets: [{path: a/b, type: passthrough}]\nrl: dpo",
    ),
    (
        "rl: dpo\ngroup_by_length: true",
        5,
        1,
        "'group_by_length' cannot stand beside 'rl': answers are compared row by row",
        "remove 'group_by_length'",
        "rl: dpo",
    ),
    (
        "rl: dpo\nadapter: lora\npeft_init_lora_weights: pissa",
        6,
        1,
        "'rl: dpo' compares the model with itself without its adapter, which this beginning changes",
        "remove it",
        "rl: simpo\nadapter: lora\npeft_init_lora_weights: pissa",
    ),
    (
        "rl: kto\nmicro_batch_size: 1",
        4,
        5,
        "'rl: kto' compares the rows of a micro-batch, and 'micro_batch_size' is 1",
        "write 'micro_batch_size: 2' or more",
        "rl: kto\nmicro_batch_size: 2",
    ),
    (
        "datasets: [{path: a/b, type: {field_chosen: good}}]",
        3,
        45,
        "'type' is a map of preference data ('field_chosen'), which only a method of 'rl' learns from",
        "add 'rl: dpo', or use field_instruction, field_input and field_output",
        "datasets: [{path: a/b, type: {field_chosen: good}}]\nrl: dpo",
    ),
    (
        "datasets: [{path: a/b, type: {field_output: good}}]\nrl: dpo",
        3,
        45,
        "'type' is a map of instructions ('field_output'), which hold no preferences",
        "use field_prompt, field_chosen and field_rejected",
        "datasets: [{path: a/b, type: {field_chosen: good}}]\nrl: dpo",
    ),
    (
        "datasets: [{path: a/b, type: mine.rows}]\nrl: dpo",
        3,
        30,
        "'type: mine.rows' holds no preferences, which 'rl: dpo' learns from",
        "use 'type: chatml.intel'",
        "datasets: [{path: a/b, type: mine.rows}]",
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
