"""What each key accepts, and what is said of anything else."""

from __future__ import annotations

import ast
import importlib.util
from pathlib import Path

import pytest
import yaml

from ft_core.config import load_config
from ft_core.config.schema.optimizer import OPTIMIZERS, PLANNED_OPTIMIZERS
from ft_core.config.schema.schedule import SCHEDULERS

TYPES = (
    "use 'chat_template' (conversations), 'alpaca' (instruction, input, output), 'completion' (plain text) or another "
    "dataset format"
)
TEMPLATE = (
    "use 'tokenizer_default' for the template that comes with the tokenizer, or give the template's text or file as "
    "chat_template_jinja"
)
QUOTE = "put it in quotes if it is meant as text"
ATTENTION = (
    "use 'auto', 'sdpa', 'eager', 'varlen', 'flash_attention_2', 'flash_attention_3', 'flash_attention_4', "
    "'flex_attention' or 'xformers'"
)
OPTIMIZER = "use 'adamw_torch_fused', or 'adamw_bnb_8bit' to save memory"
ENTRY = "write 'path: rows.jsonl' and 'type: chat_template' in it"
REQUIRED = {
    "base_model": "org/model",
    "learning_rate": "2e-4",
    "datasets": "[{path: org/data, type: chat_template}]",
}


def with_key(key: str, value: str) -> str:
    """Return the text of a config whose `key` is written as `value`, and `key` is its last line."""
    lines = {name: text for name, text in REQUIRED.items() if name != key}
    return "".join(f"{name}: {text}\n" for name, text in (lines | {key: value}).items())


@pytest.mark.parametrize(
    ("key", "written", "value"),
    [
        ("learning_rate", "2e-4", 2e-4),
        ("learning_rate", "'1e-3'", 1e-3),
        ("learning_rate", "1", 1.0),
        ("micro_batch_size", "'4'", 4),
        ("micro_batch_size", "4.0", 4),
        ("micro_batch_size", "", 1),
        ("bf16", "auto", "auto"),
        ("bf16", "yes", True),
        ("tf32", "off", False),
        ("trust_remote_code", "'True'", True),
        ("adapter", "''", None),
        ("output_dir", "", None),
        ("eot_tokens", "[<|im_end|>]", ("<|im_end|>",)),
        ("lora_target_modules", "all-linear", "all-linear"),
        ("lora_modules_to_save", "[lm_head]", ("lm_head",)),
        ("save_strategy", "no", "no"),
        ("save_strategy", "'no'", "no"),
        ("val_set_size", "0.05", 0.05),
        ("val_set_size", "100", 100.0),
        ("num_epochs", "0.5", 0.5),
        ("optim_args", "{eps: 1e-6}", {"eps": "1e-6"}),
        ("seed", "0", 0),
    ],
)
def test_accepted(key, written, value):
    found = getattr(load_config(with_key(key, written)), key)
    assert (found, type(found)) == (value, type(value))


def test_steps_are_a_count_or_a_share():
    counted = load_config(with_key("save_steps", "100.0"))
    shared = load_config(with_key("save_steps", "0.25"))
    assert (repr(counted.save_steps), repr(shared.save_steps)) == ("100", "0.25")


