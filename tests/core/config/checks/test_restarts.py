"""Restarts of the learning rate, and of the adapter with it."""

from __future__ import annotations

import pytest

RELORA = "adapter: lora\nrelora: true\njagged_restart_steps: 50\n"


def beside(line: str, message: str) -> tuple[str, int, int, str, str, str]:
    """Return the row of a line that `relora` cannot stand beside."""
    return (RELORA + line, 5, 1, message, "remove one of the two", f"adapter: lora\n{line}")


ERRORS = [
    (
        "adapter: lora\nrelora: true",
        5,
        1,
        "'relora' needs 'jagged_restart_steps': when the adapter is begun anew",
        "add 'jagged_restart_steps: 200'",
        "adapter: lora\nrelora: true\njagged_restart_steps: 50",
    ),
    (
        "relora: true\njagged_restart_steps: 50",
        4,
        1,
        "'relora' begins an adapter anew, and there is none",
        "add 'adapter: lora'",
        "adapter: lora\nrelora: true\njagged_restart_steps: 50",
    ),
    beside(
        "deepspeed: zero2.json", "'relora' adds the adapter into weights that 'deepspeed' cuts into pieces"
    ),
    beside(
        "fsdp_config: {offload_params: true}",
        "'relora' adds the adapter into weights that 'fsdp_config' cuts into pieces",
    ),
    beside(
        "val_set_size: 5\nload_best_model_at_end: true",
        "'load_best_model_at_end' goes back to an adapter whose model 'relora' has changed since",
    ),
    beside(
        "lora_target_parameters: [mlp.experts]",
        "'relora' adds the adapters of layers, and 'lora_target_parameters' names what is none",
    ),
    (
        "adapter: qlora\nload_in_4bit: true\nrelora: true\njagged_restart_steps: 50",
        6,
        1,
        "'relora' with 'load_in_4bit' is not supported: weights in 4 bit round most of each merge away",
        "remove 'load_in_4bit' and write 'adapter: lora'",
        "adapter: qlora\nload_in_4bit: true",
    ),
    (
        RELORA + "load_in_8bit: true",
        5,
        1,
        "'relora' with 'load_in_8bit' is not supported: weights in 8 bit round most of each merge away",
        "remove 'load_in_8bit' and write 'adapter: lora'",
        "adapter: lora\nload_in_8bit: true",
    ),
    (
        RELORA + "peft_use_dora: true",
        7,
        1,
        "'relora' with 'peft_use_dora' is not supported: its magnitudes are not added to the weights",
        "remove one of the two",
        "adapter: lora\npeft_use_dora: true",
    ),
    (
        RELORA + "peft_init_lora_weights: false",
        7,
        25,
        "'relora' begins adapters that change nothing, and not as 'peft_init_lora_weights: false'",
        "remove the line",
        RELORA + "peft_init_lora_weights: gaussian",
    ),
    (
        RELORA + "optimizer: adamw_bnb_8bit",
        7,
        12,
        "'relora' sets a part of Adam's moments to 0, and 'optimizer: adamw_bnb_8bit' does not keep them as numbers",
        "use 'optimizer: adamw_torch_fused'",
        RELORA + "optimizer: adamw_torch",
    ),
    (
        "jagged_restart_steps: 50\nlr_scheduler: one_cycle",
        5,
        15,
        "'lr_scheduler: one_cycle' cannot begin anew every 'jagged_restart_steps'",
        "use 'lr_scheduler: cosine'",
        "jagged_restart_steps: 50\nlr_scheduler: linear",
    ),
    (
        "jagged_restart_steps: 10",
        4,
        1,
        "'jagged_restart_steps: 10' is over before the learning rate has risen again: it takes 10 steps to rise and 1 to fall",
        "add 'jagged_restart_warmup_steps: 2'",
        "jagged_restart_steps: 11",
    ),
]

WARNINGS = [
    (
        "relora_prune_ratio: 0.5",
        4,
        1,
        "'relora_prune_ratio' has no effect without 'relora: true'",
        "remove the line",
        RELORA + "relora_prune_ratio: 0.5",
    ),
    (
        "jagged_restart_anneal_steps: 5",
        4,
        1,
        "'jagged_restart_anneal_steps' has no effect: no 'jagged_restart_steps' says when there is a restart",
        "add 'jagged_restart_steps: 200', or remove the line",
        "jagged_restart_steps: 20\njagged_restart_anneal_steps: 5",
    ),
    (
        "jagged_restart_steps: 20\nmax_steps: 20",
        4,
        1,
        "nothing begins anew: 'max_steps' is 20, and 'jagged_restart_steps' 20",
        "write 'jagged_restart_steps: 5'",
        "jagged_restart_steps: 20\nmax_steps: 21",
    ),
]


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), ERRORS)
def test_what_is_refused(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("error", line, column, message, fix)]
    assert found(neighbour) == []


@pytest.mark.parametrize("method", ["dpo", "kto"])
def test_methods_that_compare_with_a_model(errors, required, method):
    told = [message for _, _, message, _ in errors(f"{required}{RELORA}rl: {method}")]
    assert "'relora' changes the model that 'rl' compares with" in told


@pytest.mark.parametrize(("lines", "line", "column", "message", "fix", "neighbour"), WARNINGS)
def test_what_is_doubtful(found, lines, line, column, message, fix, neighbour):
    assert found(lines) == [("warning", line, column, message, fix)]
    assert found(neighbour) == []
