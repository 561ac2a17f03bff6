"""``ft merge-lora``: which adapter is meant, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ft_core.cli.main import main
from ft_core.infer.merge import Merged
from ft_core.runs import Run, create_run

MADE = Merged("out", "base", "final", 1000, 2000, "bf16", 10, 10, 0.01, 15.5)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any, dict[str, Any]]]:
    """Return what `merge` was asked for; nothing is merged."""
    calls: list[tuple[Any, Any, dict[str, Any]]] = []

    def record(source: Any, out: Any, **options: Any) -> Merged:
        calls.append((source, out, options))
        return MADE

    monkeypatch.setattr("ft_core.infer.merge.merge", record)
    return calls


@pytest.fixture
def run(runs_root: Path) -> Run:
    return create_run("poet", config_text="", resolved_text="", plan={})


DEFAULTS = {"dtype": "auto", "dequantise": True, "overwrite": False, "on_progress": None}


@pytest.mark.parametrize(
    ("options", "out", "changed"),
    [
        ([], None, {}),
        (["--out", "there", "--overwrite"], "there", {"overwrite": True}),
        (["--dtype", "fp32", "--no-dequant"], None, {"dtype": "fp32", "dequantise": False}),
    ],
)
def test_a_run(run: Run, asked: Any, capsys: Any, options: list[str], out: str | None, changed: Any) -> None:
    assert main(["merge-lora", "poet", *options]) == 0
    [(source, folder, given)] = asked
    assert (source.directory, folder, given) == (run.directory, out, {**DEFAULTS, **changed})
    assert capsys.readouterr().out == MADE.render() + "\n"


def test_the_folder_of_an_adapter(tmp_path: Path, asked: Any) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    assert main(["merge-lora", str(tmp_path)]) == 0
    assert asked[0][0] == tmp_path


@pytest.mark.parametrize("option", ["--lora-model-dir", "--lora_model_dir"])
def test_a_config_and_the_folder_of_its_adapter(
    tmp_path: Path, tiny_model: Path, asked: Any, option: str
) -> None:
    (tmp_path / "adapter_config.json").write_text("{}")
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "a"}\n')
    config = tmp_path / "config.yml"
    config.write_text(
        f"base_model: {tiny_model}\nadapter: lora\nlearning_rate: 1e-3\n"
        f"datasets: [{{path: {rows}, type: completion}}]\n"
    )
    assert main(["merge-lora", str(config), f"{option}={tmp_path}", "--bf16=false"]) == 0
    source = asked[0][0]
    assert (source.base, source.tuned, source.adapter) == (str(tiny_model), str(tmp_path), True)


def test_a_run_is_merged_as_it_was_trained(run: Run, asked: Any, capsys: Any) -> None:
    assert main(["merge-lora", "poet", "--lora-r", "8"]) == 1
    assert "no key can be set" in capsys.readouterr().err
    assert asked == []
