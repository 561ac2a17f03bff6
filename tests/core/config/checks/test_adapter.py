"""The adapter and its variants."""

from __future__ import annotations

import pytest

ERRORS = [
    (
        "adapter: lora\nlora_target_parameters: [mlp.experts]\nlora_dropout: 0.1",
        6,
        1,
        "'lora_dropout' must be 0 with 'lora_target_parameters': a parameter that is no layer has no inputs to drop",
        "write 'lora_dropout: 0'",
        "adapter: lora\nlora_target_parameters: [mlp.experts]\nlora_dropout: 0",
    ),
    (
        "adapter: lora\nlr_groups: [{name: a, modules: b, lr: 1}]\nloraplus_lr_ratio: 16",
        5,
        1,
        "'lr_groups' and 'loraplus_lr_ratio' both give some weights a learning rate of their own",
        "remove one of the two",
        "adapter: lora\nloraplus_lr_ratio: 16",
    ),
    (
        "adapter: lora\nflash_attn_fuse_mlp: true",
        5,
        1,
        "'flash_attn_fuse_mlp' fuses layers that the adapter's matrices stand beside",
        "remove 'adapter' or 'flash_attn_fuse_mlp'",
        "flash_attn_fuse_mlp: true",
    ),
    (
        "adapter: lora\nuse_onebitllms: true",
        5,
        1,
        "'use_onebitllms' trains the model's own weights, and an adapter leaves them as they are",
        "remove 'adapter' or 'use_onebitllms'",
        "use_onebitllms: true",
    ),
    (
        "adapter: lora\nload_in_8bit: true\nlora_qkv_kernel: true",
        6,
        1,
        "'lora_qkv_kernel' cannot compute on weights that 'load_in_8bit' keeps in 8 bit",
        "remove the line",
        "adapter: lora\nlora_qkv_kernel: true",
    ),
    (
        "adapter: lora\nlora_dropout: 0.1\nlora_mlp_kernel: true",
        6,
        1,
        "'lora_mlp_kernel' has no step for 'lora_dropout', which changes what the adapter reads",
        "remove one of the two",
        "adapter: lora\nlora_dropout: 0.1",
    ),
    (
        "adapter: lora\npeft_use_dora: true\nlora_o_kernel: true",
        6,
        1,
        "'lora_o_kernel' has no step for 'peft_use_dora', which scales the layer's own weights",
        "remove one of the two",
        "adapter: lora\nlora_o_kernel: true",
    ),
    (
        "adapter: lora\nunfrozen_parameters: [lm_head]",
        5,
        1,
        "'unfrozen_parameters' has no place beside an adapter, which leaves the model's own weights as they are",
        "use 'lora_modules_to_save' for layers that train whole, or remove 'adapter'",
        "unfrozen_parameters: [lm_head]",
    ),
    (
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nreward_model: true\nunfrozen_parameters: [lm_head]",
        5,
        1,
        "'unfrozen_parameters' cannot name the head of a reward model, which is new and has to train",
        "remove it, or use 'adapter: lora'",
        "datasets: [{path: a/b, type: bradley_terry.chat_template}]\nreward_model: true",
    ),
    (
        "adapter: lora\npeft_layers_pattern: [layers]",
        5,
        22,
        "'peft_layers_pattern' needs 'peft_layers_to_transform': it says where those layers are",
        "add 'peft_layers_to_transform: [0, 1]', or remove the line",
        "adapter: lora\npeft_layers_pattern: [layers]\npeft_layers_to_transform: [0]",
    ),
]

WARNINGS = [
    (
        "peft_layers_to_transform: [0]",
        4,
        1,
        "'peft_layers_to_transform' has no effect: without 'adapter: lora' all weights of the model are trained",
        "add 'adapter: lora', or remove 'peft_layers_to_transform'",
        "adapter: lora\npeft_layers_to_transform: [0]",
    ),
    (
        "loraplus_lr_ratio: 16",
        4,
        1,
        "'loraplus_lr_ratio' has no effect: without 'adapter: lora' all weights of the model are trained",
        "add 'adapter: lora', or remove 'loraplus_lr_ratio'",
        "adapter: lora\nloraplus_lr_ratio: 16",
    ),
    (
        "lora_r: 8",
        4,
        1,
        "'lora_r' has no effect: without 'adapter: lora' all weights of the model are trained",
        "add 'adapter: lora', or remove 'lora_r'",
        "adapter: lora\nlora_r: 8",
    ),
    (
        "peft_use_dora: true",
        4,
        1,
        "'peft_use_dora' has no effect: without 'adapter: lora' all weights of the model are trained",
        "add 'adapter: lora', or remove 'peft_use_dora'",
        "adapter: lora\npeft_use_dora: true",
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
