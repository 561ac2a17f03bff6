"""Keys of the optimizer."""

from __future__ import annotations

import pytest

from ft_core.config import explain

GROUP = "write {name: heads, modules: [lm_head], lr: 1e-5}"
CAME = "remove it, and use 'optimizer: adamw_torch_fused'"
OPTIMIZER = "use 'adamw_torch_fused', or 'adamw_bnb_8bit' to save memory"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("learning_rate: 2e-4", 0.0002),
        ("embedding_lr: 1e-5", 1e-05),
        ("embedding_lr_scale: 1", 1.0),
        ("lr_groups: [{name: a, modules: [b], lr: 1e-5}]", ({"name": "a", "modules": ("b",), "lr": 1e-05},)),
        ("lr_groups: [{name: a, modules: b, lr: 1e-5}]", ({"name": "a", "modules": ("b",), "lr": 1e-05},)),
        ("optimizer: adamw_torch_fused", "adamw_torch_fused"),
        ("optimizer: schedule_free_adamw", "schedule_free_adamw"),
        ("optim_args: {foreach: false}", {"foreach": False}),
        ("optim_target_modules: all_linear", "all_linear"),
        ("optim_target_modules: [q_proj]", ("q_proj",)),
        ("torchdistx_path: ./x", "./x"),
        ("adam_beta1: 0", 0.0),
        ("adam_beta2: 0.95", 0.95),
        ("adam_beta3: 0.9999", 0.9999),
        ("adam_epsilon: 1e-6", 1e-06),
        ("adam_epsilon2: 1e-16", 1e-16),
        ("weight_decay: 0", 0.0),
        ("max_grad_norm: 0", 0.0),
        ("neftune_noise_alpha: 5", 5.0),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("learning_rate: 0", "must be greater than 0, not 0", ""),
        ("embedding_lr: high", "must be a number, not 'high'", ""),
        (
            "lr_groups: {name: a}",
            "must be a list of maps with name, modules and lr, not a map",
            "begin each entry with '- '",
        ),
        ("lr_groups: [{name: a}]", "must hold maps with name, modules and lr; one has no modules", GROUP),
        (
            "lr_groups: [{name: a, module: [b], modules: [b], lr: 1}]",
            "must hold maps with name, modules and lr, not 'module'; did you mean 'modules'?",
            "remove it",
        ),
        ("lr_groups: [{name: a, modules: [b], lr: 0}]", "must be greater than 0, not 0", ""),
        ("lr_groups: [3]", "must hold maps only, not 3", ""),
        (
            "optimizer: adamw_bnb_8bits",
            "cannot be 'adamw_bnb_8bits'; did you mean 'adamw_bnb_8bit'?",
            OPTIMIZER,
        ),
        ("optimizer: dion", "cannot be 'dion': it is not supported yet", OPTIMIZER),
        ("optim_args: foreach=False", "must be a map of 'name: value' lines, not 'foreach=False'", ""),
        (
            "optim_target_modules: all-linear",
            "must be 'all_linear' or a list of texts, not 'all-linear'; did you mean 'all_linear'?",
            "write [all-linear]",
        ),
        ("adam_beta2: 1", "must be at least 0 and less than 1, not 1", ""),
        ("adam_epsilon: 0", "must be greater than 0, not 0", ""),
        ("weight_decay: -0.1", "must be at least 0, not -0.1", ""),
        ("max_grad_norm: none", "must be a number, not 'none'", ""),
        ("neftune_noise_alpha: -5", "must be at least 0, not -5", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("optim_target_modules: [q_proj]", "remove it: no supported optimizer treats some layers apart"),
        ("torchdistx_path: ./x", "remove it, and install torchdistx itself"),
        ("adam_beta3: 0.9999", CAME),
        ("adam_epsilon2: 1e-16", CAME),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line) == [(4, 1, f"'{key}' is not supported yet", fix)]


@pytest.mark.parametrize(
    "line",
    [
        "embedding_lr:",
        "lr_groups: []",
        "torchdistx_path: ''",
        "optim_args: {}",
        "neftune_noise_alpha: null",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("optimizer", "adamw_torch_fused"),
        ("adam_beta1", 0.9),
        ("adam_beta2", 0.999),
        ("adam_epsilon", 1e-08),
        ("weight_decay", 0.0),
        ("max_grad_norm", 1.0),
    ],
)
def test_defaults(key, default):
    assert explain(key).default == default
