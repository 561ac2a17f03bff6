"""Keys that are unknown, not supported yet, or called something else now."""

from __future__ import annotations

import pytest

from ft_core.config import Dataset
from ft_core.config.config import INNER
from ft_core.config.keys import ADVICE, axolotl_keys, fields_of, is_planned

QLORA = "remove it; 'load_in_4bit: true' with 'adapter: qlora' keeps the base model's weights in 4 bit"


@pytest.mark.parametrize(
    ("line", "column", "message", "fix"),
    [
        (
            "seqence_len: 1",
            1,
            "unknown key 'seqence_len'; did you mean 'sequence_len'?",
            "write 'sequence_len', or remove it",
        ),
        (
            "Sequence_Len: 1",
            1,
            "unknown key 'Sequence_Len'; did you mean 'sequence_len'?",
            "write 'sequence_len', or remove it",
        ),
        ("lora_rr:", 1, "unknown key 'lora_rr'; did you mean 'lora_r'?", "write 'lora_r', or remove it"),
        ("xyzzy: 1", 1, "unknown key 'xyzzy'", "remove it"),
        (
            "swanlab_projekt: mine",
            1,
            "unknown key 'swanlab_projekt'; did you mean 'swanlab_project'?",
            "remove it: that key is not supported yet",
        ),
        (
            "field_messages: x",
            1,
            "unknown key 'field_messages'",
            "'field_messages' belongs to a dataset, under 'datasets': check the indentation",
        ),
        (
            "weight: 0.5",
            1,
            "unknown key 'weight'",
            "'weight' belongs to a dataset, under 'datasets': check the indentation",
        ),
        (
            "special_tokens: {eos: x}",
            18,
            "unknown key 'eos'; did you mean 'eos_token'?",
            "write 'eos_token', or remove it",
        ),
        (
            "test_datasets: [{path: a/b, type: alpaca, feild: x}]",
            43,
            "unknown key 'feild'; did you mean 'field'?",
            "write 'field', or remove it",
        ),
        (
            "test_datasets: [{path: a/b, type: alpaca, logprobs_field: a}]",
            43,
            "'logprobs_field' is not supported yet",
            "remove it: no teacher model is distilled",
        ),
        (
            "test_datasets: [{path: a/b, type: alpaca, seed: 3}]",
            43,
            "'seed' is not supported yet",
            "remove it",
        ),
        ("nf4_backend: torchao", 1, "'nf4_backend' is not supported yet", QLORA),
        ("use_onebitllms: yes", 1, "'use_onebitllms' is not supported yet", QLORA),
        (
            "swanlab_project: mine",
            1,
            "'swanlab_project' is not supported yet",
            "remove it: the loss curve is drawn in the notebook and kept in the run's events.jsonl",
        ),
        (
            "deepspeed: zero2.json",
            1,
            "'deepspeed' is not supported yet",
            "remove it: every GPU holds the whole model",
        ),
        (
            "fsdp_version: 1",
            1,
            "'fsdp_version' is not supported yet",
            "remove it: every GPU holds the whole model",
        ),
        ("grokfast_alpha: 0.9", 1, "'grokfast_alpha' is not supported yet", "remove it"),
    ],
)
def test_refused_keys(errors, required, line, column, message, fix):
    assert errors(required + line)[0] == (4, column, message, fix)


@pytest.mark.parametrize(
    "line",
    [
        "sample_packing: false",
        "load_in_4bit: no",
        "wandb_project:",
        "wandb_name: ''",
        "plugins: []",
        "deepspeed: {}",
        "fsdp_version: 2",
        "loraplus_lr_embedding: 1e-6",
        "flash_attention: false",
        "resume_from_checkpoint: null",
        "special_tokens: {additional_special_tokens: []}",
        "unfrozen_parameters: []",
    ],
)
def test_a_key_that_asks_for_nothing_passes(warnings, required, line):
    assert warnings(required + line) == []


def test_every_key_of_axolotl_is_known_once():
    keys = axolotl_keys()
    assert {
        "sample_packing",
        "wandb_project",
        "rl",
        "liger_rope",
        "cut_cross_entropy",
        "fsdp",
    } <= keys.keys()
    assert is_planned("swanlab_project")
    assert not is_planned("base_model")
    assert not is_planned("xyzzy")
    # Advice is for keys that need it: the schema says its own, and each is Axolotl's.
    holders = ("top", *INNER)
    for key in ADVICE:
        assert any(key in axolotl_keys(holder) and key not in fields_of(holder) for holder in holders), key


def test_every_problem_is_found_at_once(errors):
    text = (
        "base_modl: a/b\n"
        "learning_rate: high\n"
        "swanlab_project: mine\n"
        "datasets:\n"
        "  - path: a/b\n"
        "    tpye: alpaca\n"
        "  - path: c/d\n"
        "    type: alpaka\n"
        "    train_on_eos: never\n"
        "special_tokens: {pad_token: 3}\n"
        "warmup_steps: 5\n"
        "warmup_ratio: 0.1\n"
        "seed: 1\n"
        "seed: 2\n"
    )
    assert [(line, message) for line, _, message, _ in errors(text)] == [
        (1, "unknown key 'base_modl'; did you mean 'base_model'?"),
        (2, "'learning_rate' must be a number, not 'high'"),
        (3, "'swanlab_project' is not supported yet"),
        (5, "'datasets[0]' has no 'type'"),
        (6, "unknown key 'tpye'; did you mean 'type'?"),
        (8, "'type' cannot be 'alpaka'; did you mean 'alpaca'?"),
        (9, "'train_on_eos' cannot be 'never'"),
        (10, "'pad_token' must be text, not 3"),
        (12, "'warmup_steps' and 'warmup_ratio' both say how long the warmup is"),
        (14, "'seed' is given twice, first on line 13"),
        (None, "'base_model' is missing"),
    ]


def test_the_dataset_keys_we_support_are_axolotls():
    assert set(Dataset.model_fields) <= axolotl_keys("datasets").keys()
