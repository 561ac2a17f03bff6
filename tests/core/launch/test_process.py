from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from ft_core.config import Config, load_config
from ft_core.errors import DataError, LaunchError, ModelError, RunError
from ft_core.launch import launch, process
from ft_core.launch.process import count_ranks, worker_command, worker_environment
from ft_core.models.hardware import Device, Hardware
from ft_core.runs import Run, RunWriter
from ft_core.train import make_plan

GIB = 1024**3
CPU = Hardware("cpu", (), 8, 16 * GIB, 8 * GIB)
T4 = Device("Tesla T4", 15 * GIB, 14 * GIB, (7, 5))
TWO_GPUS = Hardware("cuda", (T4, T4), 8, 16 * GIB, 8 * GIB)
PATIENCE = 90


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something has happened, or fail."""
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it did not happen"
        time.sleep(0.05)


def has_event(run: Run, kind: str) -> bool:
    return any(event["type"] == kind for event in run.events()[0])


@pytest.mark.parametrize(
    ("gpus", "hardware", "ranks"),
    [(None, CPU, 1), (2, CPU, 2), (None, TWO_GPUS, 2), (1, TWO_GPUS, 1), (2, TWO_GPUS, 2)],
)
def test_ranks(gpus: int | None, hardware: Hardware, ranks: int) -> None:
    assert count_ranks(gpus, hardware) == ranks


@pytest.mark.parametrize(
    ("gpus", "message"),
    [(3, "3 GPUs are asked for, and 2 are visible: 2x Tesla T4."), (0, "gpus must be at least 1, not 0.")],
)
def test_ranks_that_cannot_be(gpus: int, message: str) -> None:
    with pytest.raises(LaunchError) as raised:
        count_ranks(gpus, TWO_GPUS)
    assert raised.value.message == message


def test_the_environment_of_a_kernel_stays_behind() -> None:
    kernel = {
        "PATH": "/bin",
        "HF_HOME": "/models",
        "HF_TOKEN": "secret of the user's own",
        "CUDA_VISIBLE_DEVICES": "1,0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "JPY_PARENT_PID": "1",
        "JUPYTERHUB_API_TOKEN": "secret of the hub",
        "FORCE_COLOR": "1",
        "WORLD_SIZE": "4",
        "RANK": "3",
        "ACCELERATE_USE_CPU": "true",
        "FT_RUN": "/other",
    }
    made = worker_environment(kernel, Path("/runs/a"), 1, TWO_GPUS)
    expected = {
        "PATH": "/bin",
        "HF_HOME": "/models",
        "HF_TOKEN": "secret of the user's own",
        "CUDA_VISIBLE_DEVICES": "1",
        "FT_RUN": "/runs/a",
        "PYTHONUNBUFFERED": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "OMP_WAIT_POLICY": "PASSIVE",
        "COMET_DISABLE_AUTO_LOGGING": "1",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    }
    assert {
        key: value for key, value in made.items() if key not in ("PYTHONPATH", "OMP_NUM_THREADS")
    } == expected


@pytest.mark.parametrize(
    ("hardware", "ranks", "visible"), [(TWO_GPUS, 1, "0"), (TWO_GPUS, 2, "0,1"), (CPU, 2, None)]
)
def test_each_rank_has_its_gpu(hardware: Hardware, ranks: int, visible: str | None) -> None:
    assert worker_environment({}, Path("/runs/a"), ranks, hardware).get("CUDA_VISIBLE_DEVICES") == visible


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"PYTORCH_CUDA_ALLOC_CONF": "backend:native"}, "backend:native"),
        ({"PYTORCH_ALLOC_CONF": "backend:native"}, None),
    ],
)
def test_the_allocator_stays_as_the_user_set_it(given: dict[str, str], expected: str | None) -> None:
    assert worker_environment(given, Path("/r"), 1, TWO_GPUS).get("PYTORCH_CUDA_ALLOC_CONF") == expected


def test_ranks_share_the_cores_unless_told_otherwise() -> None:
    assert worker_environment({}, Path("/r"), 2, CPU)["OMP_NUM_THREADS"] == "4"
    assert worker_environment({}, Path("/r"), 16, CPU)["OMP_NUM_THREADS"] == "1"
    assert worker_environment({"OMP_NUM_THREADS": "3"}, Path("/r"), 2, CPU)["OMP_NUM_THREADS"] == "3"
    assert (
        worker_environment({"OMP_WAIT_POLICY": "ACTIVE"}, Path("/r"), 1, CPU)["OMP_WAIT_POLICY"] == "ACTIVE"
    )


def test_commands() -> None:
    assert worker_command(Path("/runs/a"), 1) == [sys.executable, "-m", "ft_core.train", "/runs/a"]
    assert worker_command(Path("/runs/a"), 2) == [
        sys.executable,
        "-m",
        "ft_core.launch.ranks",
        "/runs/a",
        "2",
    ]


def test_launching_imports_no_torch() -> None:
    code = (
        "import sys, ft_core.launch; sys.exit(bool({'torch', 'transformers', 'datasets'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_plan_that_cannot_work_leaves_no_run(make_config: Callable[..., Config], runs_root: Path) -> None:
    with pytest.raises(ModelError, match="does not exist"):
        launch(make_config().model_copy(update={"base_model": "/nowhere/at/all"}))
    assert not runs_root.exists()


def test_a_process_that_does_not_start_is_a_failed_run(
    make_config: Callable[..., Config], runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(LaunchError, match="The training process cannot be started"):
        launch(make_config(), "refused")
    run = Run(runs_root / "refused")
    assert run.error is not None
    assert (run.state, run.error.traceback) == ("failed", None)


def no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let launches make their runs and start a process that does nothing."""
    monkeypatch.setattr(process, "worker_command", lambda *_: [sys.executable, "-c", ""])


