"""Older forms of keys: what each becomes, what is said about it, and where its problems point."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ft_core.config import ConfigError, Origin, load_config
from ft_core.config.document import Document
from ft_core.config.draft import Draft
from ft_core.config.renamed import ALIASES, ATTENTION, OLDER, PRECISION, WORDS, rename_keys
from ft_core.config.renamed_datasets import MAX_NAMES, MESSAGE_FIELDS
from ft_core.config.renamed_fsdp import FIRST_VERSION_ONLY
from ft_core.config.renamed_sharegpt import READERS
from ft_core.config.retired import GONE, WITHOUT_EFFECT, WITHOUT_EFFECT_IN_DATASETS

KEPT = "the weights that are trained stay in float32, where Axolotl keeps them in"
FASTCHAT = "the text is that of the chat template, not of FastChat's vicuna_v1.1"
FROM_VALUE = "'message_property_mappings: {role: from, content: value}'"
ONE = "base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  type: chat_template\n"


def renamed(data: dict) -> dict:
    """Return what a config's plain data becomes, without any check of its keys."""
    draft = Draft(data, Document(data=data))
    rename_keys(draft)
    assert all(problem.severity == "warning" for problem in draft.problems)
    return draft.data


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        *[({old: 5}, {new: 5}) for old, new in (ALIASES | OLDER).items()],
        *[({old: True}, {"attn_implementation": name}) for old, name in ATTENTION.items()],
        *[({old: True}, formats) for old, (formats, _) in PRECISION.items()],
        ({"attention": "flash"}, {"attn_implementation": "flash_attention_2"}),
        ({"attention": "sdp"}, {"attn_implementation": "sdpa"}),
        ({"attention": "eager"}, {"attn_implementation": "eager"}),
        ({"flash_attention": "True"}, {"attn_implementation": "flash_attention_2"}),
        ({"flash_attention": "false", "sdp_attention": False}, {}),
        ({"bfloat16": True, "bf16": False}, {"bf16": True}),
        ({"bfloat16": True, "bf16": "auto"}, {"bf16": True}),
        ({"float16": True, "bf16": False, "fp16": False}, {"bf16": False, "fp16": True}),
        ({"float32": True, "bf16": "auto"}, {"bf16": False, "fp16": False}),
        ({"bfloat16": None, "float16": False}, {}),
        ({"evaluation_strategy": False}, {"eval_strategy": False}),
        ({"load_4bit": False, "random_init_weights": None}, {}),
        (
            {"relora_steps": 150, "relora_warmup_steps": 10, "relora_anneal_steps": 5},
            {
                "relora": True,
                "jagged_restart_steps": 150,
                "jagged_restart_warmup_steps": 10,
                "jagged_restart_anneal_steps": 5,
            },
        ),
        ({"gc_steps": 10}, {"torch_empty_cache_steps": 10, "gc_collect_steps": 10}),
        ({"eval_table_size": 5}, {"generate_samples": True, "num_generation_samples": 5}),
        ({"eval_table_size": 0}, {}),
        ({"warmup_steps": 0.1}, {"warmup_ratio": 0.1}),
        ({"warmup_steps": 0.1, "warmup_ratio": 0.1}, {"warmup_ratio": 0.1}),
        # A whole number of steps, none of them, and what is no count are left as they are.
        ({"warmup_steps": 1.0}, {"warmup_steps": 1.0}),
        ({"warmup_steps": 0.0}, {"warmup_steps": 0.0}),
        ({"warmup_steps": 1.5}, {"warmup_steps": 1.5}),
        (
            {"rope_scaling": {"type": "linear", "factor": 2.0}},
            {"overrides_of_model_config": {"rope_scaling": {"type": "linear", "factor": 2.0}}},
        ),
        (
            {"rope_scaling": {"factor": 2.0}, "model_config": {"use_cache": False}},
            {"overrides_of_model_config": {"use_cache": False, "rope_scaling": {"factor": 2.0}}},
        ),
        ({"rope_scaling": {"type": None, "factor": None}}, {}),
        (
            {"tokens": {"pad_token": "[PAD]", "eos_token": "</s>", "bos_token": None}},
            {"special_tokens": {"pad_token": "[PAD]", "eos_token": "</s>"}},
        ),
        (
            {"tokens": {"pad_token": "x"}, "special_tokens": {"pad_token": "x", "eos_token": "y"}},
            {"special_tokens": {"pad_token": "x", "eos_token": "y"}},
        ),
        ({"tokens": ["<|im_start|>"]}, {"tokens": ["<|im_start|>"]}),
        ({"base_model": "a/b", "base_model_config": "a/b"}, {"base_model": "a/b"}),
        (
            {"base_model": "a/b", "base_model_config": "c/d"},
            {"base_model": "a/b", "base_model_config": "c/d"},
        ),
        *[({key: old}, {key: new}) for key, words in WORDS.items() for old, new in words.items()],
        (
            {"optim_args": "eps=1.0e-8, name=a b,fused=true"},
            {"optim_args": {"eps": 1e-8, "name": "a b", "fused": True}},
        ),
        ({"optim_args": "eps"}, {"optim_args": "eps"}),
        ({"optim_args": "day=2024-13-45"}, {"optim_args": "day=2024-13-45"}),
        # Both forms, and they agree.
        ({"adam_eps": 1e-8, "adam_epsilon": 1e-8}, {"adam_epsilon": 1e-8}),
        (
            {"flash_attention": True, "attn_implementation": "flash_attention_2"},
            {"attn_implementation": "flash_attention_2"},
        ),
    ],
)
def test_what_an_older_form_becomes(given, becomes):
    assert renamed(given) == becomes


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (
            {
                "fsdp": ["full_shard", "auto_wrap"],
                "fsdp_config": {
                    "fsdp_offload_params": True,
                    "fsdp_state_dict_type": "FULL_STATE_DICT",
                    "fsdp_transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
                },
            },
            {
                "fsdp_config": {
                    "offload_params": True,
                    "state_dict_type": "FULL_STATE_DICT",
                    "transformer_layer_cls_to_wrap": "LlamaDecoderLayer",
                    "reshard_after_forward": True,
                    "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
                }
            },
        ),
        (
            {"fsdp": "shard_grad_op auto_wrap, offload"},
            {
                "fsdp_config": {
                    "reshard_after_forward": False,
                    "auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
                    "offload_params": True,
                }
            },
        ),
        (
            {"fsdp": ["auto_wrap"], "fsdp_config": {"fsdp_auto_wrap_policy": "SIZE_BASED_WRAP"}},
            {"fsdp_config": {"auto_wrap_policy": "SIZE_BASED_WRAP"}},
        ),
        (
            {"fsdp_config": {"fsdp_sharding_strategy": "SHARD_GRAD_OP", "version": 2}},
            {"fsdp_config": {"reshard_after_forward": False, "fsdp_version": 2}},
        ),
        (
            {"fsdp_config": {"sharding_strategy": 1}},
            {"fsdp_config": {"reshard_after_forward": True}},
        ),
        (
            {"fsdp_final_state_dict_type": "SHARDED_STATE_DICT"},
            {"fsdp_config": {"final_state_dict_type": "SHARDED_STATE_DICT"}},
        ),
        ({"fsdp_config": {f"fsdp_{name}": True for name in FIRST_VERSION_ONLY}}, {}),
        ({"fsdp": None, "fsdp_config": {"fsdp_offload_params": None}}, {}),
        ({"fsdp": [], "fsdp_config": {}}, {}),
        ({"fsdp_config": {"offload_params": False}}, {"fsdp_config": {"offload_params": False}}),
    ],
)
def test_what_fsdp_becomes(given, becomes):
    assert renamed(given) == becomes


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ({"train_on_split": "test"}, {"split": "test"}),
        ({"train_on_split": "test", "split": "test"}, {"split": "test"}),
        (
            {"message_field_role": "from", "message_field_content": "value"},
            {"message_property_mappings": {"role": "from", "content": "value"}},
        ),
        (
            {"message_field_role": "from", "message_property_mappings": {"content": "text"}},
            {"message_property_mappings": {"content": "text", "role": "from"}},
        ),
        ({"message_field_role": None, "strict": False}, {}),
        (
            {"type": "sharegpt"},
            {
                "type": "chat_template",
                "field_messages": "conversations",
                "message_property_mappings": {"role": "from", "content": "value"},
            },
        ),
        (
            {"type": "sharegpt.load_role"},
            {
                "type": "chat_template",
                "field_messages": "conversations",
                "message_property_mappings": {"role": "role", "content": "value"},
            },
        ),
        (
            {"type": "sharegpt_simple.load_guanaco"},
            {
                "type": "chat_template",
                "field_messages": "conversations",
                "message_property_mappings": {"role": "role", "content": "text"},
                "roles": {"user": ["prompter"], "assistant": ["assistant"], "system": ["system"]},
            },
        ),
        (
            {"type": "sharegpt.load_ultrachat", "conversation": "llama-3", "strict": False},
            {
                "type": "chat_template",
                "field_messages": "messages",
                "message_property_mappings": {"role": "role", "content": "content"},
                "chat_template": "llama3",
            },
        ),
        (
            {
                "type": "sharegpt:chat",
                "conversation": "chatml",
                "field_messages": "turns",
                "message_property_mappings": {"content": "text"},
                "field_human": "a",
                "field_model": "b",
                "roles": {"input": ["tool"], "output": "judge"},
            },
            {
                "type": "chat_template",
                "field_messages": "turns",
                "message_property_mappings": {"content": "text", "role": "from"},
                "roles": {"user": ["a", "tool"], "assistant": ["b", "judge"], "system": ["system"]},
                "chat_template": "chatml",
            },
        ),
    ],
)
def test_what_a_dataset_becomes(given, becomes):
    for key in ("datasets", "test_datasets"):
        assert renamed({key: [given]}) == {key: [becomes]}


