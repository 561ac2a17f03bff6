"""How the checks see values that are wrong, refused, overridden or many."""

from __future__ import annotations

import time

import pytest

from ft_core.config import load_config


def test_all_mistakes_are_named_whether_training_does_the_keys_yet_or_not(errors, required):
    lines = "adapter: qlora\nload_in_8bit: true\nrelora: true\nsave_steps: 5\nsaves_per_epoch: 2"
    assert [(line, message) for line, _, message, _ in errors(required + lines)] == [
        (5, "'adapter: qlora' keeps the base model in 4 bit, and 'load_in_8bit' in 8 bit"),
        (6, "'relora' needs 'jagged_restart_steps': when the adapter is begun anew"),
        (6, "'relora' with 'load_in_8bit' is not supported: weights in 8 bit round most of each merge away"),
        (8, "'save_steps' and 'saves_per_epoch' both say when checkpoints are saved"),
    ]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("val_set_size: x\neval_steps: 2", ["'val_set_size' must be a number, not 'x'"]),
        ("test_datasets: [{path: 3, type: alpaca}]\neval_steps: 2", ["'path' must be text, not 3"]),
        ("adapter: lorra\nlora_r: 3", ["'adapter' cannot be 'lorra'; did you mean 'lora'?"]),
        (
            "adapter: lorra\nrelora: true\njagged_restart_steps: 50",
            ["'adapter' cannot be 'lorra'; did you mean 'lora'?"],
        ),
        (
            "adapter: lora\nlora_dropout: x\nlora_target_parameters: [a]",
            ["'lora_dropout' must be a number, not 'x'"],
        ),
        ("adapter: qlora\nload_in_4bit: 5", ["'load_in_4bit' must be true or false, not 5"]),
        ("adapter: qlora\nload_in_4bit: 'true'", []),
        (
            "fsdp_config: {offload_params: true}\noptimizer: adamw_8bitt",
            ["'optimizer' cannot be 'adamw_8bitt'; did you mean 'adamw_8bit'?"],
        ),
        ("streaming: true\nmax_steps: x", ["'max_steps' must be a whole number, not 'x'"]),
        ("batch_size: 9\nmicro_batch_size: x", ["'micro_batch_size' must be a whole number, not 'x'"]),
        ("rl: dpoo\ndpo_loss_type: [sigmoid]", ["'rl' cannot be 'dpoo'; did you mean 'dpo'?"]),
        ("adapter: qlora\nload_in_8bit: 5", ["'load_in_8bit' must be true or false, not 5"]),
        (
            "chat_template: jinja\nchat_template_jinja: 3",
            ["'chat_template_jinja' must be text, not 3"],
        ),
        (
            "lr_scheduler: cosine_with_min_lr\nlr_scheduler_kwargs: 3",
            ["'lr_scheduler_kwargs' must be a map of 'name: value' lines, not 3"],
        ),
        (
            "sample_packing: true\nsequence_len: x\nattn_implementation: true",
            [
                "'sequence_len' must be a whole number, not 'x'",
                "'attn_implementation' cannot be true",
            ],
        ),
        ("rl: grpo\ntrl: {num_generations: one}", []),
        (
            "datasets: [{path: a/b, type: alpcaa}]\ntrain_on_inputs: true",
            ["'type' cannot be 'alpcaa'; did you mean 'alpaca'?"],
        ),
        (
            "datasets: [{path: a/b, type: alpcaa, field_messages: x, roles_to_train: [], train_on_eos: none}]",
            ["'type' cannot be 'alpcaa'; did you mean 'alpaca'?"],
        ),
        (
            "datasets: [{path: a/b, type: chat_template, roles_to_train: x, train_on_eos: none}]",
            ["'roles_to_train' must be a list of texts, not 'x'"],
        ),
        (
            "datasets: []\ntrain_on_inputs: true\neot_tokens: [x]",
            ["'datasets' is empty"],
        ),
    ],
)
def test_a_wrong_value_brings_no_second_complaint(found, lines, expected):
    assert [message for *_, message, _ in found(lines)] == expected