@pytest.mark.parametrize(
    ("key", "written", "column", "message", "fix"),
    [
        ("lora_r", "0", 9, "'lora_r' must be at least 1, not 0", ""),
        ("lora_r", "1.5", 9, "'lora_r' must be a whole number, not 1.5", ""),
        ("lora_r", "true", 9, "'lora_r' must be a whole number, not true", ""),
        ("lora_r", "[1]", 9, "'lora_r' must be a whole number, not a list", ""),
        ("lora_r", "{a: 1}", 9, "'lora_r' must be a whole number, not a map", ""),
        ("learning_rate", "x", 16, "'learning_rate' must be a number, not 'x'", ""),
        ("learning_rate", "true", 16, "'learning_rate' must be a number, not true", ""),
        ("learning_rate", "0", 16, "'learning_rate' must be greater than 0, not 0", ""),
        ("learning_rate", ".nan", 16, "'learning_rate' must be a number, not nan", ""),
        ("learning_rate", ".inf", 16, "'learning_rate' must be a number, not inf", ""),
        ("learning_rate", "", 15, "'learning_rate' is empty", "add 'learning_rate: 2e-4'"),
        ("warmup_ratio", "1.5", 15, "'warmup_ratio' must be at least 0 and at most 1, not 1.5", ""),
        ("lora_dropout", "1", 15, "'lora_dropout' must be at least 0 and less than 1, not 1", ""),
        ("seed", "-1", 7, "'seed' must be at least 0 and at most 4294967295, not -1", ""),
        ("seed", "1" + "0" * 40, 7, "'seed' is too large a number", ""),
        ("seed", "1e400", 7, "'seed' must be a whole number, not '1e400'", ""),
        ("seed", "2024-01-02", 7, "'seed' must be a whole number, not a date", ""),
        ("bf16", "1", 7, "'bf16' cannot be 1", "use true, false or 'auto'"),
        ("bf16", "atuo", 7, "'bf16' cannot be 'atuo'; did you mean 'auto'?", "use true, false or 'auto'"),
        ("fp16", "auto", 7, "'fp16' must be true or false, not 'auto'", ""),
        ("output_dir", "5", 13, "'output_dir' must be text, not 5", QUOTE),
        ("output_dir", "[a]", 13, "'output_dir' must be text, not a list", ""),
        ("output_dir", '"a\\0b"', 13, "'output_dir' holds a NUL character", ""),
        ("base_model", "''", 13, "'base_model' is empty", "write a value, or remove the line"),
        (
            "base_model",
            "",
            12,
            "'base_model' is empty",
            "add 'base_model: HuggingFaceTB/SmolLM2-135M-Instruct'",
        ),
        ("eot_tokens", "a", 13, "'eot_tokens' must be a list of texts, not 'a'", "write [a]"),
        ("eot_tokens", "[a, 1]", 17, "'eot_tokens' must hold text only, not 1", "put it in quotes"),
        (
            "lora_target_modules",
            "all_linear",
            22,
            "'lora_target_modules' must be 'all-linear', a list of texts or a regular expression, not 'all_linear'; did you mean 'all-linear'?",
            "write [all_linear]",
        ),
        (
            "attn_implementation",
            "flash",
            22,
            "'attn_implementation' cannot be 'flash'; did you mean 'flash_attention_2'?",
            ATTENTION,
        ),
        (
            "attn_implementation",
            "sage",
            22,
            "'attn_implementation' cannot be 'sage': it is not supported yet",
            ATTENTION,
        ),
        (
            "chat_template",
            "gemma4",
            16,
            "'chat_template' cannot be 'gemma4': it is not supported yet",
            TEMPLATE,
        ),
        (
            "chat_template",
            "chatlm",
            16,
            "'chat_template' cannot be 'chatlm'; did you mean 'chatml'?",
            TEMPLATE,
        ),
        (
            "adapter",
            "mixlora",
            10,
            "'adapter' cannot be 'mixlora': it is not supported yet",
            "use 'lora' or 'qlora'",
        ),
        ("adapter", "LoRA", 10, "'adapter' cannot be 'LoRA'; did you mean 'lora'?", "use 'lora' or 'qlora'"),
        (
            "optimizer",
            "adamw_torch_fussed",
            12,
            "'optimizer' cannot be 'adamw_torch_fussed'; did you mean 'adamw_torch_fused'?",
            OPTIMIZER,
        ),
        (
            "optimizer",
            "adopt_adamw",
            12,
            "'optimizer' cannot be 'adopt_adamw': it is not supported yet",
            OPTIMIZER,
        ),
        (
            "lr_scheduler",
            "cosin",
            15,
            "'lr_scheduler' cannot be 'cosin'; did you mean 'cosine'?",
            "use 'cosine' or 'linear'",
        ),
        (
            "gradient_checkpointing",
            "offload_disk",
            25,
            "'gradient_checkpointing' cannot be 'offload_disk': it is not supported yet",
            "use 'offload'",
        ),
        ("optim_args", "fast", 13, "'optim_args' must be a map of 'name: value' lines, not 'fast'", ""),
        (
            "save_strategy",
            "best",
            16,
            "'save_strategy' cannot be 'best': it is not supported yet",
            "use 'epoch', 'steps' or 'no'",
        ),
        (
            "save_steps",
            "1.5",
            13,
            "'save_steps' must be a whole number of steps or a share below 1, not 1.5",
            "",
        ),
        ("save_steps", "0", 13, "'save_steps' must be greater than 0, not 0", ""),
        ("max_steps", "-1", 12, "'max_steps' must be at least 1, not -1", ""),
        (
            "special_tokens",
            "x",
            17,
            "'special_tokens' must be a map of 'key: value' lines, not 'x'",
            "write 'pad_token: ...' in it",
        ),
        ("special_tokens", "{eos_token: 3}", 29, "'eos_token' must be text, not 3", QUOTE),
        ("datasets", "a.jsonl", 11, "'datasets' must be a list, not 'a.jsonl'", "begin each entry with '- '"),
        ("datasets", "{path: a}", 11, "'datasets' must be a list, not a map", "begin each entry with '- '"),
        (
            "datasets",
            "[a.jsonl]",
            12,
            "'datasets[0]' must be a map of 'key: value' lines, not 'a.jsonl'",
            ENTRY,
        ),
        ("datasets", "[{path: a/b}]", 12, "'datasets[0]' has no 'type'", "add 'type: chat_template'"),
        ("datasets", "[{type: alpaca}]", 12, "'datasets[0]' has no 'path'", "add 'path: rows.jsonl'"),
        (
            "datasets",
            "[{path: a/b, type: alpca}]",
            30,
            "'type' cannot be 'alpca'; did you mean 'alpaca'?",
            TYPES,
        ),
        (
            "datasets",
            "[{path: a/b, type: {field_chosen: x}}]",
            45,
            "'type' is a map of preference data ('field_chosen'), which only a method of 'rl' learns from",
            "add 'rl: dpo', or use field_instruction, field_input and field_output",
        ),
        (
            "datasets",
            "[{path: a/b, type: _synthetic}]",
            30,
            "'type' cannot be '_synthetic': it is not supported yet",
            TYPES,
        ),
        (
            "datasets",
            "[{path: a/b, type: chat_template, roles: {user: 3}}]",
            59,
            "'roles' must map to lists of texts, not to 3",
            "",
        ),
        (
            "datasets",
            "[{path: a/b, type: chat_template, message_property_mappings: {role: 3}}]",
            79,
            "'message_property_mappings' must hold text only, not 3",
            "put it in quotes",
        ),
        (
            "test_datasets",
            "[x]",
            17,
            "'test_datasets[0]' must be a map of 'key: value' lines, not 'x'",
            ENTRY,
        ),
    ],
)
def test_refused(errors, key, written, column, message, fix):
    text = with_key(key, written)
    assert errors(text) == [(text.count("\n"), column, message, fix)]


