"""Batches of rows sieved by several threads and processes, in order.

The tokenizers library lets other threads run while it works, and that is most of the work, so threads are what begins. More
than about three of them gain nothing, so processes follow when `PATIENCE` has passed and rows are left; until the first of
them is ready the threads go on.

The processes are new ones, never forked: a fork of a process with threads, or with a GPU in use, hangs or fails
(https://github.com/pytorch/pytorch/issues/85841). Starting one takes about a second of a core, to import transformers.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any, cast

from ft_core.config.schema.dataset_type import FunctionSource, is_function
from ft_core.data.sieve import Sieved, batch_sieve
from ft_core.data.tokenize import NumberedRow
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

PATIENCE = 4.0
"""Seconds of work in this process before others are started: what they take to start is soon made up for."""

THREADS = 3
"""How many threads work at most: what a row takes besides the tokenizer is about a third, which one thread does at a time."""

AHEAD = 4
"""Batches for each process that may wait for an earlier one to be done."""

_START = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); sys.path[:] = {path!r}; "
    "from ft_core.data.worker_process import main; main({descriptor}, {job!r})"
)
"""What a process runs. Modules are found where this process finds them; a script that called us is not run again."""


def sieve_batches(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    batches: Iterable[Sequence[NumberedRow]],
    *,
    processes: int,
) -> Generator[Sieved]:
    """Yield what is kept of each batch, in their order, whatever the number of processes.

    Close the generator to end the processes; they also end with it, and with this process.

    Parameters
    ----------
    config, tokenizer, dataset
        As for `ft_core.data.sieve.batch_sieve`.
    batches
        Read in this process, and no further ahead than the processes need.
    processes
        How many work at most; with 1, this one alone.

    Raises
    ------
    DataError
        What sieving raises, for the first batch that it raises for; or a process died.
    """
    sieve = batch_sieve(config, tokenizer, dataset)
    remaining = iter(batches)
    if processes == 1:
        yield from map(sieve, remaining)
        return
    kind = dataset.type
    function = isinstance(kind, FunctionSource) or (isinstance(kind, str) and is_function(kind))
    # A function of the user's may be no friend of threads.
    threads = 1 if function else min(processes, THREADS)
    until = time.monotonic() + PATIENCE
    yield from _in_threads(sieve, remaining, threads, lambda: time.monotonic() < until)
    first = next(remaining, None)
    if first is None:
        return
    remaining = chain([first], remaining)
    with Workers((_without_tables(config), tokenizer, dataset.with_table(None)), processes) as workers:
        yield from _in_threads(sieve, remaining, threads, lambda: not workers.ready)
        yield from workers.map(remaining)


def _in_threads(
    sieve: Callable[[Sequence[NumberedRow]], Sieved],
    batches: Iterator[Sequence[NumberedRow]],
    count: int,
    goes_on: Callable[[], bool],
) -> Generator[Sieved]:
    """Yield what is kept of each batch, in their order, and take no further one when `goes_on` says no."""
    with ThreadPoolExecutor(count) as pool:
        futures: deque[Future[Sieved]] = deque()
        try:
            while True:
                while len(futures) <= count and goes_on() and (batch := next(batches, None)) is not None:
                    futures.append(pool.submit(sieve, batch))
                if not futures:
                    return
                yield futures.popleft().result()
        finally:
            for future in futures:
                future.cancel()


class Workers:
    """Processes that sieve, for the length of a block.

    Parameters
    ----------
    job
        The arguments of `ft_core.data.sieve.batch_sieve`.
    count
        How many processes.
    """

    def __init__(self, job: tuple[Any, ...], count: int) -> None:
        self._job = job
        self._count = count
        self._idle: list[_Worker] = []
        # What each of them is at: the number of a batch, or None while it starts.
        self._busy: dict[Connection, tuple[_Worker, int | None]] = {}
        self._resources = ExitStack()

    def __enter__(self) -> Workers:
        with ExitStack() as resources:
            file = resources.enter_context(NamedTemporaryFile(prefix="ft-tokenize-"))
            pickle.dump(self._job, file)
            file.flush()
            for _ in range(self._count):
                worker = _start(file.name)
                resources.callback(worker.end)
                self._busy[worker.connection] = (worker, None)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._resources.close()

    @property
    def ready(self) -> bool:
        """Whether one of them waits for work."""
        self._receive({}, 0)
        return bool(self._idle)

    def map(self, batches: Iterator[Sequence[NumberedRow]]) -> Iterator[Sieved]:
        """Yield what is kept of each batch, in their order."""
        answers: dict[int, Sieved | Exception] = {}
        sent = given = 0
        while True:
            while self._idle and sent - given < AHEAD * self._count:
                batch = next(batches, None)
                if batch is None:
                    break
                self._send(batch, sent)
                sent += 1
            if given == sent:
                return
            if given not in answers:
                self._receive(answers, None)
                continue
            answer = answers.pop(given)
            given += 1
            if isinstance(answer, Exception):
                raise answer
            yield answer

    def _send(self, batch: Sequence[NumberedRow], number: int) -> None:
        """Give a batch to a process that waits for one."""
        worker = self._idle.pop()
        try:
            worker.connection.send(batch)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise worker.death() from error
        self._busy[worker.connection] = (worker, number)

    def _receive(self, answers: dict[int, Sieved | Exception], patience: float | None) -> None:
        """Take what has come; without patience (None), wait until something has."""
        for connection in wait(list(self._busy), patience):
            worker, number = self._busy[cast("Connection", connection)]
            try:
                answer = worker.connection.recv()
            except (EOFError, ConnectionResetError) as error:
                raise worker.death() from error
            del self._busy[worker.connection]
            self._idle.append(worker)
            if number is not None:
                answers[number] = answer


@dataclass(frozen=True)
class _Worker:
    """A process, and the connection to it."""

    process: subprocess.Popen[bytes]
    connection: Connection

    def end(self) -> None:
        """End the process, whatever it is at."""
        self.connection.close()
        self.process.kill()
        self.process.wait()

    def death(self) -> DataError:
        """Return the error for a process that ended unasked."""
        status = self.process.wait()
        how = f"was killed (signal {-status})" if status < 0 else f"ended with status {status}"
        return DataError(
            f"A process that tokenizes {how}.",
            "If memory was short, lower dataset_num_proc; else the lines above, or the end of the run's log, say why.",
        )


def _start(job: str) -> _Worker:
    ours, theirs = Pipe()
    with theirs:
        descriptor = theirs.fileno()
        command = _START.format(path=sys.path, descriptor=descriptor, job=job)
        process = subprocess.Popen(
            [sys.executable, "-c", command], stdin=subprocess.DEVNULL, pass_fds=[descriptor]
        )
    return _Worker(process, ours)


def _without_tables(config: Config) -> Config:
    """Return `config` without the rows of notebook variables, which a process that gets batches has no use for."""
    values = {
        key: tuple(dataset.with_table(None) for dataset in getattr(config, key))
        for key in ("datasets", "test_datasets")
    }
    return config.model_copy(update=values)
