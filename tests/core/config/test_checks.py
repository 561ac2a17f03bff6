"""What is wrong between keys that are each right on their own."""

from __future__ import annotations

import pytest

BOTH = "remove one of the two"
NO_EVAL = "set 'val_set_size: 0.05' or give 'test_datasets', or remove the line"
ALL_WEIGHTS = "has no effect: without 'adapter: lora' all weights of the model are trained"
HEAD = "base_model: org/model\nlearning_rate: 2e-4\n"


@pytest.mark.parametrize(
    ("lines", "line", "column", "message", "fix"),
    [
        (
            "warmup_steps: 0\nwarmup_ratio: 0.1",
            5,
            1,
            "'warmup_steps' and 'warmup_ratio' both say how long the warmup is",
            BOTH,
        ),
        (
            "save_steps: 5\nsaves_per_epoch: 1",
            5,
            1,
            "'save_steps' and 'saves_per_epoch' both say when checkpoints are saved",
            BOTH,
        ),
        (
            "save_strategy: epoch\nsave_steps: 5",
            4,
            16,
            "'save_strategy: epoch' and 'save_steps' contradict each other",
            "write 'save_strategy: steps', or remove 'save_steps'",
        ),
        (
            "save_strategy: no\nsaves_per_epoch: 2",
            4,
            16,
            "'save_strategy: no' and 'saves_per_epoch' contradict each other",
            "write 'save_strategy: steps', or remove 'saves_per_epoch'",
        ),
        (
            "val_set_size: 0.1\neval_steps: 2\nevals_per_epoch: 1",
            6,
            1,
            "'eval_steps' and 'evals_per_epoch' both say when the model is evaluated",
            BOTH,
        ),
        (
            "val_set_size: 0.1\neval_strategy: epoch\neval_steps: 2",
            5,
            16,
            "'eval_strategy: epoch' and 'eval_steps' contradict each other",
            "write 'eval_strategy: steps', or remove 'eval_steps'",
        ),
        ("eval_steps: 5", 4, 1, "'eval_steps' is given, and there is nothing to evaluate on", NO_EVAL),
        (
            "eval_strategy: steps",
            4,
            1,
            "'eval_strategy' is given, and there is nothing to evaluate on",
            NO_EVAL,
        ),
        (
            "val_set_size: 0.1\ntest_datasets: [{path: a/b, type: alpaca}]",
            4,
            1,
            "'val_set_size' and 'test_datasets' both say what is evaluated on",
            BOTH,
        ),
        (
            "val_set_size: 1.5",
            4,
            15,
            "'val_set_size' must be a share below 1 or a whole number of samples, not 1.5",
            "write 0.05 for 5 %, or 100 for 100 samples",
        ),
        (
            "bf16: true\nfp16: true",
            5,
            7,
            "'fp16' and 'bf16' cannot both be true",
            "keep 'bf16: true', or 'fp16: true' for older GPUs",
        ),
        (
            "chat_template: jinja",
            4,
            16,
            "'chat_template: jinja' needs the template in 'chat_template_jinja'",
            "add 'chat_template_jinja: template.jinja', or use 'chat_template: tokenizer_default'",
        ),
        (
            "lr_scheduler: cosine_with_min_lr",
            4,
            15,
            "'lr_scheduler: cosine_with_min_lr' needs min_lr or min_lr_rate in 'lr_scheduler_kwargs'",
            "add 'lr_scheduler_kwargs: {min_lr_rate: 0.1}'",
        ),
        (
            "lr_scheduler: warmup_stable_decay",
            4,
            15,
            "'lr_scheduler: warmup_stable_decay' needs num_decay_steps in 'lr_scheduler_kwargs'",
            "add 'lr_scheduler_kwargs: {num_decay_steps: 100}'",
        ),
        (
            "lr_scheduler: reduce_lr_on_plateau",
            4,
            15,
            "'lr_scheduler: reduce_lr_on_plateau' follows the evaluation loss, and nothing is evaluated on",
            "set 'val_set_size: 0.05'",
        ),
        (
            "model_type: AutoModelForSequenceClassification",
            4,
            13,
            "'model_type' cannot be 'AutoModelForSequenceClassification': it is not supported yet",
            "remove the line, or write 'AutoModelForCausalLM'",
        ),
        (
            "model_type: MambaLMHeadModel",
            4,
            13,
            "'model_type' cannot be 'MambaLMHeadModel': it is not supported yet",
            "remove the line, or write 'AutoModelForCausalLM'",
        ),
        (
            "model_type: llama",
            4,
            13,
            "'model_type' cannot be 'llama'",
            "remove the line, or write 'AutoModelForCausalLM'",
        ),
        (
            "tokenizer_type: x y",
            4,
            17,
            "'tokenizer_type' cannot be 'x y'",
            "remove the line, or write 'AutoTokenizer'",
        ),
    ],
)
def test_what_does_not_fit_together(errors, required, lines, line, column, message, fix):
    assert errors(required + lines) == [(line, column, message, fix)]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("lora_r: 8", [(4, f"'lora_r' {ALL_WEIGHTS}", "add 'adapter: lora', or remove 'lora_r'")]),
        (
            "peft_use_dora: true",
            [(4, f"'peft_use_dora' {ALL_WEIGHTS}", "add 'adapter: lora', or remove 'peft_use_dora'")],
        ),
        ("lora_dropout: 0\nlora_target_linear: false\nlora_target_modules: []", []),
        ("adapter: lora\nlora_r: 8\npeft_use_dora: true", []),
        (
            "max_steps: 5\nnum_epochs: 3",
            [(5, "'num_epochs' has no effect: 'max_steps' says when training ends", BOTH)],
        ),
        ("max_steps: 5\nnum_epochs: 1", []),
        (
            "evals_per_epoch: 4",
            [(4, "'evals_per_epoch' has no effect: there is nothing to evaluate on", NO_EVAL)],
        ),
        ("evals_per_epoch: 0\nsaves_per_epoch: 0\nsave_steps: 5", []),
        ("val_set_size: 0.1\nevals_per_epoch: 4", []),
        ("eval_strategy: no", []),
        ("save_strategy: steps\nsaves_per_epoch: 2", []),
        (
            "dataset_prepared_path: last_run_prepared",
            [
                (
                    4,
                    "'dataset_prepared_path' has no effect: tokenized data is not kept on disk yet",
                    "remove it, or leave it for later",
                )
            ],
        ),
        (
            "model_type: LlamaForCausalLM",
            [
                (
                    4,
                    "'model_type: LlamaForCausalLM' has no effect: the class that the checkpoint names is used",
                    "remove the line",
                )
            ],
        ),
        (
            "tokenizer_type: LlamaTokenizerFast",
            [
                (
                    4,
                    "'tokenizer_type: LlamaTokenizerFast' has no effect: the class that the checkpoint names is used",
                    "remove the line",
                )
            ],
        ),
        ("model_type: AutoModelForCausalLM\ntokenizer_type: AutoTokenizer", []),
        (
            "chat_template: chatml\nchat_template_jinja: '{{ messages }}'",
            [
                (
                    4,
                    "'chat_template: chatml' has no effect: 'chat_template_jinja' is used",
                    "write 'chat_template: jinja', or remove 'chat_template_jinja'",
                )
            ],
        ),
        ("chat_template_jinja: '{{ messages }}'", []),
        ("chat_template: jinja\nchat_template_jinja: '{{ messages }}'", []),
        ("lr_scheduler: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: 0}", []),
        ("fp16: true", []),
        ("bf16: false\nfp16: true", []),
    ],
)
def test_what_is_doubtful(warnings, required, lines, expected):
    assert [(line, message, fix) for line, _, message, fix in warnings(required + lines)] == expected


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (
            "type: alpaca, field_messages: x, train_on_eos: turn",
            [
                (
                    "'field_messages' has no effect with 'type: alpaca'",
                    "use 'type: chat_template', or remove the line",
                )
            ],
        ),
        (
            "type: chat_template, field: x",
            [
                (
                    "'field' has no effect with 'type: chat_template'",
                    "use 'type: completion', or remove the line",
                )
            ],
        ),
        ("type: completion, field: x", []),
        ("type: chat_template, chat_template: jinja, chat_template_jinja: '{{ x }}'", []),
        (
            "type: chat_template, chat_template: chatml, chat_template_jinja: '{{ x }}'",
            [
                (
                    "'chat_template: chatml' has no effect: 'chat_template_jinja' is used",
                    "write 'chat_template: jinja', or remove 'chat_template_jinja'",
                )
            ],
        ),
    ],
)
def test_keys_that_a_dataset_does_not_read(warnings, entry, expected):
    found = warnings(HEAD + f"datasets: [{{path: a/b, {entry}}}]")
    assert [(message, fix) for _, _, message, fix in found] == expected


def test_a_dataset_with_a_template_of_its_own(errors):
    entry = "datasets: [{path: a/b, type: chat_template, chat_template: jinja}]"
    assert errors(HEAD + entry) == [
        (
            3,
            60,
            "'chat_template: jinja' needs the template in 'chat_template_jinja'",
            "add 'chat_template_jinja: template.jinja', or use 'chat_template: tokenizer_default'",
        )
    ]


def test_no_dataset(errors):
    assert errors(HEAD + "datasets: []") == [
        (3, 11, "'datasets' is empty", "add an entry: '- path: rows.jsonl' with its 'type'")
    ]


def test_a_wrong_value_brings_no_second_complaint(errors, required):
    assert [message for *_, message, _ in errors(required + "val_set_size: x\neval_steps: 2")] == [
        "'val_set_size' must be a number, not 'x'"
    ]
    assert [
        message
        for *_, message, _ in errors(required + "test_datasets: [{path: 3, type: alpaca}]\neval_steps: 2")
    ] == ["'path' must be text, not 3"]
    assert [message for *_, message, _ in errors(required + "adapter: lorra\nlora_r: 3")] == [
        "'adapter' cannot be 'lorra'; did you mean 'lora'?"
    ]