def test_a_table_is_written_into_the_run_and_what_is_done_to_it_later_has_no_effect(
    make_config: Callable[..., Config], runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_process(monkeypatch)
    rows = [{"text": "one"}, {"text": "zwei", "more": None}]
    config = make_config(datasets=[{"path": rows, "type": "completion"}])
    run = launch(config, "table")
    assert run.plan["train_rows"] == 2
    rows[0]["text"] = "changed"
    rows.clear()
    file = run.directory / "data" / "datasets_0.jsonl"
    assert file.read_text() == '{"text": "one"}\n{"text": "zwei", "more": null}\n'
    resolved = load_config(run.directory / "resolved.yaml")
    assert [(entry.path, entry.table) for entry in resolved.datasets] == [(str(file), None)]
    assert "path: $datasets_0" in run.config_text
    # Another run of it needs no notebook either, and it alone reads from the first one.
    again = launch(resolved, "again")
    assert again.plan["train_rows"] == 2
    assert not (again.directory / "data").exists()


def test_a_table_that_cannot_be_written_leaves_no_run_and_the_one_it_would_replace(
    make_config: Callable[..., Config], runs_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_process(monkeypatch)
    # Further down than a plan looks.
    table = [{"text": "a"}] * 2000 + [{"text": {"b"}}]
    config = make_config(datasets=[{"path": table, "type": "completion"}])
    with pytest.raises(DataError, match=r"^\$datasets_0, row 2001, column 'text': a set cannot be written"):
        launch(config, "table")
    assert list(runs_root.iterdir()) == []
    first = launch(make_config(), "table")
    wait_for(lambda: not first.alive)
    with pytest.raises(DataError, match="a set cannot be written"):
        launch(config, "table", overwrite=True)
    assert (first.directory / "resolved.yaml").is_file()


@pytest.mark.parametrize("key", ["datasets", "test_datasets", "base_model"])
def test_a_run_is_not_replaced_by_one_that_reads_from_it(
    make_config: Callable[..., Config], runs_root: Path, key: str
) -> None:
    inside = runs_root / "table" / "data" / "rows.jsonl"
    inside.parent.mkdir(parents=True)
    inside.write_text('{"text": "one"}\n')
    value = str(inside.parent) if key == "base_model" else [{"path": str(inside), "type": "completion"}]
    with pytest.raises(RunError) as raised:
        launch(make_config(**{key: value}), "table", overwrite=True)
    shown = inside.parent if key == "base_model" else inside
    assert raised.value.message == (
        f"Run 'table' cannot be overwritten: '{shown}', which is trained on, is in it."
    )
    assert inside.is_file()


def test_a_plan_that_is_at_hand_is_not_worked_out_again(
    make_config: Callable[..., Config], started: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = make_plan(make_config())
    monkeypatch.setattr("ft_core.launch.process.make_plan", None)
    run = launch(make_config(), plan=plan)
    started.append(run)
    assert run.plan["trainable"] == plan.trainable == 16_384


def test_a_run_in_the_background(
    make_config: Callable[..., Config], started: list[Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own session, deaf to the folder it was started from; one name, one worker; and a stop that saves."""
    # A file beside the notebook that is called like a library must not be imported in its place.
    (tmp_path / "datasets.py").write_text("raise RuntimeError('not the library')")
    monkeypatch.chdir(tmp_path)
    begun = time.monotonic()
    run = launch(make_config(), "background")
    started.append(run)
    assert time.monotonic() - begun < 2
    assert (run.name, run.plan["trainable"], run.alive) == ("background", 16_384, True)
    with pytest.raises(RunError, match="There is already a run 'background'"):
        launch(make_config(), "background")
    wait_for(lambda: has_event(run, "step") or not run.alive)
    status = run.status()
    assert os.getsid(status.pid) == status.pid != os.getsid(0)
    assert psutil.Process(status.pid).environ()["FT_RUN"] == str(run.directory)
    with pytest.raises(RunError, match=f"Another process \\(pid {status.pid}\\) writes run 'background'"):
        RunWriter(run.directory).__enter__()
    run.stop()
    assert run.wait(timeout=PATIENCE) == "stopped"
    assert (run.final / "adapter_model.safetensors").is_file()
    assert "error" not in run.log_tail(200)


def test_a_killed_worker_is_lost_although_its_parent_lives(
    make_config: Callable[..., Config], started: list[Run]
) -> None:
    run = launch(make_config())
    started.append(run)
    wait_for(lambda: has_event(run, "phase") or not run.alive)
    pid = run.status().pid
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not run.alive)
    assert run.state == "lost"
    wait_for(lambda: not psutil.pid_exists(pid))  # reaped, although we never waited for it