def test_a_dataset_with_several_names_is_several_datasets():
    text = "base_model: a/b\nlearning_rate: 1\ndatasets:\n"
    text += "- path: a/code\n  type: completion\n  name:\n  - ruby\n  - python\n  train_on_split: test\n"
    text += "- path: c/d\n  type: alpaca\n  split: all\n"
    config = load_config(text)
    assert [(entry.path, entry.name, entry.split) for entry in config.datasets] == [
        ("a/code", "ruby", "test"),
        ("a/code", "python", "test"),
        ("c/d", None, "all"),
    ]
    assert [config.origin(f"datasets[{index}].name") for index in (0, 1)] == [
        Origin("line", 7),
        Origin("line", 8),
    ]
    assert config.origin("datasets[2].split") == Origin("line", 12)
    assert [(warning.line, warning.key, warning.message) for warning in config.warnings] == [
        (9, "datasets[0].train_on_split", "'train_on_split' is now called 'split'")
    ]
    assert load_config(config.to_yaml()) == config


def test_the_problems_of_a_dataset_with_several_names_are_told_once_where_they_were_written(errors):
    text = "base_model: a/b\nlearning_rate: 1\ndatasets:\n"
    text += "- {path: a/b, type: bad, name: [x, y, z]}\n- {type: alpaca}\n- {path: $no, type: alpaca}\n"
    assert [problem[:3] for problem in errors(text, variables={})] == [
        (4, 21, "'type' cannot be 'bad'"),
        (5, 3, "'datasets[1]' has no 'path'"),
        (6, 10, "there is no variable 'no'"),
    ]
    names = ", ".join(f"n{number}" for number in range(MAX_NAMES + 1))
    text = f"base_model: a/b\nlearning_rate: 1\ndatasets: [{{path: a/b, type: alpaca, name: [{names}]}}]"
    assert errors(text)[0][:3] == (3, 44, "'name' holds more than 100 names")


