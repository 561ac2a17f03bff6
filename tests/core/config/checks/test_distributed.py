"""How a model is spread over several devices."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "fsdp_config: {offload_params: true}\ndeepspeed: zero2.json",
        5,
        1,
        "'deepspeed' and 'fsdp_config' both cut the model into pieces",
        "remove one of the two",
        "deepspeed: zero2.json",
    ),
    (
        "tensor_parallel_size: 2\noptimizer: paged_adamw_8bit",
        5,
        12,
        "'optimizer: paged_adamw_8bit' cannot keep its numbers for weights that 'tensor_parallel_size' cuts up",
        "use 'optimizer: adamw_torch_8bit'",
        "tensor_parallel_size: 1\noptimizer: paged_adamw_8bit",
    ),
    (
        "fsdp_config: {cpu_offload_pin_memory: false}",
        4,
        39,
        "'cpu_offload_pin_memory: false' needs 'offload_params: true': nothing is offloaded",
        "add 'offload_params: true'",
        "fsdp_config: {cpu_offload_pin_memory: false, offload_params: true}",
    ),
    (
        "deepcompile: true",
        4,
        1,
        "'deepcompile' needs 'deepspeed', which does it",
        "add 'deepspeed: zero2.json', or remove the line",
        "deepcompile: true\ndeepspeed: zero2.json",
    ),
]

WARNINGS = [
    (
        "fsdp_config: {offload_params: true}\noptimizer: adamw_bnb_8bit",
        5,
        12,
        "'optimizer: adamw_bnb_8bit' cannot keep its numbers for weights that 'fsdp_config' cuts into pieces",
        "use 'optimizer: adamw_torch_8bit'",
        "fsdp_config: {offload_params: true}\noptimizer: adamw_torch_8bit",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
