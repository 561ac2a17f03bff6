"""``merge_lora: true``: the adapter is merged when training is done."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from ft_core.config import Config
from ft_core.runs import Run, RunWriter, create_run
from ft_core.train import make_plan
from ft_core.train.interrupts import Interrupts
from ft_core.train.merge_at_end import merge_at_end

IDS = torch.tensor([[5, 900, 31, 7, 20000, 44, 2, 1]])


@pytest.fixture
def trained(make_config: Callable[..., Config], runs_root: Path) -> Callable[..., tuple[Config, Run]]:
    """Return a function that makes a run with a folder ``final``, of an adapter by default."""

    def make(file: str = "adapter_config.json", **keys: Any) -> tuple[Config, Run]:
        config = make_config(merge_lora=True, **keys)
        resolved = config.to_yaml(absolute_paths=True)
        run = create_run("poet", config_text="", resolved_text=resolved, plan={})
        run.final.mkdir()
        (run.final / file).write_text("{}")
        return config, run

    return make


def test_a_run_ends_with_the_model_that_the_adapter_makes(
    make_config: Callable[..., Config],
    train: Callable[..., Run],
    events: Callable[[Run, str], list[dict[str, Any]]],
    tmp_path: Path,
) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    config = make_config(merge_lora=True, output_dir=str(tmp_path / "out"), max_steps=2)
    run = train(config, "poet")
    assert (run.state, run.error) == ("completed", None)
    assert [event["phase"] for event in events(run, "phase")][-2:] == ["saving", "merging"]
    assert [event["folder"] for event in events(run, "merged")] == ["merged"]
    assert events(run, "warning") == []
    base = AutoModelForCausalLM.from_pretrained(config.base_model, dtype=torch.float32)
    with torch.no_grad():
        before = base(IDS).logits
        expected = PeftModel.from_pretrained(base, str(run.final))(IDS).logits
        for folder in (run.directory / "merged", tmp_path / "out" / "merged"):
            said = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)(IDS).logits
            assert (said - expected).abs().max() < 0.2 * (before - expected).abs().max()  # saved in bf16
    assert (tmp_path / "out" / "adapter_config.json").is_file()


def test_the_plan_says_what_it_takes(
    make_config: Callable[..., Config], monkeypatch: pytest.MonkeyPatch
) -> None:
    def planned(**keys: Any) -> tuple[list[str], list[str]]:
        plan = make_plan(make_config(**keys))
        lines = [line for line in plan.render().splitlines() if line.startswith("merged ")]
        return lines, [warning.message for warning in plan.warnings]

    [line], warnings = planned(merge_lora=True)
    assert line.endswith("about 6 MiB (a whole model, when training is done)")
    assert warnings == []
    assert planned() == ([], [])
    assert planned(merge_lora=True, relora=True, jagged_restart_steps=20, max_steps=40)[0] == []
    usage = shutil.disk_usage("/")._replace(free=4 * 1024**2)
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage)
    assert planned(merge_lora=True)[1] == ["The merged model takes about 6 MiB and the disk has 4 MiB free."]


def test_what_goes_wrong_is_a_warning_and_the_adapter_stays(
    trained: Callable[..., tuple[Config, Run]],
    events: Callable[[Run, str], list[dict[str, Any]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    config, run = trained()  # an adapter without weights
    with RunWriter(run.directory) as writer:
        writer.emit("step", step=3, total_steps=3)
        merge_at_end(config, run.directory, writer, Interrupts())
    [warning] = events(run, "warning")
    assert warning["message"].startswith("The adapter was not merged: The adapter '")
    assert warning["fix"] == "ft merge-lora poet"
    assert "error: The adapter '" in capsys.readouterr().out
    assert run.state == "completed"
    assert not (run.directory / "merged").exists()


@pytest.mark.parametrize("by_signal", [True, False])
def test_a_stop_ends_it(
    by_signal: bool,
    trained: Callable[..., tuple[Config, Run]],
    events: Callable[[Run, str], list[dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A merge that would last for ever, as a large model's may seem to.
    slow = tmp_path / "slow"
    slow.write_text("#!/bin/sh\nexec sleep 600\n")
    slow.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(slow))
    config, run = trained()
    interrupts = Interrupts()
    with RunWriter(run.directory) as writer:
        if by_signal:
            interrupts.received = True
        else:
            (run.directory / "control").mkdir(exist_ok=True)
            (run.directory / "control" / "stop").touch()
        merge_at_end(config, run.directory, writer, interrupts)
    [warning] = events(run, "warning")
    assert warning["message"] == "The adapter was not merged: the run was asked to stop."
    assert warning["fix"] == "ft merge-lora poet"
    assert events(run, "merged") == []


def test_a_run_without_an_adapter_has_nothing_to_merge(
    trained: Callable[..., tuple[Config, Run]], events: Callable[[Run, str], list[dict[str, Any]]]
) -> None:
    config, run = trained("config.json", adapter=...)
    with RunWriter(run.directory) as writer:
        merge_at_end(config, run.directory, writer, Interrupts())
    assert events(run, "phase") == []
