"""Signals, noted by a rank that is alone and by one of several; the runs that stop by them are in test_worker and test_ranks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ft_core.train.interrupts import Interrupts

ONE_OF_TWO = """
import os, signal, sys, time
from ft_core.train.interrupts import Interrupts

with Interrupts(world_size=2) as interrupts:
    os.kill(os.getpid(), signal.SIGTERM)
    until = time.monotonic() + 30
    while not interrupts.received and time.monotonic() < until:
        time.sleep(0.01)
    print("noted" if interrupts.received else "not noted", flush=True)
    if sys.argv[1] == "2":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(30)
"""


@pytest.mark.parametrize("world_size", [1, 2])
def test_a_signal_is_noted_and_its_handler_put_back(world_size: int) -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts(world_size) as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        until = time.monotonic() + 30
        while not interrupts.received:
            assert time.monotonic() < until
            time.sleep(0.01)
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.set_wakeup_fd(-1) == -1


@pytest.mark.parametrize(
    ("ranks", "signals", "status", "said"),
    [
        ("1", 1, 0, "noted\n"),
        # torchrun has started more ranks than still live: one has died, and this signal is torchrun's.
        ("99", 1, 143, ""),
        ("1", 2, 143, "noted\n"),
    ],
)
def test_one_of_several_ranks(ranks: str, signals: int, status: int, said: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ONE_OF_TWO, str(signals)],
        env={**os.environ, "LOCAL_WORLD_SIZE": ranks},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (status, said), done.stderr
