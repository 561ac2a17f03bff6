"""What the keys of the adapter accept."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("adapter: lora", "lora"),
        ("adapter: qlora", "qlora"),
        ("lora_r: 16", 16),
        ("lora_target_modules: all-linear", "all-linear"),
        ("lora_target_modules: '.*layers.(0|1).*q_proj'", ".*layers.(0|1).*q_proj"),
        ("lora_target_modules: [q_proj, mlp.up_proj]", ("q_proj", "mlp.up_proj")),
        ("lora_target_parameters: mlp.experts.gate_up_proj", ("mlp.experts.gate_up_proj",)),
        ("lora_rank_pattern: {down_proj: '32'}", {"down_proj": 32}),
        ("loraplus_lr_embedding: 1e-6", 1e-6),
        ("peft_init_lora_weights: false", False),
        ("peft_init_lora_weights: orthogonal", "orthogonal"),
        ("peft_init_lora_weights: pissa_niter_16", "pissa_niter_16"),
        ("peft_layers_to_transform: [0, '1']", (0, 1)),
        ("peft_trainable_token_indices: [5]", (5,)),
        ("peft_trainable_token_indices: {embed_tokens: [5]}", {"embed_tokens": (5,)}),
        ("relora_prune_method: reset", "reset"),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        (
            "adapter: llama-adapter",
            "cannot be 'llama-adapter': it is not supported yet",
            "use 'lora' or 'qlora'",
        ),
        (
            "lora_target_modules: '.*layers.(0|1.*q_proj'",
            "must hold regular expressions, and '.*layers.(0|1.*q_proj' is none: missing ), unterminated subpattern at position 9",
            "write a name such as q_proj",
        ),
        (
            "lora_rank_pattern: {'q_proj[': 2}",
            "must hold regular expressions, and 'q_proj[' is none: unterminated character set at position 6",
            "write a name such as q_proj",
        ),
        (
            "lora_target_modules: q_proj",
            "must be 'all-linear', a list of texts or a regular expression, not 'q_proj'",
            "write [q_proj]",
        ),
        ("lora_rank_pattern: {down_proj: 0}", "must map to whole numbers of at least 1, not to 0", ""),
        ("lora_rank_pattern: {down_proj: 1.5}", "must map to whole numbers of at least 1, not to 1.5", ""),
        ("lora_rank_pattern: {down_proj: true}", "must map to whole numbers of at least 1, not to true", ""),
        ("peft_layers_to_transform: 3", "must be a list of whole numbers, not 3", "write [0, 1]"),
        ("peft_layers_to_transform: [0, x]", "must hold whole numbers only, not 'x'", ""),
        ("peft_layers_to_transform: [0, 1.5]", "must hold whole numbers only, not 1.5", ""),
        ("peft_layers_to_transform: [-1]", "must hold numbers of at least 0, not -1", ""),
        (
            "peft_trainable_token_indices: x",
            "must be a list of whole numbers, or a map from modules to such lists, not 'x'",
            "",
        ),
        (
            "peft_init_lora_weights: gausian",
            "cannot be 'gausian'; did you mean 'gaussian'?",
            "use true",
        ),
        ("peft_init_lora_weights: loftq", "cannot be 'loftq': it is not supported yet", "use true"),
        (
            "peft_init_lora_weights: pissa_niter_x",
            "cannot be 'pissa_niter_x'",
            "use true",
        ),
        ("loraplus_lr_ratio: 0", "must be greater than 0, not 0", ""),
        ("relora_prune_ratio: 1.5", "must be at least 0 and at most 1, not 1.5", ""),
    ],
)
def test_refused(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("peft: {loftq_config: {loftq_bits: 4}}", "remove it"),
        ("lora_embedding_kernel: true", "remove it: results are the same; only speed differs"),
    ],
)
def test_not_supported_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + "adapter: lora\n" + line)[0] == (5, 1, f"'{key}' is not supported yet", fix)


@pytest.mark.parametrize(
    "line", ["loraplus_lr_embedding: 1e-6", "relora_prune_method: magnitude", "lora_o_kernel: false"]
)
def test_what_asks_for_nothing_passes(warnings, required, line):
    assert warnings(required + "adapter: lora\n" + line) == []
