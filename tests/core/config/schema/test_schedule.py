"""Keys of the length, the batches, the learning rate's course and the memory."""

from __future__ import annotations

import pytest

from ft_core.config import explain, load_config

MEMORY = "remove it: 'gradient_checkpointing: true' or a smaller micro_batch_size saves memory"
NO_TILES = "remove it: 'gradient_checkpointing: true' or a shorter sequence_len saves memory"
NO_CHUNKS = "remove it: the loss is the same; a smaller micro_batch_size saves memory"
TWO = "keep 'micro_batch_size' and one of the other two"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("num_epochs: 0.5", 0.5),
        ("max_steps: 500", 500),
        ("micro_batch_size: '4'", 4),
        ("gradient_accumulation_steps: 8", 8),
        ("batch_size: 16", 16),
        ("auto_find_batch_size: true", True),
        ("gradient_checkpointing: 'True'", True),
        ("gradient_checkpointing: auto", "auto"),
        ("gradient_checkpointing: offload", "offload"),
        ("gradient_checkpointing_kwargs: {use_reentrant: false}", {"use_reentrant": False}),
        ("activation_offloading: true", True),
        ("activation_offloading: hidden_states", "hidden_states"),
        ("tiled_mlp: true", True),
        ("tiled_mlp_num_shards: 4", 4),
        ("tiled_mlp_use_original_mlp: false", False),
        ("chunked_cross_entropy: true", True),
        ("chunked_cross_entropy_num_chunks: 16", 16),
        ("torch_compile: true", True),
        ("torch_compile: false", False),
        ("torch_compile_backend: inductor", "inductor"),
        ("torch_compile_mode: max-autotune", "max-autotune"),
        ("torch_empty_cache_steps: 10", 10),
        ("gc_collect_steps: -1", -1),
        ("seed: 0", 0),
        ("full_determinism: true", True),
        ("lr_scheduler: constant_with_warmup", "constant_with_warmup"),
        ("lr_scheduler_kwargs: {min_lr_rate: 0.1}", {"min_lr_rate": 0.1}),
        ("lr_scheduler: rex", "rex"),
        ("lr_scheduler: one_cycle", "one_cycle"),
        ("lr_quadratic_warmup: true", True),
        ("cosine_min_lr_ratio: 0.1", 0.1),
        ("cosine_constant_lr_ratio: 1", 1.0),
        ("warmup_steps: 0", 0),
        ("warmup_ratio: 0.1", 0.1),
        ("loss_watchdog_threshold: 5.0", 5.0),
        ("loss_watchdog_patience: 3", 3),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("num_epochs: 0", "must be greater than 0, not 0", ""),
        ("max_steps: -1", "must be at least 1, not -1", ""),
        ("batch_size: 0", "must be at least 1, not 0", ""),
        ("batch_size: 2.5", "must be a whole number, not 2.5", ""),
        (
            "gradient_checkpointing: offload_disk",
            "cannot be 'offload_disk': it is not supported yet",
            "use 'offload'",
        ),
        (
            "activation_offloading: discs",
            "cannot be 'discs'",
            "use true, false, 'legacy', 'disk' or 'hidden_states'",
        ),
        ("tiled_mlp: 4", "must be true or false, not 4", ""),
        ("tiled_mlp_num_shards: 0", "must be at least 1, not 0", ""),
        ("chunked_cross_entropy_num_chunks: many", "must be a whole number, not 'many'", ""),
        ("torch_compile: inductor", "cannot be 'inductor'", "use true or false"),
        ("torch_compile: auto", "cannot be 'auto': it is not supported yet", "use true or false"),
        (
            "torch_compile_mode: reduce_overhead",
            "cannot be 'reduce_overhead'; did you mean 'reduce-overhead'?",
            "use 'default', 'reduce-overhead' or 'max-autotune'",
        ),
        ("gc_collect_steps: -2", "must be at least -1, not -2", ""),
        ("lr_scheduler: cosin", "cannot be 'cosin'; did you mean 'cosine'?", "use 'cosine' or 'linear'"),
        (
            "lr_scheduler: log_sweep",
            "cannot be 'log_sweep': it is not supported yet",
            "use 'cosine' or 'linear'",
        ),
        ("cosine_min_lr_ratio: 10", "must be at least 0 and at most 1, not 10", ""),
        ("loss_watchdog_threshold: 0", "must be greater than 0, not 0", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        (
            "auto_find_batch_size: true",
            "remove it: the plan estimates the memory, and an error says what to lower",
        ),
        ("activation_offloading: legacy", MEMORY),
        ("tiled_mlp: true", NO_TILES),
        ("tiled_mlp_num_shards: 4", NO_TILES),
        ("chunked_cross_entropy: true", NO_CHUNKS),
        ("chunked_cross_entropy_num_chunks: 16", NO_CHUNKS),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line)[0] == (4, 1, f"'{key}' is not supported yet", fix)


