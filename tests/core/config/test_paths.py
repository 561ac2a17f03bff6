"""Local files that a config names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml

from ft_core.config import ConfigError, load_config

HEAD = "base_model: org/model\nlearning_rate: 2e-4\n"


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """Return the working folder, with some data in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    (tmp_path / "data").mkdir()
    (tmp_path / "hollow").mkdir()
    (tmp_path / "data" / "train.jsonl").write_text("{}")
    (tmp_path / "data" / "none.jsonl").touch()
    (tmp_path / "chat.jinja").write_text("{{ messages }}")
    return tmp_path


def with_path(path: str, more: str = "") -> str:
    return f"{HEAD}datasets:\n- path: {path}\n  type: alpaca\n{more}"


@pytest.mark.parametrize(
    ("path", "message", "fix"),
    [
        ("data/trian.jsonl", "there is no file 'data/trian.jsonl'", "did you mean 'data/train.jsonl'?"),
        (
            "./data/rows.csv",
            "there is no file './data/rows.csv'",
            "that folder holds 'none.jsonl' or 'train.jsonl'",
        ),
        ("nope/train.jsonl", "there is no file 'nope/train.jsonl'", "there is no folder 'nope' either"),
        ("rows.parquet", "there is no file 'rows.parquet'", "check the path; it is looked up from '{here}'"),
        ("~/rows.txt", "there is no file '{here}/home/rows.txt'", "check the path"),
        ("data/none.jsonl", "the file 'data/none.jsonl' is empty", "write at least one row into it"),
        ("./hollow", "the folder './hollow' is empty", "put a data file into it, or name another folder"),
        ("a/b/c", "there is no file 'a/b/c'", "there is no folder 'a/b' either"),
    ],
)
def test_data_that_is_not_there(errors, here, path, message, fix):
    # As an error shows them: what is long is clipped.
    def shown(text: str) -> str:
        quoted = text.split("'")
        return "'".join(
            part if index % 2 == 0 or len(part) <= 60 else part[:57] + "..."
            for index, part in enumerate(quoted)
        )

    expected = shown(message.format(here=here)), shown(fix.format(here=here))
    assert errors(with_path(path)) == [(4, 9, *expected)]


@pytest.mark.parametrize(
    "path",
    [
        "data/train.jsonl",
        "./data",
        "data",
        "org/data",
        "rows",
        "https://host/rows.jsonl",
        "s3://bucket/rows.parquet",
    ],
)
def test_data_that_is_there_or_elsewhere(here, path):
    assert load_config(with_path(path)).datasets[0].path == path


@pytest.mark.parametrize("path", ["./" + "x" * 5000, "x" * 5000 + ".jsonl"])
def test_a_path_that_no_system_takes(errors, here, path):
    ((line, _, message, _),) = errors(with_path(path))
    assert line == 4
    assert message.startswith("there is no file '")


def test_files_of_a_dataset(errors, here):
    assert [
        row[2:] for row in errors(with_path("data", "  data_files: [train.jsonl, tran.jsonl, '*.csv']"))
    ] == [("there is no file 'data/tran.jsonl'", "did you mean 'data/train.jsonl'?")]
    assert [
        row[:3] for row in errors(with_path("json", "  data_files: [data/train.jsonl, data/tran.jsonl]"))
    ] == [(6, 34, "there is no file 'data/tran.jsonl'")]
    assert load_config(with_path("org/data", "  data_files: part.jsonl")).datasets[0].data_files == (
        "part.jsonl",
    )


def test_a_model_that_is_not_there(errors, here, required):
    text = required.replace("org/model", "./modle")
    (here / "model").mkdir()
    assert errors(text) == [(1, 13, "there is no folder './modle'", "did you mean 'model'?")]
    assert errors(required + "tokenizer_config: ../a/b") == [
        (4, 19, "there is no folder '../a/b'", "there is no folder '../a' either")
    ]


def test_a_template_that_is_not_there(errors, here, required):
    assert load_config(required + "chat_template_jinja: chat.jinja").chat_template_jinja == "chat.jinja"
    assert errors(required + "chat_template_jinja: chta.jinja") == [
        (4, 22, "there is no file 'chta.jinja'", "did you mean 'chat.jinja'?")
    ]
    assert errors(required + "chat_template_jinja: chatml") == [
        (
            4,
            22,
            "'chatml' is neither a Jinja template nor a file that holds one",
            "give the path of a file, or a template such as one with '{{ message.content }}'",
        )
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser reads every folder")
def test_a_folder_that_may_not_be_read(errors, here):
    (here / "data").chmod(0)
    assert [row[2] for row in errors(with_path("./data/x.jsonl"))] == ["there is no file './data/x.jsonl'"]
    (here / "data").chmod(0o700)


def test_a_finished_run_can_be_read_without_its_data(here):
    assert load_config(with_path("gone.jsonl"), check_paths=False).datasets[0].path == "gone.jsonl"


def test_absolute_paths_work_from_any_folder(here, tmp_path, monkeypatch):
    (here / "model").mkdir()
    text = (
        "base_model: model\nlearning_rate: 1\noutput_dir: out\nchat_template_jinja: chat.jinja\n"
        "datasets:\n"
        "- {path: data/train.jsonl, type: chat_template, chat_template_jinja: ./chat.jinja}\n"
        "- {path: data, type: alpaca, data_files: train.jsonl}\n"
        "- {path: json, type: alpaca, data_files: [data/train.jsonl, 'data/*.jsonl']}\n"
        "- {path: org/data, type: alpaca}\n"
        "test_datasets: [{path: ./data/train.jsonl, type: alpaca}]\n"
    )
    resolved = yaml.safe_load(load_config(text).to_yaml(absolute_paths=True))
    assert resolved["base_model"] == str(here / "model")
    assert resolved["tokenizer_config"] == str(here / "model")
    assert resolved["output_dir"] == str(here / "out")
    assert resolved["chat_template_jinja"] == str(here / "chat.jinja")
    assert [entry["path"] for entry in resolved["datasets"]] == [
        str(here / "data" / "train.jsonl"),
        str(here / "data"),
        "json",
        "org/data",
    ]
    assert resolved["datasets"][0]["chat_template_jinja"] == str(here / "chat.jinja")
    assert resolved["datasets"][1]["data_files"] == ["train.jsonl"]
    assert resolved["datasets"][2]["data_files"] == [
        str(here / "data" / "train.jsonl"),
        str(here / "data" / "*.jsonl"),
    ]
    assert resolved["test_datasets"][0]["path"] == str(here / "data" / "train.jsonl")
    elsewhere = here / "hollow"
    monkeypatch.chdir(elsewhere)
    assert load_config(yaml.safe_dump(resolved)).base_model == str(here / "model")


def test_home_is_written_out(here):
    (here / "home" / "rows.jsonl").write_text("{}")
    config = load_config(with_path("~/rows.jsonl", "output_dir: ~/out"))
    assert config.datasets[0].path == str(here / "home" / "rows.jsonl")
    assert config.output_dir == str(here / "home" / "out")


def test_a_checkpoint_to_go_on_from_is_a_folder_here(required, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoint-10").mkdir()
    config = load_config(required + "resume_from_checkpoint: checkpoint-10")
    assert str(tmp_path / "checkpoint-10") in config.to_yaml(absolute_paths=True)
    with pytest.raises(ConfigError) as raised:
        load_config(required + "resume_from_checkpoint: checkpoint-20")
    [problem] = raised.value.problems
    assert (problem.key, problem.message) == ("resume_from_checkpoint", "there is no folder 'checkpoint-20'")
    assert problem.fix == "did you mean 'checkpoint-10'?"