@pytest.mark.parametrize(
    "lines",
    [
        "lora_dropout: 0\nlora_target_linear: false\nlora_target_modules: []",
        "evals_per_epoch: 0\nsaves_per_epoch: 0\nsave_steps: 5",
        "load_in_4bit: false\nload_in_8bit: null\nsample_packing: false\nrl:\nearly_stopping_patience:",
        "adapter: lora\nlora_r: 8\npeft_use_dora: true",
        "gradient_checkpointing_kwargs: {}\nmax_steps: 5",
        "unfrozen_parameters: [lm_head]",
        "do_bench_eval: true\neval_steps: 5",
        "test_datasets: [{path: a/b, type: alpaca}]\neval_steps: 5",
        "optimizer: adamw_bnb_8bit",
        "bf16: true",
        "num_epochs: 3",
        "warmup_steps: 0",
        "batch_flattening: true",
        "save_strategy: no",
        "val_set_size: 0.1\nearly_stopping_patience: 3\neval_steps: 10",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsave_steps: 10",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsave_steps: 100\neval_steps: 0.3",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nsaves_per_epoch: 2",
        "val_set_size: 0.1\nearly_stopping_patience: 3\nevals_per_epoch: 3",
        "gradient_checkpointing: true\ngradient_checkpointing_kwargs: {use_reentrant: true}",
        "tensor_parallel_size: 2\noptimizer: adamw_torch",
        "rl: dpo\ntrl: {num_generations: 1}",
        "datasets: [{path: a/b, type: alpaca, field: text}]",
        "datasets: [{path: a/b, type: alpaca}, {path: a/b, type: alpaca, split: test}]\ntrain_on_inputs: true",
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [assistant]}]\ntrain_on_inputs: true",
        "datasets: [{path: a/b, type: chat_template, roles: {assistants: [gpt]}}]",
        "datasets: [{path: a/b, type: chat_template, roles_to_train: [], train_on_eos: none, message_field_training: t}]",
    ],
)
def test_what_is_no_mistake(found, lines):
    assert found(lines) == []


def test_a_key_that_an_override_sets(errors, required):
    found = errors(required, {"load_in_8bit": True})
    assert [(line, message) for line, _, message, _ in found] == [
        (
            None,
            "--set load_in_8bit: 'load_in_8bit' needs an adapter: weights in 8 bit cannot be trained themselves",
        ),
    ]


def test_an_older_form_of_a_key(errors, required):
    found = errors(required + "relora_steps: 100")
    assert found[-1] == (
        4,
        1,
        "'relora' begins an adapter anew, and there is none (here written 'relora_steps')",
        "add 'adapter: lora'",
    )


def test_attention_that_mixes_packed_samples(found_once_supported):
    lines = "sample_packing: true\nsequence_len: 2048"
    assert found_once_supported(lines, {("attn_implementation",): "sage"}) == [
        (
            "warning",
            4,
            1,
            (
                "'attn_implementation: sage' lets the samples of a packed row attend to each other, so that they are "
                "trained as one text"
            ),
            "use 'attn_implementation: flash_attention_2' or 'sdpa'",
        )
    ]
    assert found_once_supported(lines, {("attn_implementation",): "flex_attention"}) == []


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "quantize_moe_experts: true",
            [
                "'quantize_moe_experts' needs an adapter: quantised experts cannot be trained themselves",
                "'quantize_moe_experts' needs 'load_in_4bit' or 'load_in_8bit': in how many bits",
            ],
        ),
        (
            "load_in_4bit: true\nload_in_8bit: true",
            [
                "'load_in_4bit' needs an adapter: weights in 4 bit cannot be trained themselves",
                "'load_in_8bit' needs an adapter: weights in 8 bit cannot be trained themselves",
            ],
        ),
    ],
)
def test_two_mistakes_of_one_key_or_of_two(found, lines, expected):
    assert [message for *_, message, _ in found(lines)] == expected


def test_what_is_evaluated_and_never_is(found):
    fix = "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line"
    assert found("eval_strategy: epoch\neval_steps: 5") == [
        ("warning", 4, 1, "'eval_strategy' has no effect: there is nothing to evaluate on", fix),
        ("warning", 5, 1, "'eval_steps' has no effect: there is nothing to evaluate on", fix),
    ]


def test_preference_data_needs_no_type(found):
    assert found("datasets: [{path: a/b}]\nrl: dpo") == []
    assert found("datasets: [{path: a/b}]") == [
        ("error", 3, 12, "'datasets[0]' has no 'type'", "add 'type: chat_template'")
    ]


def test_saves_per_epoch_wins_over_the_strategy(required):
    config = load_config(required + "save_strategy: epoch\nsaves_per_epoch: 2")
    assert config.save_strategy == "steps"
    assert config.origin("save_strategy").reason == "saves_per_epoch is given"


def test_a_thousand_datasets_are_compared_in_no_time(required):
    entries = [{"path": f"org/data-{number % 997}", "type": "alpaca"} for number in range(2000)]
    start = time.perf_counter()
    config = load_config({"base_model": "a/b", "learning_rate": 1e-4, "datasets": entries})
    assert time.perf_counter() - start < 5
    assert len(config.warnings) == 2000 - 997