def test_messages_keep_the_names_that_are_not_mapped():
    config = load_config(
        with_key("datasets", "[{path: a/b, type: chat_template, message_property_mappings: {role: from}}]")
    )
    assert config.datasets[0].message_property_mappings == {"role": "from", "content": "content"}


def test_a_role_may_be_one_name_and_a_file_too():
    entry = "[{path: a/b, type: chat_template, roles: {user: human, assistant: [gpt, bot]}, data_files: '*.json'}]"
    dataset = load_config(with_key("datasets", entry)).datasets[0]
    assert dataset.roles == {"user": ("human",), "assistant": ("gpt", "bot")}
    assert dataset.data_files == ("*.json",)


def test_defaults_are_axolotls():
    config = load_config("".join(f"{key}: {value}\n" for key, value in REQUIRED.items()))
    dataset = config.datasets[0]
    assert (config.optimizer, config.lr_scheduler, config.weight_decay) == (
        "adamw_torch_fused",
        "cosine",
        0.0,
    )
    assert (config.micro_batch_size, config.gradient_accumulation_steps, config.num_epochs) == (1, 1, 1.0)
    assert (config.sequence_len, config.excess_length_strategy, config.val_set_size) == (512, "drop", 0.0)
    assert (config.bf16, config.fp16, config.tf32, config.seed) == ("auto", False, "auto", 42)
    assert (dataset.split, dataset.field_messages, dataset.roles_to_train) == (
        "train",
        "messages",
        ("assistant",),
    )
    assert (dataset.train_on_eos, dataset.message_field_training) == ("turn", None)
    assert dataset.roles == {
        "user": ("human", "user"),
        "assistant": ("gpt", "assistant"),
        "system": ("system",),
        "tool": ("tool",),
    }


def names_of(module: str, enumeration: str) -> set[str]:
    """Return the values of an enumeration of Transformers, read from its source: importing it takes seconds."""
    package = importlib.util.find_spec("transformers")
    assert package is not None
    assert package.origin is not None
    tree = ast.parse((Path(package.origin).parent / f"{module}.py").read_text("utf-8"))
    (definition,) = (
        node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == enumeration
    )
    return {
        node.value.value
        for node in definition.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
    }


def test_names_are_those_of_transformers():
    optimizers = names_of("training_args", "OptimizerNames")
    assert set(OPTIMIZERS) - {"muon"} <= optimizers
    assert optimizers <= {*OPTIMIZERS, *PLANNED_OPTIMIZERS}
    # Axolotl has more, and so have we.
    assert set(SCHEDULERS) - {"one_cycle", "rex"} == names_of("trainer_utils", "SchedulerType")


def test_the_helper_writes_yaml():
    assert list(yaml.safe_load(with_key("datasets", "[]"))) == ["base_model", "learning_rate", "datasets"]