def test_overrides_count_datasets_as_they_were_written():
    text = "base_model: a/b\nlearning_rate: 1\n"
    text += "datasets: [{path: a/b, type: completion, name: [x, y]}, {path: c/d, type: alpaca}]"
    config = load_config(text, {"datasets[1].path": "e/f"})
    assert [entry.path for entry in config.datasets] == ["a/b", "a/b", "e/f"]
    assert config.origin("datasets[2].path") == Origin("override", None, "--set datasets[1].path")


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("adam_eps: 1e-6", "'adam_eps' is now called 'adam_epsilon'", "write 'adam_epsilon'"),
        (
            "evaluation_strategy: no",
            "'evaluation_strategy' is now called 'eval_strategy'",
            "write 'eval_strategy'",
        ),
        (
            "sdp_attention: true",
            "'sdp_attention' is now written 'attn_implementation: sdpa'",
            "write 'attn_implementation: sdpa'",
        ),
        (
            "attention: flash",
            "'attention' is now written 'attn_implementation: flash_attention_2'",
            "write 'attn_implementation: flash_attention_2'",
        ),
        (
            "optimizer: adamw_hf",
            "'optimizer: adamw_hf' is now written 'optimizer: adamw_torch'",
            "write 'optimizer: adamw_torch'",
        ),
        ("bf16: full", "'bf16: full' is now written 'bf16: true'", "write 'bf16: true'"),
        ("bfloat16: true", f"'bfloat16' is now written 'bf16: true'; {KEPT} bfloat16", "write 'bf16: true'"),
        (
            "float16: true",
            f"'float16' is now written 'bf16: false, fp16: true'; {KEPT} float16",
            "write 'bf16: false, fp16: true'",
        ),
        (
            "float32: true",
            "'float32' is now written 'bf16: false, fp16: false'",
            "write 'bf16: false, fp16: false'",
        ),
        (
            "tokens: {pad_token: <pad>}",
            "'tokens' is now written 'special_tokens: {...}'",
            "write 'special_tokens: {...}'",
        ),
        (
            "warmup_steps: 0.1",
            "'warmup_steps' is now written 'warmup_ratio: 0.1'; below 1 it is a share of all steps",
            "write 'warmup_ratio: 0.1'",
        ),
        (
            "gptq_groupsize: 128",
            "'gptq_groupsize' has no effect: the checkpoint itself says how it is quantized",
            "remove it",
        ),
        (
            "fsdp_config: {fsdp_use_orig_params: true}",
            "'fsdp_use_orig_params' has no effect: only the first version of FSDP had this option",
            "remove it",
        ),
    ],
)
def test_what_is_said_about_an_older_form(warnings, required, line, message, fix):
    column = 15 if line.startswith("fsdp_config") else 1
    assert warnings(required + line) == [(4, column, message, fix)]


