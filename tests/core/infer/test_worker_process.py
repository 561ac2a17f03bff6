"""The worker's life: it ends with its chat and never outlives the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import ft_core
from ft_core.errors import ModelError
from ft_core.infer import Chat

MESSAGES = [{"role": "user", "content": "Hi"}]
GONE = 10.0


def worker_of(chat: Chat) -> psutil.Process:
    return psutil.Process(chat._connection.pid)


def child_of(process: subprocess.Popen[str]) -> psutil.Process:
    (child,) = psutil.Process(process.pid).children()
    return child


@pytest.fixture
def notebook(tiny_model: Path) -> Iterator[subprocess.Popen[str]]:
    """Return a process, in a session of its own like a kernel's, that asks once and then waits for its input."""
    code = f"""
import sys
from ft_core.infer import Chat
chat = Chat({str(tiny_model)!r})
stream = chat.stream({MESSAGES!r}, temperature=1, max_new_tokens=100)
print("loading", flush=True)
for piece in stream:
    print("generating", flush=True)
print("idle", flush=True)
sys.stdin.read()
"""
    environment = {**os.environ, "PYTHONPATH": str(Path(ft_core.__file__).parents[1])}
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=environment,
    )
    yield process
    process.kill()
    process.wait()


def read_until(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(f"ended before it printed {word!r}")


@pytest.mark.parametrize("moment", ["loading", "generating", "idle"])
def test_a_killed_notebook_takes_its_worker_along(notebook: subprocess.Popen[str], moment: str) -> None:
    read_until(notebook, moment)
    child = child_of(notebook)
    notebook.send_signal(signal.SIGKILL)
    notebook.wait()
    assert psutil.wait_procs([child], GONE)[1] == []


def test_an_interrupt_of_the_notebooks_whole_group_does_not_reach_the_worker(
    notebook: subprocess.Popen[str],
) -> None:
    read_until(notebook, "loading")
    child = child_of(notebook)
    assert os.getsid(child.pid) == child.pid
    assert os.getpgid(child.pid) != os.getpgid(notebook.pid)


def test_close_ends_the_worker_in_the_middle_of_an_answer(tiny_model: Path) -> None:
    chat = Chat(tiny_model)
    child = worker_of(chat)
    stream = chat.stream(MESSAGES, temperature=1, max_new_tokens=450)
    next(stream)
    chat.close()
    assert not child.is_running()
    assert chat.status == "closed"
    with pytest.raises(ModelError, match="closed before the answer was complete"):
        list(stream)
    with pytest.raises(ModelError, match="This chat is closed"):
        chat.ask("Hi")
    chat.close()


def test_a_forgotten_chat_ends_its_worker(tiny_model: Path) -> None:
    chat = Chat(tiny_model)
    child = worker_of(chat)
    stream = chat.stream(MESSAGES, max_new_tokens=2, seed=1)
    del chat
    assert len("".join(stream)) > 0  # a stream is not to be forgotten
    del stream
    assert psutil.wait_procs([child], GONE)[1] == []


def test_a_worker_that_dies_is_told_with_the_reason(tiny_model: Path) -> None:
    with Chat(tiny_model) as chat:
        stream = chat.stream(MESSAGES, temperature=1, max_new_tokens=450)
        next(stream)
        worker_of(chat).kill()
        with pytest.raises(
            ModelError, match="process was killed; where nobody did that, the machine ran out of memory"
        ):
            list(stream)
        assert chat.status == "failed"
        with pytest.raises(ModelError, match="was killed"):
            chat.ask("Hi")


def test_a_worker_that_cannot_start_is_told_with_what_it_printed(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('no licence for this Python')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with Chat(tiny_model) as chat, pytest.raises(ModelError, match="no licence for this Python") as caught:
        chat.ask("Hi")
    assert "ended with exit code 1" in caught.value.message


def test_what_is_printed_never_comes_between_the_messages() -> None:
    code = (
        "import os, sys; from ft_core.infer.worker import _take_stdout; pipe = _take_stdout();"
        "print('from Python'); os.system('echo from C'); pipe.write(b'message')"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(ft_core.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, check=True)
    assert done.stdout == b"message"
    assert sorted(done.stderr.splitlines()) == [b"from C", b"from Python"]
