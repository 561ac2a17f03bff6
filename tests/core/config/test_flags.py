"""Config keys as options of a line: which words are keys, which are values, which belong to the line."""

from __future__ import annotations

import pytest

from ft_core.config.flags import split_flags
from ft_core.errors import FtError

OPTIONS = ["--name", "--gpus", "--set", "--overwrite", "--help", "-h"]


@pytest.mark.parametrize(
    ("words", "rest", "overrides"),
    [
        ("c.yml", "c.yml", []),
        ("c.yml --lora_r 8", "c.yml", ["lora_r=8"]),
        ("c.yml --lora-r=8", "c.yml", ["lora_r=8"]),
        ("--learning-rate 1e-4 c.yml", "c.yml", ["learning_rate=1e-4"]),
        ("c.yml --datasets[0].path=a-b/c.jsonl", "c.yml", ["datasets[0].path=a-b/c.jsonl"]),
        ("--special-tokens.pad-token <pad>", "", ["special_tokens.pad_token=<pad>"]),
        ("c.yml --seed -1", "c.yml", ["seed=-1"]),
        ("c.yml --output_dir a=b", "c.yml", ["output_dir=a=b"]),
        # What is true or false needs no value, and takes no other word for one.
        ("c.yml --train-on-inputs", "c.yml", ["train_on_inputs=true"]),
        ("--train-on-inputs c.yml", "c.yml", ["train_on_inputs=true"]),
        ("--train-on-inputs no c.yml", "c.yml", ["train_on_inputs=no"]),
        ("--no-train-on-inputs c.yml", "c.yml", ["train_on_inputs=false"]),
        ("--no-sample_packing --sample-packing", "", ["sample_packing=false", "sample_packing=true"]),
        ("--tf32 auto --bf16 c.yml", "c.yml", ["tf32=auto", "bf16=true"]),
        ("--flash-attention c.yml", "c.yml", ["flash_attention=true"]),
        ("c.yml --tf32=", "c.yml", ["tf32="]),
        # Keys of other years and of Axolotl alone.
        ("--relora_steps 10 --adam-eps 1 --eta_min 2", "", ["relora_steps=10", "adam_eps=1", "eta_min=2"]),
        ("--swanlab_project x", "", ["swanlab_project=x"]),
        # What belongs to the line.
        ("c.yml --gpus 2 --name=x --overwrite", "c.yml --gpus 2 --name=x --overwrite", []),
        ("c.yml --set a=1", "c.yml --set a=1", []),
        ("-- --odd.yml", "-- --odd.yml", []),
        ("c.yml -h", "c.yml -h", []),
    ],
)
def test_what_is_a_key(words, rest, overrides):
    assert split_flags(words.split(), OPTIONS) == (rest.split(), overrides)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--overwrit", "there is no option or key '--overwrit'; did you mean '--overwrite'?"),
        ("--lerning-rate=1", "there is no option or key '--lerning-rate'; did you mean '--learning_rate'?"),
        ("--no-lora-rr", "there is no option or key '--no-lora-rr'; did you mean '--lora_r'?"),
        ("--dataset[0].path=x", "there is no option or key '--dataset[0].path'; did you mean '--datasets'?"),
        ("--xyzzy", "there is no option or key '--xyzzy'"),
        ("--=x", "there is no option or key '--'"),
    ],
)
def test_what_is_neither(word, message):
    with pytest.raises(FtError) as caught:
        split_flags(["c.yml", word], OPTIONS)
    assert caught.value.message == message