@pytest.mark.parametrize(
    ("lines", "line", "message", "fix"),
    [
        (
            "type: sharegpt",
            5,
            f"'type: sharegpt' is now written 'type: chat_template' with 'field_messages: conversations' and {FROM_VALUE}; "
            + FASTCHAT,
            "write it so, and say which 'chat_template' is meant",
        ),
        (
            "type: sharegpt\n  message_property_mappings: {role: from}\n  field_messages: x",
            5,
            f"'type: sharegpt' is now written 'type: chat_template'; {FASTCHAT}",
            "write it so, and say which 'chat_template' is meant",
        ),
        (
            "type: chat_template\n  message_field_role: from",
            6,
            "'message_field_role' is now written 'message_property_mappings: {role: from}'",
            "write 'message_property_mappings: {role: from}'",
        ),
        (
            "type: chat_template\n  train_on_split: x",
            6,
            "'train_on_split' is now called 'split'",
            "write 'split'",
        ),
        ("type: alpaca\n  strict: true", 6, "'strict' has no effect: every row is checked", "remove it"),
    ],
)
def test_what_is_said_about_an_older_dataset(warnings, lines, line, message, fix):
    text = f"base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  {lines}\n"
    assert warnings(text) == [(line, 3, message, fix)]


@pytest.mark.parametrize("alias", ["model_revision: abc", "type_of_model: AutoModelForCausalLM"])
def test_a_second_name_is_as_good_as_the_first(warnings, required, alias):
    assert warnings(required + alias) == []