@pytest.mark.parametrize(
    "line",
    [
        "batch_size:",
        "activation_offloading: false",
        "tiled_mlp: false",
        "tiled_mlp_use_original_mlp: true",
        "torch_compile: false",
        "torch_compile:",
        "loss_watchdog_threshold:",
        "gc_collect_steps: null",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []


@pytest.mark.parametrize(
    ("lines", "sizes", "derived"),
    [
        ("", (1, 1, 1), {"batch_size": "micro_batch_size x gradient_accumulation_steps"}),
        (
            "micro_batch_size: 2\ngradient_accumulation_steps: 3",
            (2, 3, 6),
            {"batch_size": "micro_batch_size x gradient_accumulation_steps"},
        ),
        (
            "batch_size: 8\nmicro_batch_size: 2",
            (2, 4, 8),
            {"gradient_accumulation_steps": "batch_size / micro_batch_size"},
        ),
        (
            "batch_size: 8\nmicro_batch_size: 2\ngradient_accumulation_steps:",
            (2, 4, 8),
            {"gradient_accumulation_steps": "batch_size / micro_batch_size"},
        ),
        ("batch_size: 8\nmicro_batch_size: 2\ngradient_accumulation_steps: 4", (2, 4, 8), {}),
        ("batch_size: 8\ngradient_accumulation_steps: 8", (1, 8, 8), {}),
    ],
)
def test_the_missing_one_of_three_batch_keys(required, lines, sizes, derived):
    config = load_config(required + lines)
    keys = ("micro_batch_size", "gradient_accumulation_steps", "batch_size")
    origins = {key: config.origin(key) for key in keys}
    assert tuple(getattr(config, key) for key in keys) == sizes
    assert {key: origin.reason for key, origin in origins.items() if origin.kind == "derived"} == derived
    assert load_config(config.to_yaml()) == config


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (
            "batch_size: 8",
            (
                4,
                1,
                "'batch_size' does not say how many samples a device computes at a time",
                "add 'micro_batch_size: 1'",
            ),
        ),
        (
            "micro_batch_size: 2\nbatch_size: 9",
            (
                5,
                13,
                "'batch_size: 9' is no multiple of 'micro_batch_size: 2'",
                "write 'batch_size: 10'",
            ),
        ),
        (
            "micro_batch_size: 4\nbatch_size: 2",
            (5, 13, "'batch_size: 2' is no multiple of 'micro_batch_size: 4'", "write 'batch_size: 4'"),
        ),
        (
            "gradient_accumulation_steps: 2\nbatch_size: 8",
            (5, 13, "'batch_size: 8' is not micro_batch_size 1 x gradient_accumulation_steps 2", TWO),
        ),
        (
            "micro_batch_size: 4\ngradient_accumulation_steps: 3\nbatch_size: 8",
            (6, 13, "'batch_size: 8' is not micro_batch_size 4 x gradient_accumulation_steps 3", TWO),
        ),
        ("batch_size: 8\nmicro_batch_size: 0", (5, 19, "'micro_batch_size' must be at least 1, not 0", "")),
    ],
)
def test_batch_keys_that_do_not_fit_together(errors, required, lines, found):
    assert errors(required + lines) == [found]


def test_a_batch_size_of_the_command_line(errors, required):
    assert errors(required, {"batch_size": 8}) == [
        (
            None,
            None,
            "--set batch_size: 'batch_size' does not say how many samples a device computes at a time",
            "add 'micro_batch_size: 1'",
        )
    ]
    config = load_config(required + "micro_batch_size: 2", {"batch_size": 8})
    assert config.gradient_accumulation_steps == 4


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("num_epochs", 1.0),
        ("micro_batch_size", 1),
        ("gradient_accumulation_steps", 1),
        ("batch_size", None),
        ("tiled_mlp_use_original_mlp", True),
        ("seed", 42),
        ("lr_scheduler", "cosine"),
    ],
)
def test_defaults(key, default):
    assert explain(key).default == default
