"""The line of %%finetune: every option, and what a wrong line says."""

from __future__ import annotations

import re

import pytest

from ft_core.errors import FtError
from ft_jupyter.magics import FinetuneMagics
from ft_jupyter.magics.options import FinetuneOptions, finetune_parser, parse_finetune, python_name

USAGE = (
    "usage: %%finetune [--plan] [--inspect] [--wait] [--gpus N] [--set KEY=VALUE] [--base FILE] [--resume] [--overwrite] "
    "[--launcher process] [name]"
)


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("", FinetuneOptions()),
        ("joker", FinetuneOptions(name="joker")),
        ("joker --plan", FinetuneOptions(name="joker", plan=True)),
        ("--inspect", FinetuneOptions(inspect=True)),
        ("--wait joker", FinetuneOptions(name="joker", wait=True)),
        ("--gpus 2 joker", FinetuneOptions(name="joker", gpus=2)),
        ("--set a=1 --set b.c='x y'", FinetuneOptions(overrides=("a=1", "b.c=x y"))),
        (
            "--learning-rate 1e-4 --no-sample-packing joker --datasets[0].path='a b.jsonl' --set seed=1",
            FinetuneOptions(
                name="joker",
                overrides=(
                    "seed=1",
                    "learning_rate=1e-4",
                    "sample_packing=false",
                    "datasets[0].path=a b.jsonl",
                ),
            ),
        ),
        ("--base 'my file.yml'", FinetuneOptions(base="my file.yml")),
        ("--resume", FinetuneOptions(overrides=("auto_resume_from_checkpoints=true",))),
        ("joker --overwrite --launcher process", FinetuneOptions(name="joker", overwrite=True)),
    ],
)
def test_a_line_means(line: str, options: FinetuneOptions) -> None:
    assert parse_finetune(line) == options


@pytest.mark.parametrize(
    ("line", "message", "fix"),
    [
        ("--plann", "%%finetune: there is no option or key '--plann'; did you mean '--plan'?", USAGE),
        ("--gpu=2", "%%finetune: there is no option or key '--gpu'; did you mean '--gpus'?", USAGE),
        (
            "--lerning-rate 1",
            "%%finetune: there is no option or key '--lerning-rate'; did you mean '--learning_rate'?",
            USAGE,
        ),
        ("--quietly", "%%finetune: there is no option or key '--quietly'.", USAGE),
        ("-q", "%%finetune has no option '-q'.", USAGE),
        ("a b", "%%finetune: 'b' is one word too many.", USAGE),
        ("--gpus two", "%%finetune: argument --gpus: invalid number value: 'two'.", USAGE),
        ("--gpus 0", "%%finetune: argument --gpus: invalid number value: '0'.", USAGE),
        ("--set", "%%finetune: argument --set: expected one argument.", USAGE),
        ("--base 'x", "%%finetune: a quote on the line is left open.", "Close it."),
        (
            "--launcher notebook",
            "%%finetune: the launcher 'notebook' does not exist yet.",
            "Leave --launcher out: the run then has its own process.",
        ),
        (
            "--launcher slurm",
            "%%finetune: the launcher 'slurm' does not exist.",
            "Leave --launcher out: the run then has its own process.",
        ),
        (
            "--plan --inspect",
            "%%finetune: --plan and --inspect each show something else.",
            "Use one of them.",
        ),
    ],
)
def test_a_wrong_line_says(line: str, message: str, fix: str) -> None:
    with pytest.raises(FtError) as caught:
        parse_finetune(line)
    assert (caught.value.message, caught.value.fix) == (message, fix)


@pytest.mark.parametrize(
    ("name", "variable"),
    [
        ("joker", "joker"),
        ("my-run", "my_run"),
        ("a.b-c", "a_b_c"),
        ("7b", "run_7b"),
        ("lambda", "run_lambda"),
    ],
)
def test_the_variable_of_a_name(name: str, variable: str) -> None:
    assert python_name(name) == variable
    assert FinetuneOptions(name=name).variable == variable


def test_without_a_name_the_variable_is_run() -> None:
    assert FinetuneOptions().variable == "run"


def test_the_help_of_the_magic_names_every_option() -> None:
    options = {option for action in finetune_parser()._actions for option in action.option_strings}
    assert options == set(re.findall(r"^\s+(--\w+)", FinetuneMagics.finetune.__doc__ or "", re.MULTILINE))