@pytest.mark.parametrize(
    ("lines", "old", "new"),
    [
        ("revision_of_model: a\nmodel_revision: b", "model_revision", "revision_of_model"),
        ("adam_epsilon: 1\nadam_eps: 2", "adam_eps", "adam_epsilon"),
        ("attn_implementation: sdpa\nflash_attention: true", "flash_attention", "attn_implementation"),
        ("flash_attention: true\nsdp_attention: true", "sdp_attention", "attn_implementation"),
        ("bf16: true\nfloat32: true", "float32", "bf16"),
        ("bfloat16: true\nfloat16: true", "float16", "bf16"),
        ("special_tokens: {pad_token: a}\ntokens: {pad_token: b}", "pad_token", "special_tokens.pad_token"),
    ],
)
def test_two_forms_that_disagree(errors, required, lines, old, new):
    assert errors(required + lines) == [
        (
            5,
            1 if old != "pad_token" else 10,
            f"'{old}' and '{new}' say different things",
            f"keep only '{new}'",
        )
    ]


def test_two_forms_of_a_dataset_that_disagree(errors):
    assert errors(ONE + "  split: a\n  train_on_split: b\n")[0][2] == (
        "'train_on_split' and 'split' say different things"
    )
    assert errors(ONE + "  message_property_mappings: {role: a}\n  message_field_role: b\n")[0][2] == (
        "'message_field_role' and 'message_property_mappings.role' say different things"
    )


def test_an_override_wins_over_the_other_form(required):
    config = load_config(required + "flash_attention: true", {"attn_implementation": "eager"})
    assert config.attn_implementation == "eager"
    config = load_config(required + "attn_implementation: sdpa", {"flash_attention": True})
    assert config.attn_implementation == "flash_attention_2"
    assert config.origin("attn_implementation") == Origin("override", None, "--set flash_attention")
    assert [warning.message for warning in config.warnings] == [
        "--set flash_attention: 'flash_attention' is now written 'attn_implementation: flash_attention_2'"
    ]


@pytest.mark.parametrize(
    ("line", "column", "message"),
    [
        ("adam_eps: tiny", 11, "'adam_epsilon' must be a number, not 'tiny' (here written 'adam_eps')"),
        ("attention: 3", 12, "'attn_implementation' cannot be 3 (here written 'attention')"),
        ("tokens: {pad_token: 3}", 21, "'pad_token' must be text, not 3"),
        (
            "gradient_checkpointing: unslot",
            25,
            "'gradient_checkpointing' cannot be 'unslot'",
        ),
        ("flash_attention: perhaps", 18, "'flash_attention' must be true or false"),
        ("fsdp: [full_shard, fullshard]", 20, "'fsdp' cannot hold 'fullshard'; did you mean 'full_shard'?"),
        ("fsdp: [hybrid_shard]", 8, "'fsdp' cannot be 'hybrid_shard': it is not supported yet"),
        ("fsdp: true", 7, "'fsdp' must be a list of words, not true"),
        (
            "fsdp_config: {fsdp_sharding_strategy: 4}",
            39,
            "'fsdp_sharding_strategy' cannot be 'hybrid_shard': it is not supported yet",
        ),
        (
            "max_packed_sequence_len: 2048",
            1,
            "'max_packed_sequence_len' is not supported: Axolotl has removed it",
        ),
    ],
)
def test_what_is_wrong_with_an_older_form_is_told_of_it(errors, required, line, column, message):
    assert (4, column, message) in [problem[:3] for problem in errors(required + line)]


