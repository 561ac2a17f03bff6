"""What a front end is offered, through IPython's completer."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ft_jupyter as ft
from ft_core.config import explain_all
from ft_core.config.config import INNER
from ft_jupyter.completion import complete, offers_for

Offered = list[tuple[str, str, str]]
NOT_YET = "not supported yet"


@pytest.mark.parametrize(
    ("cell", "offered_first"),
    [
        ("base_mo|", ("base_mo", "base_model: ", "required")),
        ("lora_al|", ("lora_al", "lora_alpha: ", "adapter")),
        ("lora_al|: 3", ("lora_al", "lora_alpha", "adapter")),
        ("LORA_AL|", ("LORA_AL", "lora_alpha: ", "adapter")),
        ("special_tok|", ("special_tok", "special_tokens:", "tokenizer")),
        ("lern_rate|", ("lern_rate", "learning_rate: ", "required")),
        ("datasets:\n  - |", ("", "path: ", "required")),
        ("datasets:\n  |", ("", "- path: ", "required")),
        ("datasets:\n  - path: x\n    ty|", ("ty", "type: ", "required")),
        ("datasets: [|", ("", "{path: ", "required")),
        ("datasets: [{path: x, ty|}]", ("ty", "type: ", "required")),
        ("test_datasets:\n  - pa|", ("pa", "path: ", "required")),
        ("special_tokens:\n  pa|", ("pa", "pad_token: ", "tokenizer")),
        ("special_tokens: {pa|}", ("pa", "pad_token: ", "tokenizer")),
        ("adapter: |", ("", "lora", "value")),
        ("adapter:|", ("", " lora", "value")),
        ("adapter: llama-a|", ("llama-a", "llama-adapter", NOT_YET)),
        ("adapter: 'lo|", ("lo", "lora", "value")),
        ("lr_scheduler: cosi|", ("cosi", "cosine", "default")),
        ("save_strategy: n|", ("n", '"no"', "value")),
        ("train_on_inputs: |", ("", "true", "value")),
        ("train_on_inputs: f|", ("f", "false", "default")),
        ("bf16: au|", ("au", "auto", "default")),
        ("lora_target_modules: |", ("", "all-linear", "value")),
        ("micro_batch_size: |", ("", "1", "default")),
        ("datasets:\n  - path: x\n    type: ch|", ("ch", "chat_template", "value")),
        ("datasets: [{path: x, type: al|}]", ("al", "alpaca", "value")),
        ("chat_template: chatm|", ("chatm", "chatml", "value")),
        ("chat_template: tokeniser_defualt|", ("tokeniser_defualt", "tokenizer_default", "default")),
    ],
)
def test_in_the_yaml(
    offered: Callable[[str], Offered], cell: str, offered_first: tuple[str, str, str]
) -> None:
    assert offered(f"%%finetune\n{cell}")[0] == offered_first


def test_exactly_what_is_missing_is_offered(texts: Callable[[str], list[str]]) -> None:
    text = "%%finetune\nspecial_tokens:\n  pad_token: x\n  |\n  eos_token: y\nlora_r: 8"
    assert texts(text)[:2] == ["bos_token: ", "unk_token: "]
    assert "lora_r: " not in texts(f"{text}\n|".replace("|", "", 1))
    assert "pad_token: " not in texts(text)


def test_required_keys_come_first_and_those_that_do_nothing_yet_last(
    offered: Callable[[str], Offered],
) -> None:
    found = offered("%%finetune\n|")
    assert [text for _, text, _ in found[:3]] == ["base_model: ", "datasets:", "learning_rate: "]
    kinds = [kind == NOT_YET for _, _, kind in found]
    assert kinds == sorted(kinds)
    assert {text.rstrip(": ") for _, text, _ in found} == {doc.key for doc in explain_all() if not doc.holder}
    values = [kind == NOT_YET for _, _, kind in offered("%%finetune\ndatasets: [{type: |")]
    assert values == sorted(values)


@pytest.mark.parametrize("holder", INNER)
def test_each_map_of_ours_offers_its_keys(holder: str, texts: Callable[[str], list[str]]) -> None:
    known = {doc.name for doc in explain_all() if doc.holder == holder}
    assert {text.removeprefix("- ").rstrip(": ") for text in texts(f"%%finetune\n{holder}:\n  |")} == known


def test_pythons_names_never_appear(completed: Callable[[str], Offered], shell: Any) -> None:
    shell.user_ns["printed"] = 1
    for cell in (
        "impor|",
        "learning_rate: print|",
        "# pri|",
        "# |",
        "seed: 1 |",
        "xyzzy: pri|",
        "xyzzy:\n  pri|",
        "chat_template_jinja: >\n  pri|",
        "eot_tokens: [pri|",
        "adapter: 'lora' |",
    ):
        found = completed(f"%%finetune\n{cell}")
        assert len(found) >= 1
        names = {text for typed, text, _ in found if text != typed}
        assert names.isdisjoint({"print", "printed", "import", "abs"}), cell


def test_ipython_passes_our_offers_on_as_they_are(completed: Callable[[str], Offered]) -> None:
    assert completed("%%finetune\nspecial_tokens:\n  pad|") == [("pad", "pad_token: ", "tokenizer")]
    assert completed("%ft atach|") == [("atach", "attach", "verb")]
    # In one piece, so that JupyterLab does not break it over lines.
    not_yet = "not\N{NO-BREAK SPACE}supported\N{NO-BREAK SPACE}yet"
    assert completed("%%finetune\nadapter: llama-a|") == [("llama-a", "llama-adapter", not_yet)]
    assert [text for _, text, _ in completed("%%finetune\n|")][:2] == ["base_model: ", "datasets:"]


def test_the_name_of_the_magic_is_left_to_ipython(completed: Callable[[str], Offered]) -> None:
    assert [text for _, text, _ in completed("%%finet|")] == ["%%finetune"]


def test_variables_after_a_dollar(offered: Callable[[str], Offered], shell: Any) -> None:
    shell.run("lr = 1e-4\nlast = [1]\ndef later(): ...")
    assert offered("%%finetune\nlearning_rate: $l|") == [("$l", "$last", "list"), ("$l", "$lr", "float")]
    assert offered("%%finetune\noutput_dir: out-${lr|") == [("${lr", "${lr}", "float")]
    assert offered('%%finetune\nlearning_rate: "$l|') == [("$l", "$last", "list"), ("$l", "$lr", "float")]
    assert offered("%%finetune\neot_tokens:\n  - $la|") == [("$la", "$last", "list")]
    assert ("$l", "$lr", "float") not in offered("%%finetune\nlearning_rate: $$l|")


def test_models_and_folders_after_base_model(
    offered: Callable[[str], Offered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cache" / "models--org--net").mkdir(parents=True)
    (tmp_path / "here" / "my-model").mkdir(parents=True)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("FT_CACHE", str(tmp_path / "none"))
    monkeypatch.chdir(tmp_path / "here")
    assert offered("%%finetune\nbase_model: |")[:2] == [
        ("", "org/net", "in the hub's cache"),
        ("", "my-model/", "folder"),
    ]
    assert offered("%%finetune\nbase_model: ./m|") == [("./m", "./my-model/", "folder")]
    assert offered("%%finetune\nbase_model: or|") == [("or", "org/net", "in the hub's cache")]


def test_files_after_path(
    offered: Callable[[str], Offered], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.jsonl").touch()
    (tmp_path / "raw").mkdir()
    monkeypatch.chdir(tmp_path)
    assert offered("%%finetune\ndatasets:\n  - path: r|")[:2] == [
        ("r", "raw/", "folder"),
        ("r", "rows.jsonl", "file"),
    ]
    assert offered("%%finetune\ndatasets: [{path: ro|}]") == [("ro", "rows.jsonl", "file")]


@pytest.mark.parametrize(
    ("line", "offered_first"),
    [
        ("%%finetune --p|", ("--p", "--plan", "option")),
        ("%%finetune joker --ov|", ("--ov", "--overwrite", "option")),
        ("%%finetune --launcher |", ("", "process", "value")),
        ("%%finetune --learning-r|", ("--learning-r", "--learning-rate", "optimizer")),
        ("%%finetune --learning_r|", ("--learning_r", "--learning_rate", "optimizer")),
        ("%%finetune --adapter lo|", ("lo", "lora", "value")),
        ("%%finetune --lr-scheduler=cosi|", ("cosi", "cosine", "default")),
        ("%%finetune --set |", ("", "base_model=", "model")),
        ("%%finetune --set lora_al|", ("lora_al", "lora_alpha=", "adapter")),
        ("%%finetune --set datasets[0].ty|", ("datasets[0].ty", "datasets[0].type=", "data")),
        ("%%finetune --set datasets[0].type=al|", ("al", "alpaca", "value")),
        (
            "%%finetune --set a=1 --set special_tokens.pa|",
            ("special_tokens.pa", "special_tokens.pad_token=", "tokenizer"),
        ),
        ("%ft plan my.yml --s|", ("--s", "--set", "option")),
        ("%ft plan my.yml --lora-al|", ("--lora-al", "--lora-alpha", "adapter")),
        ("%ft plan my.yml --adapter lo|", ("lo", "lora", "value")),
        ("%ft plan my.yml --set micro_b|", ("micro_b", "micro_batch_size=", "schedule")),
        ("%ft ex|", ("ex", "explain", "verb")),
        ("%ft atach|", ("atach", "attach", "verb")),
        ("x = %ft lo|", ("lo", "logs", "verb")),
        ("  %ft explain lora_al|", ("lora_al", "lora_alpha", "adapter")),
        ("%ft explain datasets.ty|", ("datasets.ty", "datasets.type", "data")),
        ("%ft stop joker --|", ("--", "--now", "option")),
        ("%ft logs -|", ("-", "-n", "option")),
        ("%ft runs x|", ("x", "x", "as typed")),
        ("%ft atach j|", ("j", "j", "as typed")),
    ],
)
def test_on_the_lines_of_the_magics(
    offered: Callable[[str], Offered], line: str, offered_first: tuple[str, str, str]
) -> None:
    assert offered(line)[0] == offered_first


def test_an_option_is_offered_once_but_set(texts: Callable[[str], list[str]]) -> None:
    found = texts("%%finetune --plan --set a=1 --|")
    assert "--plan" not in found
    assert "--set" in found


@pytest.mark.parametrize("verb", ["attach", "stop", "chat", "logs", "inspect"])
def test_runs_after_a_verb_that_takes_one(
    verb: str, offered: Callable[[str], Offered], write_run: Any, shell: Any
) -> None:
    written = write_run("joker")
    shell.user_ns["mine"] = written.run
    assert offered(f"%ft {verb} j|") == [("j", "joker", "running")]
    assert offered(f"%ft {verb} mi|") == [("mi", "mine", "variable")]
    assert offered(f"%ft {verb} joker j|") == [("j", "j", "as typed")]


def test_yaml_files_after_plan_inspect_and_base(
    texts: Callable[[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "here"
    folder.mkdir()
    for name in ("my.yml", "my.txt", "other.yaml"):
        (folder / name).touch()
    monkeypatch.chdir(folder)
    assert texts("%ft plan |") == ["my.yml", "other.yaml"]
    assert texts("%ft inspect my|") == ["my.yml"]
    assert texts("%%finetune --base |") == ["my.yml", "other.yaml"]


def test_the_folder_of_the_runs_is_the_magics(
    offered: Callable[[str], Offered], shell: Any, write_run: Any, tmp_path: Path
) -> None:
    write_run("joker")
    shell.run(f"%config FinetuneMagics.runs_dir = {str(tmp_path / 'elsewhere')!r}")
    assert offered("%ft attach jo|") == [("jo", "jo", "as typed")]


@pytest.mark.parametrize("cell", ["impor|", "# %%finetune\nimpor|", "x = 1\nimpor|", "%%finetun\nimpor|"])
def test_other_cells_are_left_to_python(cell: str) -> None:
    cursor = cell.index("|")
    text = cell.replace("|", "")
    line = text[:cursor].count("\n")
    assert offers_for(text, line, len(text.split("\n")[line])) is None


def test_loading_twice_is_loading_once_and_unloading_takes_it_away(shell: Any) -> None:
    ft.load_ipython_extension(shell.ip)
    assert shell.ip.Completer.custom_matchers.count(complete) == 1
    ft.unload_ipython_extension(shell.ip)
    assert complete not in shell.ip.Completer.custom_matchers
    ft.load_ipython_extension(shell.ip)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    import json
    import subprocess

    code = """
