"""Keys of several devices."""

from __future__ import annotations

import pytest

from ft_core.config import explain

WHOLE_MODEL = "remove it: every GPU holds the whole model"
WHOLE_ROWS = "remove it: every GPU computes whole rows"
BY_LAUNCHER = "remove it: the launcher sets it for each process"


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("fsdp_version: 1", 1),
        ("deepspeed: zero2.json", "zero2.json"),
        ("deepspeed: {zero_optimization: {stage: 2}}", {"zero_optimization": {"stage": 2}}),
        ("deepcompile: true", True),
        ("dp_shard_size: 4", 4),
        ("dp_replicate_size: 2", 2),
        ("tensor_parallel_size: 2", 2),
        ("context_parallel_size: 2", 2),
        ("heads_k_stride: 2", 2),
        ("ring_attn_func: batch_ring", "batch_ring"),
        ("expert_parallel_size: 8", 8),
        ("expert_parallel_backend: torch", "torch"),
        ("ddp: true", True),
        ("ddp_timeout: 7200", 7200),
        ("ddp_bucket_cap_mb: 100", 100),
        ("ddp_broadcast_buffers: true", True),
        ("ddp_find_unused_parameters: true", True),
        ("accelerator_config: {split_batches: true}", {"split_batches": True}),
        ("world_size: 2", 2),
        ("local_rank: 0", 0),
    ],
)
def test_accepted(stored, line, value):
    found = stored(line)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("fsdp_version: 3", "must be at least 1 and at most 2, not 3", ""),
        ("deepspeed: 2", "must be a path, or a map, not 2", ""),
        (
            "ring_attn_func: batch_zigzag",
            "cannot be 'batch_zigzag'; did you mean 'batch_ring'?",
            "use 'varlen_llama3' or 'batch_ring'",
        ),
        (
            "expert_parallel_backend: deepep",
            "cannot be 'deepep'; did you mean 'deep_ep'?",
            "use 'auto', 'deep_ep' or 'torch'",
        ),
        ("context_parallel_size: 0", "must be at least 1, not 0", ""),
        ("ddp_timeout: 1h", "must be a whole number, not '1h'", ""),
        ("accelerator_config: a.json", "must be a map of 'name: value' lines, not 'a.json'", ""),
    ],
)
def test_refused_values(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("fsdp_version: 1", WHOLE_MODEL),
        ("fsdp_config: {reshard_after_forward: true}", WHOLE_MODEL),
        ("deepspeed: zero2.json", WHOLE_MODEL),
        ("deepspeed: {zero_optimization: {stage: 2}}", WHOLE_MODEL),
        ("deepcompile: true", WHOLE_MODEL),
        ("dp_shard_size: 4", WHOLE_MODEL),
        ("dp_replicate_size: 2", WHOLE_MODEL),
        ("tensor_parallel_size: 2", WHOLE_MODEL),
        ("context_parallel_size: 2", WHOLE_ROWS),
        ("heads_k_stride: 2", WHOLE_ROWS),
        ("ring_attn_func: batch_ring", WHOLE_ROWS),
        ("expert_parallel_size: 8", WHOLE_MODEL),
        ("expert_parallel_backend: torch", WHOLE_MODEL),
        ("ddp: true", BY_LAUNCHER),
        (
            "accelerator_config: {split_batches: true}",
            "remove it: batches are split over the GPUs without it",
        ),
        ("world_size: 2", BY_LAUNCHER),
        ("local_rank: 1", BY_LAUNCHER),
    ],
)
def test_not_done_yet(errors, required, line, fix):
    key = line.partition(":")[0]
    assert errors(required + line)[0] == (4, 1, f"'{key}' is not supported yet", fix)


@pytest.mark.parametrize(
    "line",
    [
        "fsdp_version: 2",
        "fsdp_config:",
        "fsdp_config: {}",
        "deepspeed: {}",
        "deepspeed: ''",
        "local_rank:",
        "ddp: false",
        "ddp_find_unused_parameters: false",
        "expert_parallel_size: 1",
        "expert_parallel_backend: auto",
    ],
)
def test_asks_for_nothing(warnings, required, line):
    assert warnings(required + line) == []


FSDP = {
    "fsdp_version": 2,
    "auto_wrap_policy": "SIZE_BASED_WRAP",
    "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
    "min_num_params": 1000,
    "reshard_after_forward": True,
    "offload_params": False,
    "cpu_offload_pin_memory": False,
    "cpu_ram_efficient_loading": True,
    "activation_checkpointing": True,
    "mixed_precision_policy": "bf16",
    "state_dict_type": "SHARDED_STATE_DICT",
    "final_state_dict_type": "FULL_STATE_DICT",
}


def test_the_keys_of_fsdp_config(stored):
    assert stored(f"fsdp_config: {FSDP}").model_dump() == FSDP
    assert stored("fsdp_config: {}").model_dump() == dict.fromkeys(FSDP)


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        (
            "fsdp_config: {auto_wrap_policy: transformer_based_wrap}",
            "cannot be 'transformer_based_wrap'; did you mean 'TRANSFORMER_BASED_WRAP'?",
            "use 'TRANSFORMER_BASED_WRAP' or 'SIZE_BASED_WRAP'",
        ),
        ("fsdp_config: {offload_params: cpu}", "must be true or false, not 'cpu'", ""),
        ("fsdp_config: {min_num_params: 0}", "must be at least 1, not 0", ""),
    ],
)
def test_refused_values_of_fsdp_config(complaint, line, message, fix):
    assert complaint(line) == (message, fix)


def test_a_key_of_fsdp_config_at_the_top(errors, required):
    assert errors(required + "reshard_after_forward: true") == [
        (
            4,
            1,
            "unknown key 'reshard_after_forward'",
            "'reshard_after_forward' belongs to 'fsdp_config': check the indentation",
        )
    ]


@pytest.mark.parametrize(
    ("key", "default"),
    [
        ("fsdp_version", 2),
        ("expert_parallel_size", 1),
        ("expert_parallel_backend", "auto"),
    ],
)
def test_defaults(key, default):
    assert explain(key).default == default
