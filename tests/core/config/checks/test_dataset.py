"""The keys of one dataset."""

from __future__ import annotations

import pytest

WARNINGS = [
    (
        "datasets: [{path: a/b, type: alpaca, field_messages: x}]",
        3,
        38,
        "'field_messages' has no effect with 'type: alpaca'",
        "use 'type: chat_template', or remove the line",
        "datasets: [{path: a/b, type: chat_template, field_messages: x}]",
    ),
    (
        "datasets: [{path: a/b, type: completion, roles: {user: [x]}}]",
        3,
        42,
        "'roles' has no effect with 'type: completion'",
        "use 'type: chat_template', or remove the line",
        "datasets: [{path: a/b, type: chat_template, roles: {user: [x]}}]",
    ),
    (
        "datasets: [{path: a/b, type: messages, roles: {user: [x]}}]",
        3,
        40,
        "'roles' has no effect with 'type: messages'",
        "use 'type: chat_template', or remove the line",
        "datasets: [{path: a/b, type: messages, field_messages: x}]",
    ),
    (
        "datasets: [{path: a/b, type: 'alpaca:chat', split_thinking: true}]",
        3,
        45,
        "'split_thinking' has no effect with 'type: alpaca:chat'",
        "use 'type: chat_template', or remove the line",
        "datasets: [{path: a/b, type: my_module.my_function, split_thinking: true}]",
    ),
    (
        "datasets: [{path: a/b, type: {format: '{instruction}'}, field: x}]",
        3,
        57,
        "'field' has no effect with the format under 'type'",
        "use 'type: completion', or remove the line",
        "datasets: [{path: a/b, type: {format: '{instruction}'}}]",
    ),
    (
        "datasets: [{path: a/b, type: alpaca, step_separator: x}]",
        3,
        38,
        "'step_separator' has no effect with 'type: alpaca'",
        "use 'type: stepwise_supervised', or remove the line",
        "datasets: [{path: a/b, type: stepwise_supervised, step_separator: x}]",
    ),
    (
        "datasets: [{path: a/b, type: completion, text_column: x}]",
        3,
        42,
        "'text_column' has no effect with 'type: completion'",
        "use 'type: pretrain', or remove the line",
        "datasets: [{path: a/b, type: pretrain, text_column: x}]",
    ),
    (
        "datasets: [{path: a/b, type: , field: x}]",
        3,
        32,
        "'field' has no effect with an empty type",
        "use 'type: completion', or remove the line",
        "datasets: [{path: a/b, type: }]",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, field: x}]",
        3,
        45,
        "'field' has no effect with 'type: chat_template'",
        "use 'type: completion', or remove the line",
        "datasets: [{path: a/b, type: completion, field: x}]",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [], train_on_eos: none}]",
        3,
        45,
        "'roles_to_train' is empty, so nothing of this dataset is trained on",
        "write 'roles_to_train: [assistant]', or name a property by 'message_field_training'",
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [], train_on_eos: all}]",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [], train_on_eos: last}]",
        3,
        45,
        "'roles_to_train' is empty, so nothing of this dataset is trained on",
        "write 'roles_to_train: [assistant]', or name a property by 'message_field_training'",
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [], message_field_training: train}]",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [asistant]}]",
        3,
        62,
        "'roles_to_train' names 'asistant', which 'roles' does not know; did you mean 'assistant'?",
        "write 'assistant', or add it to 'roles'",
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [gpt, judge]}]",
    ),
    (
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [user]}]\ntrain_on_inputs: true",
        3,
        45,
        "'roles_to_train' has no effect: 'train_on_inputs' trains on all messages",
        "remove one of the two",
        "datasets: [{path: a/b, type: chat_template}]\ntrain_on_inputs: true",
    ),
    (
        "datasets: [{path: a/b, type: alpaca, shards_idx: 1}]",
        3,
        38,
        "'shards_idx' has no effect without 'shards'",
        "add 'shards: 10', or remove the line",
        "datasets: [{path: a/b, type: alpaca, shards: 2, shards_idx: 1}]",
    ),
]

ERRORS = [
    (
        "datasets: [{path: a/b, type: alpaca, shards: 4, shards_idx: 4}]",
        3,
        61,
        "'shards_idx' must be less than 'shards' (4), not 4",
        "the first shard is 0",
        "datasets: [{path: a/b, type: alpaca, shards: 4, shards_idx: 3}]",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_cannot_be_meant(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
