"""The config itself: derived values, origins, equality, and the way back to YAML."""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from ft_core.config import ConfigError, Origin, explain_all, load_config

FULL = """\
base_model: org/model
model_revision: abc
model_type: LlamaForCausalLM
flash_attention: true
special_tokens: {pad_token: <pad>}
chat_template_jinja: "{{ messages }}"
eot_tokens: [<|im_end|>]
datasets:
  - path: org/data
    type: chat_template
    split: train[:10%]
    field_messages: conversations
    message_property_mappings: {role: from, content: value}
    roles: {user: human, assistant: [gpt]}
    train_on_eos: last
  - {path: org/more, type: completion, field: body, data_files: part.json}
val_set_size: 0.05
adapter: lora
lora_r: 16
lora_target_modules: [q_proj, v_proj]
fp16: true
learning_rate: 2e-4
lr_scheduler: cosine_with_min_lr
lr_scheduler_kwargs: {min_lr_rate: 0.1}
optim_args: {foreach: false}
warmup_ratio: 0.1
max_steps: 20
num_epochs: 3
saves_per_epoch: 2
evals_per_epoch: 4
output_dir: "out ${x} € # no remark"
seed: 7
"""


@pytest.fixture
def full():
    return load_config(FULL.replace("${x}", "$${x}"))


def test_values_that_follow_from_others(full):
    derived = {
        key: (getattr(full, key), full.origin(key).reason)
        for key in type(full).model_fields
        if full.origin(key).kind == "derived"
    }
    assert derived == {
        "tokenizer_config": ("org/model", "the tokenizer of base_model"),
        "chat_template": ("jinja", "chat_template_jinja is given"),
        "lora_alpha": (16, "as lora_r, so that the adapter's output is not scaled"),
        "bf16": (False, "fp16 is true"),
        "batch_size": (1, "micro_batch_size x gradient_accumulation_steps"),
        "eval_batch_size": (1, "as micro_batch_size"),
        "pad_to_sequence_len": (False, "samples are not packed"),
        "eval_sample_packing": (False, "as sample_packing"),
        "save_strategy": ("steps", "saves_per_epoch is given"),
        "eval_strategy": ("steps", "evals_per_epoch is given"),
    }
    assert full.datasets[0].train_on_eot == "last"
    assert full.origin("datasets[0].train_on_eot") == Origin("derived", None, "as train_on_eos")


@pytest.mark.parametrize(
    ("lines", "key", "value", "reason"),
    [
        ("adapter: lora", "lora_r", 8, "adapter is lora"),
        ("adapter: lora", "lora_target_modules", "all-linear", "adapter is lora, and no layers are named"),
        (
            "adapter: lora\nlora_target_linear: true",
            "lora_target_modules",
            "all-linear",
            "lora_target_linear is true",
        ),
        ("micro_batch_size: 4", "eval_batch_size", 4, "as micro_batch_size"),
        ("val_set_size: 1", "eval_strategy", "epoch", "there is evaluation data"),
        ("val_set_size: 1\neval_steps: 3", "eval_strategy", "steps", "eval_steps is given"),
        ("test_datasets: [{path: a/b, type: alpaca}]", "eval_strategy", "epoch", "there is evaluation data"),
        ("save_steps: 3", "save_strategy", "steps", "save_steps is given"),
    ],
)
def test_derived(required, lines, key, value, reason):
    config = load_config(required + lines)
    assert getattr(config, key) == value
    assert config.origin(key) == Origin("derived", None, reason)


@pytest.mark.parametrize(
    ("lines", "key", "value"),
    [
        ("", "save_strategy", "epoch"),
        ("", "eval_strategy", "no"),
        ("", "lora_r", None),
        ("", "bf16", "auto"),
        ("saves_per_epoch: 0", "save_strategy", "epoch"),
    ],
)
def test_plain_defaults(required, lines, key, value):
    config = load_config(required + lines)
    assert getattr(config, key) == value
    assert config.origin(key) == Origin("default")


def test_origins_of_lines(full):
    assert full.origin("learning_rate") == Origin("line", 22)
    assert full.origin("revision_of_model") == Origin("line", 2)
    assert full.origin("attn_implementation") == Origin("line", 4)
    assert full.origin("datasets") == Origin("line", 8)
    assert full.origin("datasets[0].type") == Origin("line", 10)
    assert full.origin("datasets[0].name") == Origin("default")
    assert full.origin("special_tokens.pad_token") == Origin("line", 5)
    assert load_config(yaml.safe_load(full.to_yaml())).origin("seed") == Origin("line", None)


@pytest.mark.parametrize(
    "key", ["sead", "datasets[2].path", "datasets[0].pth", "seed.x", "", "datasets.path"]
)
def test_there_is_no_origin_of_what_is_not_there(full, key):
    with pytest.raises(KeyError, match=r".*"):
        full.origin(key)


def test_a_config_loads_back_equal_with_the_same_warnings(full):
    again = load_config(full.to_yaml())
    assert again == full
    assert hash(again) == hash(full)
    assert again.to_yaml() == full.to_yaml()
    assert load_config(full.to_yaml(absolute_paths=True)).output_dir == str(
        Path("out ${x} € # no remark").absolute()
    )
    # The older name is gone; what is doubtful still is.
    assert [warning.key for warning in full.warnings] == ["model_type", "flash_attention", "num_epochs"]
    assert [warning.key for warning in again.warnings] == ["model_type", "num_epochs"]


