"""How long a step waits for streamed rows, with the next buffer made ahead and without: ``python tests/benchmarks/streaming.py``.

A device is played by sleeping, which leaves the processor to others as waiting for a GPU does.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from ft_core.config import load_config
from ft_core.data.stream import SampleStream
from ft_core.models.demo import demo_model
from ft_core.models.tokenizer import load_tokenizer
from ft_core.train import stream_batches

STEP_SECONDS = 0.08
BUFFERS = 4
ROWS = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"


def not_ahead(items: Generator[Any]) -> Generator[Any]:
    """Return the items as they are."""
    return items


def measure(file: Path, *, ahead: bool) -> tuple[int, float, float]:
    """Return the steps of some buffers, how long all of them waited after the first, and the longest wait."""
    made_ahead = stream_batches.made_ahead
    config = load_config(
        {
            "base_model": str(demo_model()),
            "learning_rate": 1e-4,
            "datasets": [{"path": str(file), "type": "chat_template"}],
            "streaming": True,
            "streaming_multipack_buffer_size": 1000,
            "max_steps": 1,
            "sample_packing": True,
            "sequence_len": 512,
            "micro_batch_size": 2,
        }
    )
    stream = SampleStream(config, load_tokenizer(config))
    rows = stream_batches.StreamedRows(config, stream, pad_token_id=0)
    waits: list[float] = []
    try:
        stream_batches.made_ahead = made_ahead if ahead else not_ahead
        batches = iter(rows)
        next(batches)
        while rows.position.place.buffers < BUFFERS:
            time.sleep(STEP_SECONDS)
            started = time.perf_counter()
            next(batches)
            waits.append(time.perf_counter() - started)
    finally:
        stream_batches.made_ahead = made_ahead
        rows.close()
    return len(waits), sum(waits), max(waits)


def main() -> None:
    """Print both, twice: whatever else the machine does shows as a difference between the two."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "rows.jsonl"
        file.write_text(ROWS.read_text(encoding="utf-8") * 8, encoding="utf-8")
        print(f"{'':14} {'steps':>6} {'waited':>8} {'longest':>8}")
        for _ in range(2):
            for name, ahead in (("between steps", False), ("made ahead", True)):
                steps, waited, longest = measure(file, ahead=ahead)
                print(f"{name:14} {steps:6} {waited:6.2f} s {longest:6.2f} s")


if __name__ == "__main__":
    main()
