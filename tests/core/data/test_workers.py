"""Several processes give what one gives, in its order, and end with it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from ft_core.config import Config
from ft_core.data import workers
from ft_core.data.workers import sieve_batches
from ft_core.errors import DataError

MakeConfig = Callable[..., Config]
Batch = list[tuple[int, dict[str, str]]]

FUNCTION = """
import os, signal

def killed(row):
    if row["text"] == "Number 700.":
        os.kill(os.getpid(), signal.SIGKILL)
    return "Which?", row["text"]
"""

THREADS = """
import threading

seen = set()

def threads(row):
    seen.add(threading.get_ident())
    return "Which?", str(len(seen))
"""

SLOW = """
import time
from pathlib import Path

def slow(row):
    if row["text"] == "Number 50.":
        # Until as many batches were taken as may be ahead of it.
        until = time.monotonic() + 60
        while not Path(__file__).with_name("taken").exists() and time.monotonic() < until:
            pass
    return "Which?", row["text"]
"""


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes after the first batch."""
    monkeypatch.setattr(workers, "PATIENCE", 0.0)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process do nothing more until another one is ready."""
    monkeypatch.setattr(
        workers.Workers, "ready", property(lambda self: self._idle or self._receive({}, None) or True)
    )


def batches(count: int, size: int = 50) -> Iterator[Batch]:
    """Yield batches of rows whose text tells their number."""
    for start in range(0, count, size):
        yield [(number, {"text": f"Number {number}."}) for number in range(start, start + size)]


def facts(sieved: Any) -> list[Any]:
    fields = [getattr(sieved.block, name) for name in sieved.block.__dataclass_fields__]
    return [*(each.tolist() if isinstance(each, np.ndarray) else each for each in fields), sieved.tally]


def children() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "worker_process" in " ".join(child.cmdline())]


@pytest.mark.usefixtures("waiting")
def test_two_processes_give_what_one_gives(make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config({"type": "completion"}, min_sample_len=5)
    one, two = (
        [
            facts(each)
            for each in sieve_batches(config, tokenizer, config.datasets[0], batches(2000), processes=count)
        ]
        for count in (1, 2)
    )
    assert len(one) == 40
    assert one == two
    assert children() == []


@pytest.mark.usefixtures("waiting")
def test_a_slow_batch_keeps_no_other_from_being_done_but_only_so_many(
    make_config: MakeConfig, tokenizer: Any, tmp_path: Path
) -> None:
    (tmp_path / "function.py").write_text(SLOW)
    config = make_config({"type": f"{tmp_path}/function.py:slow"})
    taken: list[int] = []
    ahead: list[int] = []

    def source() -> Iterator[Batch]:
        for batch in batches(1500):
            taken.append(batch[0][0])
            if len(taken) == 1 + 2 * workers.AHEAD:
                (tmp_path / "taken").touch()
            yield batch

    for given, _ in enumerate(sieve_batches(config, tokenizer, config.datasets[0], source(), processes=2), 1):
        ahead.append(len(taken) - given)
    assert len(ahead) == 30
    # The slow batch is one of them.
    assert max(ahead) == 2 * workers.AHEAD - 1


@pytest.mark.usefixtures("waiting")
def test_rows_are_read_no_further_ahead_than_needed(make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config({"type": "completion"})
    taken: list[int] = []
    source = (taken.append(batch[0][0]) or batch for batch in batches(5000))
    with closing(sieve_batches(config, tokenizer, config.datasets[0], source, processes=2)) as results:
        for _ in range(3):
            next(results)
        assert len(children()) == 2
    assert len(taken) <= 3 + 2 * workers.AHEAD
    assert children() == []


def test_threads_give_what_one_process_gives_and_take_no_more_than_they_need(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 60.0)
    monkeypatch.setattr(workers, "Workers", None)
    config = make_config({"type": "completion"}, min_sample_len=5)
    dataset = config.datasets[0]
    one = [facts(each) for each in sieve_batches(config, tokenizer, dataset, batches(2000), processes=1)]
    taken: list[int] = []
    source = (taken.append(batch[0][0]) or batch for batch in batches(2000))
    several: list[Any] = []
    for given, each in enumerate(sieve_batches(config, tokenizer, dataset, source, processes=8)):
        assert len(taken) - given <= workers.THREADS + 1
        several.append(facts(each))
    assert several == one


def test_a_function_of_the_users_is_called_in_one_thread(
    make_config: MakeConfig, tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 60.0)
    (tmp_path / "function.py").write_text(THREADS)
    config = make_config({"type": f"{tmp_path}/function.py:threads"})
    results = sieve_batches(config, tokenizer, config.datasets[0], batches(1000), processes=8)
    texts = {text for each in results for text in each.block.texts}
    assert texts == {b"Which?1<|im_end|>"}


def test_rows_that_are_not_wanted_are_not_waited_for(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 60.0)
    config = make_config({"type": "completion"})
    taken: list[int] = []
    source = (taken.append(batch[0][0]) or batch for batch in batches(5000))
    with closing(sieve_batches(config, tokenizer, config.datasets[0], source, processes=2)) as results:
        next(results)
    assert len(taken) == 3


def test_one_process_starts_no_other(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "Workers", None)
    config = make_config({"type": "completion"})
    results = sieve_batches(config, tokenizer, config.datasets[0], batches(200), processes=1)
    assert sum(each.tally.samples for each in results) == 200


def test_a_small_set_starts_no_other(
    make_config: MakeConfig, tokenizer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "PATIENCE", 60.0)
    monkeypatch.setattr(workers, "Workers", None)
    config = make_config({"type": "completion"})
    results = sieve_batches(config, tokenizer, config.datasets[0], batches(200), processes=8)
    assert sum(each.tally.samples for each in results) == 200


@pytest.mark.usefixtures("waiting")
def test_the_first_row_that_is_wrong_is_named(make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config({"type": "completion"})

    def some_wrong() -> Iterator[Any]:
        for batch in batches(1000):
            yield [(number, {"text": 5} if number in (500, 501, 700) else row) for number, row in batch]

    with pytest.raises(DataError) as caught:
        list(sieve_batches(config, tokenizer, config.datasets[0], some_wrong(), processes=2))
    assert caught.value.message.startswith("some/rows, row 501: ")
    assert children() == []


@pytest.mark.usefixtures("waiting")
def test_a_process_that_dies_is_a_sentence(make_config: MakeConfig, tokenizer: Any, tmp_path: Path) -> None:
    (tmp_path / "function.py").write_text(FUNCTION)
    config = make_config({"type": f"{tmp_path}/function.py:killed"})
    with pytest.raises(DataError) as caught:
        list(sieve_batches(config, tokenizer, config.datasets[0], batches(1000), processes=2))
    assert caught.value.message == "A process that tokenizes was killed (signal 9)."
    assert caught.value.fix.startswith("If memory was short, lower dataset_num_proc;")
    assert children() == []


@pytest.mark.usefixtures("waiting")
def test_a_fault_of_ours_is_told_with_its_traceback(make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config({"type": "completion"})
    no_rows: Any = [(0, 5)]
    given = [*batches(100), no_rows]
    with pytest.raises(RuntimeError, match=r"Traceback[\s\S]*TypeError: 'int' object is not iterable"):
        list(sieve_batches(config, tokenizer, config.datasets[0], given, processes=2))
    assert children() == []


@pytest.mark.usefixtures("waiting")
def test_an_interrupt_ends_them(make_config: MakeConfig, tokenizer: Any) -> None:
    config = make_config({"type": "completion"})
    held: list[int] = []

    def interrupted() -> Iterator[Batch]:
        for batch in batches(5000):
            if batch[0][0] == 500:
                held.append(len(children()))
                raise KeyboardInterrupt
            yield batch

    with pytest.raises(KeyboardInterrupt):
        list(sieve_batches(config, tokenizer, config.datasets[0], interrupted(), processes=2))
    assert held == [2]
    assert children() == []


def test_they_end_when_their_parent_is_killed(demo_model: Path, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    # Without the guard that multiprocessing asks for: a notebook and many a script have none.
    script.write_text(f"""
import os, psutil, signal
from transformers import AutoTokenizer
from ft_core.config import load_config
from ft_core.data import workers
workers.PATIENCE = 0.0
tokenizer = AutoTokenizer.from_pretrained({str(demo_model)!r})
config = load_config({{"base_model": "a/b", "learning_rate": 1e-4, "datasets": [{{"path": "a/b", "type": "completion"}}]}})
batch = [(0, {{"text": "One."}})]
results = workers.sieve_batches(config, tokenizer, config.datasets[0], iter(lambda: batch, None), processes=2)
next(results); next(results)
print(*(child.pid for child in psutil.Process().children()), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
""")
    killed = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False)
    pids = [int(word) for word in killed.stdout.split()]
    assert (killed.returncode, len(pids)) == (-9, 2), killed.stderr
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    _, left = psutil.wait_procs(alive, timeout=60)
    assert [process for process in left if process.status() != psutil.STATUS_ZOMBIE] == []