def test_the_smallest_config_loads_back_equal_without_a_warning(required):
    config = load_config(required)
    again = load_config(config.to_yaml())
    assert again == config
    assert again.warnings == ()


def test_keys_that_are_not_done_yet_are_not_written(required):
    config = load_config(required + "fsdp_version: 2\nuse_wandb: false\ntrl: {}\n")
    written = yaml.safe_load(config.to_yaml())
    assert {key for key in explained(planned=True) if key in written} == set()
    assert {key for key in explained(planned=False) if key in written} == {
        key for key in explained(planned=False) if getattr(config, key) is not None
    } - {"batch_size", "pretraining_dataset"}


def test_one_of_the_batch_keys_can_be_overridden_alone(required):
    written = load_config(required + "batch_size: 8\nmicro_batch_size: 2").to_yaml()
    config = load_config(written, {"micro_batch_size": 1})
    assert (config.micro_batch_size, config.gradient_accumulation_steps, config.batch_size) == (1, 4, 4)


def explained(*, planned: bool) -> list[str]:
    """Return the keys at the top that training does not do yet, or those that it does."""
    return [doc.key for doc in explain_all() if "." not in doc.key and (doc.instead is not None) is planned]


def test_an_evaluation_key_without_data_loads_back(required):
    config = load_config(required + "val_set_size: 0\nevals_per_epoch: 4")
    again = load_config(config.to_yaml())
    assert again == config
    assert [warning.key for warning in again.warnings] == ["evals_per_epoch"]


def test_equality_is_of_values_alone(required):
    assert load_config(required) == load_config("# a remark\n" + required)
    assert load_config(required) != load_config(required + "seed: 1")
    assert load_config(required) != required


def test_yaml_is_written_in_the_order_people_read(full):
    keys = list(yaml.safe_load(full.to_yaml()))
    assert keys[:3] == ["base_model", "revision_of_model", "model_type"]
    assert (
        keys.index("datasets")
        < keys.index("adapter")
        < keys.index("learning_rate")
        < keys.index("save_strategy")
    )


def test_a_config_is_frozen(full):
    with pytest.raises(ValidationError):
        full.seed = 3
    with pytest.raises(ValidationError):
        full.datasets[0].path = "x"


def test_a_config_survives_pickling(full):
    copy = pickle.loads(pickle.dumps(full))
    assert copy == full
    assert copy.origin("seed") == Origin("line", 32)
    assert copy.warnings == full.warnings


def test_the_text_is_kept(full):
    assert full.source == FULL.replace("${x}", "$${x}")
    assert load_config(yaml.safe_load(full.to_yaml())).source == ""


def test_a_file(tmp_path, required):
    file = tmp_path / "config.yml"
    file.write_text(required, encoding="utf-8")
    assert load_config(file) == load_config(required)
    assert load_config(file).source == required


@pytest.mark.parametrize(
    ("content", "message", "fix"),
    [
        (None, "'{file}' cannot be read: No such file or directory", "check the path"),
        (b"\xff\xfe\x00", "'{file}' is not UTF-8 text", "save it as UTF-8"),
        (b"a: " + b"x" * 1_000_001, "the config is longer than 1 MB", "keep data in files of its own"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, content, message, fix):
    file = tmp_path / "config.yml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load_config(file)
    (problem,) = caught.value.problems
    assert (problem.message, problem.fix) == (message.format(file=file), fix)


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        (
            "",
            "the config is empty",
            (
                "write at least 'base_model: HuggingFaceTB/SmolLM2-135M-Instruct' and 'datasets: [{path: rows.jsonl, "
                "type: chat_template}]' and 'learning_rate: 2e-4'"
            ),
        ),
        ("[a]", "a config is 'key: value' lines, not a list", "write 'key: value' lines"),
        ("hello", "a config is 'key: value' lines, not 'hello'", "write 'key: value' lines"),
        (
            "config.yml",
            "a config is 'key: value' lines, not 'config.yml'",
            "this is read as YAML text; give a pathlib.Path to read a file",
        ),
    ],
)
def test_a_text_that_is_no_map(errors, text, message, fix):
    ((*_, found, advice),) = errors(text)
    assert (found, advice) == (message, fix)


def test_a_mapping_with_what_yaml_cannot_hold(errors):
    assert errors({"base_model": object()}) == [
        (
            None,
            None,
            "the config is an object, which a config cannot hold",
            "use a text, number, list or dict; a data frame or dataset can be the path of a dataset: '- path: $rows'",
        )
    ]


def test_import_is_quick_and_light():
    code = (
        "import sys, time; start = time.process_time(); import ft_core.config; took = time.process_time() - start\n"
        "print(sorted({'torch', 'transformers', 'numpy', 'datasets', 'IPython'} & set(sys.modules)), took)"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.rsplit(" ", 1)
        for _ in range(3)
    ]
    assert [heavy for heavy, _ in runs] == ["[]"] * 3
    # Processor time, and the least of it: a busy machine makes the others longer.
    assert min(float(took) for _, took in runs) < 0.5


def test_the_first_error_comes_at_once():
    took: list[float] = []
    for _ in range(3):
        start = time.process_time()
        with pytest.raises(ConfigError) as caught:
            load_config(FULL + "sampel_packing: true\n")
        assert caught.value.render()
        took.append(time.process_time() - start)
    assert min(took) < 0.1