import json, sys
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
ip = InteractiveShell.instance()
ip.run_line_magic("load_ext", "ft_jupyter")
with provisionalcompleter():
    for text in ("%%finetune\\nbase_model: ", "%%finetune --set lora", "%ft attach ", "%ft explain lo"):
        assert list(ip.Completer.completions(text, len(text)))
print(json.dumps(sorted(sys.modules)))
"""
    environment = {
        "IPYTHONDIR": str(tmp_path),
        "PATH": "",
        "PYTHONPATH": ":".join(sys.path),
        "FT_RUNS_DIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    heavy = {
        "torch",
        "transformers",
        "datasets",
        "huggingface_hub",
        "numpy",
        "pandas",
        "plotly",
        "anywidget",
        "ipywidgets",
    }
    assert heavy.isdisjoint(json.loads(done.stdout.splitlines()[-1]))


# fmt: off
PIECES = st.sampled_from(
    ["%%finetune ", "%ft ", "attach ", "explain ", "datasets", "special_tokens", "path", "base_model", "adapter", "lo", ": ", ":", "- ", "-", "--", "--set ", "=", "{", "}", "[", "]", ",", "'", '"', "#", " ", "\t", "\n", "\n  ", ">", "$", "${", "~", "/", "../", "\x00", "\r", "é", "😀", "*", "&"]
)
# fmt: on


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(["%%finetune\n", "%%finetune ", "%ft ", ""]),
    st.lists(PIECES, max_size=25).map("".join),
    st.data(),
)
def test_any_cell_and_any_cursor_is_answered(start: str, text: str, data: st.DataObject) -> None:
    lines = (start + text).split("\n")
    line = data.draw(st.integers(0, len(lines) - 1))
    column = data.draw(st.integers(0, len(lines[line])))
    found = offers_for("\n".join(lines), line, column)
    if found is not None:
        assert lines[line][:column].endswith(found.fragment)
        assert found.offers
