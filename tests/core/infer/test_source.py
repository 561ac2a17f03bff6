"""Which weights a chat talks to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ft_core.errors import ModelError, RunError
from ft_core.infer.source import Source, find_source
from ft_core.runs import Run, RunWriter


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return folder(tmp_path / "base", "config.json", "model.safetensors")


def folder(path: Path, *files: str) -> Path:
    path.mkdir(parents=True)
    for name in files:
        (path / name).write_text("{}")
    return path


def test_a_run_offers_its_final_adapter_and_the_base(make_run: Callable[..., Run], base: Path) -> None:
    run = make_run(base)
    folder(run.directory / "checkpoints" / "checkpoint-5", "adapter_config.json")
    folder(run.final, "adapter_config.json")
    found = find_source(run)
    assert found == Source(
        base=str(base), tuned=str(run.final), adapter=True, config=str(run.directory / "resolved.yaml")
    )
    assert found.choices == ("tuned", "base")
    assert find_source(run.directory) == found
    assert find_source(str(run.directory)) == found


def test_without_final_weights_the_newest_checkpoint_by_its_number(
    make_run: Callable[..., Run], base: Path
) -> None:
    run = make_run(base)
    for step in (9, 10):
        folder(run.directory / "checkpoints" / f"checkpoint-{step}", "adapter_config.json")
    assert find_source(run).tuned == str(run.directory / "checkpoints" / "checkpoint-10")


def test_a_run_that_trains_and_has_saved_nothing_says_where_it_is(
    make_run: Callable[..., Run], base: Path
) -> None:
    run = make_run(base, over=False)
    with RunWriter(run.directory), pytest.raises(RunError) as caught:
        find_source(run)
    assert caught.value.message == "Run 'poet' has saved no checkpoint yet: running, started just now."
    assert caught.value.fix == "Wait until it is done, or ask for a checkpoint now with run.checkpoint()."


def test_a_run_that_ended_without_weights_says_how_it_ended(make_run: Callable[..., Run], base: Path) -> None:
    with pytest.raises(
        RunError, match=r"Run 'poet' saved no model that could be talked to: completed just now"
    ):
        find_source(make_run(base))


def test_an_adapter_needs_its_base(make_run: Callable[..., Run], tmp_path: Path) -> None:
    run = make_run(tmp_path / "gone")
    folder(run.final, "adapter_config.json")
    with pytest.raises(ModelError, match=r"The base model folder '.*gone' does not exist"):
        find_source(run)


def test_a_whole_model_does_without_its_base(
    make_run: Callable[..., Run], base: Path, tmp_path: Path
) -> None:
    for where, choices in ((base, ("tuned", "base")), (tmp_path / "gone", ("tuned",))):
        run = make_run(where)
        folder(run.final, "config.json", "model.safetensors")
        found = find_source(run)
        assert (found.choices, found.adapter) == (choices, False)


def test_the_folder_of_a_model_has_no_tuned_one(base: Path) -> None:
    assert find_source(base) == Source(base=str(base))
    assert find_source(str(base)).choices == ("base",)


def test_the_folder_of_an_adapter_names_its_base(tmp_path: Path) -> None:
    adapter = folder(tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/model"}))
    assert find_source(adapter) == Source(base="org/model", tuned=str(adapter), adapter=True)


def test_a_name_that_is_no_folder_is_a_hub_id() -> None:
    assert find_source("HuggingFaceTB/SmolLM2-135M-Instruct") == Source("HuggingFaceTB/SmolLM2-135M-Instruct")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "none", "The folder '{root}/none' does not exist."),
        (lambda root: str(root / "none"), "The folder '{root}/none' does not exist."),
        (
            lambda root: root,
            "'{root}' holds neither a run nor a model: it has no resolved.yaml, adapter_config.json or config.json.",
        ),
        (
            lambda root: folder(root / "a", "adapter_config.json"),
            "The adapter '{root}/a' does not say which model it belongs to.",
        ),
    ],
)
def test_what_is_no_model_is_said(make: Callable[[Path], Path | str], message: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        find_source(make(tmp_path))
    assert caught.value.message == message.format(root=tmp_path)