@pytest.mark.parametrize(
    ("line", "new"),
    [
        ("fsdp: [full_shard]", "fsdp_config"),
    ],
)
def test_what_is_not_supported_yet_names_both_forms(required, line, new):
    old = line.partition(":")[0]
    with pytest.raises(ConfigError) as caught:
        load_config(required + line)
    problem = caught.value.problems[0]
    assert (problem.line, problem.key) == (4, old)
    assert problem.message == f"'{new}' is not supported yet (here written '{old}')"
    # The warning about the name would only be in the way.
    assert all(problem.severity == "error" for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (
            "type: sharegpt.load_glaive",
            "'type' cannot be 'sharegpt.load_glaive': Axolotl has removed it, and it is not supported",
        ),
        (
            "type: sharegpt\n  conversation: vicuna_v1.1",
            "'conversation' cannot be 'vicuna_v1.1': FastChat's conversations are not supported",
        ),
    ],
)
def test_what_sharegpt_is_refused(errors, lines, message):
    text = f"base_model: a/b\nlearning_rate: 1\ndatasets:\n- path: a/b\n  {lines}\n"
    assert [problem[2] for problem in errors(text)] == [message]


@pytest.mark.parametrize("key", sorted(WITHOUT_EFFECT))
def test_a_key_without_effect_is_dropped_and_said_so(required, key):
    config = load_config(required + f"{key}: 5")
    assert [(warning.line, warning.message) for warning in config.warnings] == [
        (4, f"'{key}' has no effect: {WITHOUT_EFFECT[key]}")
    ]
    assert load_config(required + f"{key}:").warnings == ()


@pytest.mark.parametrize("key", sorted(GONE))
def test_a_key_that_is_gone_is_refused_by_name(errors, required, key):
    assert errors(required + f"{key}: 5") == [
        (4, 1, f"'{key}' is not supported: Axolotl has removed it", GONE[key])
    ]
    assert load_config(required + f"{key}: false").warnings == ()


def test_fsdp_beside_what_is_no_map(errors, required):
    found = [problem[:3] for problem in errors(required + "fsdp: [auto_wrap]\nfsdp_config: sharded")]
    assert [(line, column) for line, column, _ in found] == [(5, 1)]


@pytest.mark.parametrize("key", ["train_on_split", "message_field_role", "message_field_content"])
def test_an_older_key_of_a_dataset_at_the_top(errors, required, key):
    fix = f"'{key}' belongs to a dataset, under 'datasets': check the indentation"
    assert errors(required + f"{key}: x") == [(4, 1, f"unknown key '{key}'", fix)]


def test_the_column_of_the_system_message(errors, warnings):
    assert warnings(ONE + "  field_system: system\n") == []
    assert errors(ONE + "  field_system: persona\n") == [
        (
            6,
            3,
            "'field_system' is not supported yet: the system message is read from the column 'system'",
            "rename the column",
        )
    ]


def test_torch_dtype_auto_asks_for_nothing(warnings, required):
    assert warnings(required + "torch_dtype: auto") == []


def test_the_page_on_compatibility_names_every_older_form():
    page = (Path(__file__).parents[3] / "docs" / "reference" / "compatibility.md").read_text("utf-8")
    written = set(re.findall(r"`([^`]+)`", page))
    older = [f"{key}: {word}" for key, words in WORDS.items() for word in words]
    older += [*ALIASES, *OLDER, *ATTENTION, *PRECISION, *MESSAGE_FIELDS, *GONE, *WITHOUT_EFFECT]
    older += [*WITHOUT_EFFECT_IN_DATASETS, *FIRST_VERSION_ONLY, "attention", "fsdp", "tokens", "gc_steps"]
    older += [f"type: sharegpt.{function}" for function in READERS if function]
    assert [key for key in older if key not in written] == []
