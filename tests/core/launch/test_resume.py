"""Which checkpoint a config goes on from by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ft_core.config import Config, load_config
from ft_core.errors import LaunchError, RunError
from ft_core.launch import launch, process
from ft_core.launch.resume import with_checkpoint
from ft_core.runs import Run, RunWriter, create_run

MakeConfig = Callable[..., Config]


@pytest.fixture
def make_config(tmp_path: Path) -> MakeConfig:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')

    def make(**keys: Any) -> Config:
        given = {
            "base_model": "org/model",
            "datasets": [{"path": str(tmp_path / "rows.jsonl"), "type": "completion"}],
            "learning_rate": 1e-4,
            "auto_resume_from_checkpoints": True,
            **keys,
        }
        return load_config(given)

    return make


@pytest.fixture
def ended(runs_root: Path) -> Callable[..., Run]:
    """Return a function that makes a run of a config, with checkpoints, that has ended."""

    def make(name: str, config: Config, state: str, *steps: int, lacks: str = "") -> Run:
        run = create_run(name, config_text="", resolved_text=config.to_yaml(absolute_paths=True), plan={})
        for step in steps:
            folder = run.directory / "checkpoints" / f"checkpoint-{step}"
            folder.mkdir(parents=True)
            for file in {"trainer_state.json", "optimizer.pt", "scheduler.pt"} - {lacks}:
                (folder / file).touch()
        try:
            with RunWriter(run.directory) as writer:
                if state == "stopped":
                    run.stop()
                    assert writer.requested("stop")
                if state == "failed":
                    raise RunError("No.")
        except RunError:
            pass
        assert run.state == state
        return run

    return make


def found(config: Config) -> str | None:
    """Return the checkpoint that a config goes on from, as run/checkpoint."""
    path = with_checkpoint(config).resume_from_checkpoint
    return "/".join((Path(path).parts[-3], Path(path).parts[-1])) if path else None


def test_the_newest_checkpoint_of_the_run_that_broke_off(
    make_config: MakeConfig, ended: Callable[..., Run]
) -> None:
    ended("one", make_config(), "stopped", 5, 10, 9)
    assert found(make_config()) == "one/checkpoint-10"
    ended("two", make_config(), "failed", 20)
    assert found(make_config()) == "two/checkpoint-20"
    ended("nothing-saved", make_config(), "failed")
    assert found(make_config()) == "two/checkpoint-20"
    ended("weights-alone", make_config(), "failed", 30, lacks="optimizer.pt")
    assert found(make_config()) == "two/checkpoint-20"
    # It went on, to its end: the next one is another training.
    resumed = with_checkpoint(make_config())
    ended("rest", resumed, "completed", 40)
    assert found(make_config()) is None


@pytest.mark.parametrize(
    ("keys", "same"),
    [
        ({"learning_rate": 2e-4}, False),
        ({"max_steps": 7}, False),
        ({"base_model": "org/other"}, False),
        ({"output_dir": "/elsewhere", "save_total_limit": 2, "logging_steps": 7}, True),
    ],
)
def test_runs_of_another_config(
    keys: dict[str, Any], same: bool, make_config: MakeConfig, ended: Callable[..., Run]
) -> None:
    ended("one", make_config(**keys), "stopped", 5)
    assert found(make_config()) == ("one/checkpoint-5" if same else None)


def test_nothing_to_go_on_from(make_config: MakeConfig, runs_root: Path) -> None:
    assert found(make_config()) is None
    (runs_root / "strange").mkdir(parents=True)
    (runs_root / "strange" / "resolved.yaml").write_text("a: [")
    assert found(make_config()) is None


def test_only_where_it_is_asked_for(
    make_config: MakeConfig, ended: Callable[..., Run], tmp_path: Path
) -> None:
    ended("one", make_config(), "stopped", 5)
    assert found(make_config(auto_resume_from_checkpoints=False)) is None
    named = make_config(resume_from_checkpoint=str(tmp_path))
    assert with_checkpoint(named) is named


def test_a_run_that_is_still_going_on(make_config: MakeConfig, runs_root: Path) -> None:
    run = create_run("one", config_text="", resolved_text=make_config().to_yaml(absolute_paths=True), plan={})
    with RunWriter(run.directory), pytest.raises(LaunchError) as raised:
        with_checkpoint(make_config())
    assert raised.value.message.startswith("Run 'one' of this config is still going on: ")


def test_a_variable_of_a_notebook(make_config: MakeConfig, runs_root: Path) -> None:
    text = "base_model: a/b\nlearning_rate: 1\ndatasets: [{path: $rows, type: completion}]\nauto_resume_from_checkpoints: true"
    config = load_config(text, variables={"rows": [{"text": "a"}]})
    with pytest.raises(LaunchError) as raised:
        with_checkpoint(config)
    assert raised.value.message == (
        "auto_resume_from_checkpoints cannot know whether '$rows' is what the last run trained on."
    )


def test_a_run_is_not_overwritten_by_the_one_that_goes_on_from_it(
    make_config: MakeConfig, ended: Callable[..., Run], tiny_model: Path
) -> None:
    config = make_config(base_model=str(tiny_model))
    run = ended("one", config, "stopped", 5)
    with pytest.raises(RunError) as raised:
        launch(config, "one", overwrite=True)
    checkpoint = run.directory / "checkpoints" / "checkpoint-5"
    assert (
        raised.value.message
        == f"Run 'one' cannot be overwritten: '{checkpoint}', which is trained on, is in it."
    )


def test_an_adapter_that_training_goes_on_from_is_looked_at_first(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its files say is in the config that the last run was started with."""
    own = make_config(adapter="lora", lora_r=5)

    def adopted(_config: Config, _start: object) -> Config:
        return own

    def look(config: Config, _root: Path | None) -> Config:
        assert config is own
        raise LaunchError("Looked.")

    monkeypatch.setattr(process, "adopted", adopted)
    monkeypatch.setattr(process, "with_checkpoint", look)
    with pytest.raises(LaunchError, match="Looked"):
        launch(make_config(adapter="lora"))
