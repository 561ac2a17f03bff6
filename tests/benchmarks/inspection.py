"""How fast an inspector answers: `python tests/benchmarks/inspection.py [rows [scanned]]`.

A million conversations of two messages, made of the Devil's Dictionary, in one file of JSON Lines (about 400 MB), with
SmolLM2's tokenizer and ChatML: what it takes to open the file, to see its first 40 rows, to look at the first one (the
libraries' import and the tokenizer's loading included) and at others, to search all rows, and to scan 100,000 of them. While
the scan goes on, the main thread of this process wakes every 5 ms, as a kernel that answers messages does; how late it wakes
is told beside the same without a scan.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from ft_core.config import Config, load_config
from ft_core.inspection.inspection import Inspection, open_inspection
from ft_core.models.demo import demo_model

ROWS = 1_000_000
SCANNED = 100_000
SOURCE = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"
BEAT = 0.005


def main() -> None:
    """Print the figures."""
    rows, few, *_ = [*map(int, sys.argv[1:]), *(ROWS, SCANNED)[len(sys.argv) - 1 :]]
    with tempfile.TemporaryDirectory() as folder:
        large, small = Path(folder) / "large.jsonl", Path(folder) / "small.jsonl"
        write_rows(large, rows)
        write_rows(small, few)
        inspection, seconds = timed(lambda: open_inspection(config_of(large)))
        tell(f"open {rows:,} rows ({large.stat().st_size / 1e6:.0f} MB)", seconds)
        tell("preview of 40 rows", timed(lambda: [inspection.rows.preview(place) for place in range(40)])[1])
        tell("first look, import and tokenizer included", timed(lambda: inspection.look(0))[1])
        tell(
            "another look", statistics.median(timed(partial(inspection.look, at))[1] for at in range(1, 100))
        )
        for text in ("cynic", "Hümbug", "number 4321 of"):
            inspection.start_search(text)
            job = inspection.wait("search")
            tell(f"search for {text!r}: {len(inspection.matches):,} rows", job.seconds)
        scanned = open_inspection(config_of(small))
        late = lateness(lambda: False, 400)
        print(f"main thread wakes late, alone: {late}")
        scanned.start_scan()
        late = lateness(lambda: told(scanned) != "running", None)
        job = scanned.jobs["scan"]
        tell(f"scan of {job.done:,} rows ({job.done / job.seconds:,.0f} rows/s)", job.seconds)
        print(f"main thread wakes late, during the scan: {late}")
        tell("findings, summary and counts of all of them", timed(lambda: scanned.results.findings)[1])
        scanned = open_inspection(config_of(small))
        scanned.start_scan()
        while not told(scanned, after=1):
            time.sleep(BEAT)
        tell("cancel", timed(lambda: (scanned.cancel("scan"), scanned.wait("scan")))[1])


def told(inspection: Inspection, after: int = 0) -> Any:
    """Return the state of the scan; with `after`, whether it has looked at so many rows."""
    job = inspection.jobs["scan"]
    return job.done >= after if after else job.state


def lateness(is_over: Callable[[], bool], beats: int | None) -> str:
    """Return how late this thread wakes, in milliseconds: the median, the 99th percentile and the latest."""
    late: list[float] = []
    while not is_over() and (beats is None or len(late) < beats):
        began = time.perf_counter()
        time.sleep(BEAT)
        late.append(1000 * (time.perf_counter() - began - BEAT))
    late.sort()
    return f"{statistics.median(late):.1f} ms, {late[int(0.99 * len(late))]:.1f} ms, {late[-1]:.1f} ms"


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """Return what a function returns, and the seconds it took."""
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def tell(what: str, seconds: float) -> None:
    """Print a figure."""
    print(f"{what}: {seconds:.2f} s" if seconds > 0.1 else f"{what}: {1000 * seconds:.1f} ms", flush=True)


def config_of(path: Path) -> Config:
    """Return a config that trains on a file."""
    return load_config(
        {
            "base_model": str(demo_model()),
            "learning_rate": 1e-4,
            "sequence_len": 2048,
            "datasets": [{"path": str(path), "type": "chat_template"}],
        }
    )


def write_rows(path: Path, rows: int) -> None:
    """Write conversations, no two of them alike."""
    pairs = [json.loads(line)["messages"] for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as stream:
        for number in range(rows):
            question, answer = (dict(message) for message in draw.choice(pairs))
            question["content"] = f"{question['content']} This is number {number} of them."
            stream.write(json.dumps({"messages": [question, answer]}) + "\n")


if __name__ == "__main__":
    main()
