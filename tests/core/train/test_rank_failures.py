from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from ft_core.errors import DataError
from ft_core.runs import Run, RunWriter, create_run
from ft_core.train.rank_failures import OtherRanks, as_error, first_failure, leave_word, wait_for_end


def test_ranks_leave_word_and_the_first_counts(tmp_path: Path) -> None:
    assert first_failure(tmp_path) is None
    leave_word(tmp_path, 2, DataError("No rows.", "Add some."))
    leave_word(tmp_path, 1, RuntimeError("boom"))
    first = first_failure(tmp_path)
    assert first is not None
    assert (first.rank, first.message, first.fix, first.traceback) == (2, "No rows.", "Add some.", None)
    assert as_error(first).message == "No rows."


def test_a_fault_of_ours_on_another_rank_names_the_rank(tmp_path: Path) -> None:
    leave_word(tmp_path, 1, RuntimeError("boom"))
    assert "RuntimeError: boom" in json.loads((tmp_path / "rank-1.error.json").read_text())["traceback"]
    first = first_failure(tmp_path)
    assert first is not None
    assert as_error(first).message == "Rank 1 failed: RuntimeError: boom"


@pytest.fixture
def run(runs_root: Path) -> Run:
    return create_run("ranks", config_text="", resolved_text="", plan={})


def test_rank_0_ends_the_run_while_it_is_stuck(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    exited = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda status: exited.set())
    with RunWriter(run.directory, world_size=2) as writer:
        with OtherRanks(writer, 2):
            leave_word(run.directory, 1, DataError("Row 7 is broken.", "Mend it."))
            assert exited.wait(10)  # stands for an operation that waits for the other rank
            wait_for_end(run.directory)
            error = run.error
        assert error is not None
        assert (run.state, error.message, error.fix) == ("failed", "Row 7 is broken.", "Mend it.")
        # A real process has exited by now; here the block is left, which must not end the run once more.
        monkeypatch.setattr(writer, "_end", lambda error: None)


def test_one_rank_watches_nobody(run: Run) -> None:
    before = threading.active_count()
    with RunWriter(run.directory) as writer:
        beating = threading.active_count()
        with OtherRanks(writer, 1):
            assert threading.active_count() == beating == before + 1
