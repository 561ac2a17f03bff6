"""How fast rows become samples: `python tests/benchmarks/data.py`.

10,000 conversations of 1 to 8 questions, made of the Devil's Dictionary, with SmolLM2's tokenizer and ChatML. Each way reads
the same file, renders, tokenizes and masks it, and writes it to disk; the mean of two rounds in which the ways take turns.
Beside it: what TRL's SFTTrainer does to such a dataset (assistant_only_loss), where it is installed (`pip install trl`).
Both give the same ids and the same mask, or this fails.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
from transformers import AutoTokenizer

from ft_core.config import load_config
from ft_core.data import load_samples
from ft_core.models.demo import demo_model
from ft_core.models.hardware import cpu_cores

ROWS = 10_000
ROUNDS = 2
SOURCE = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{{ '\n' }}{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
)
"""ChatML with the mark by which TRL finds what is trained."""

Way = Callable[[Path], Callable[[], "tuple[np.ndarray, np.ndarray]"]]
"""Makes samples of a file; what it returns gives their ids and labels, end to end."""


def write_rows(path: Path) -> None:
    """Write the conversations."""
    pairs = [json.loads(line)["messages"] for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for _ in range(ROWS):
            turns = [turn for _ in range(draw.randint(1, 8)) for turn in draw.choice(pairs)]
            file.write(json.dumps({"messages": turns}) + "\n")


def ours(tokenizer: Any, processes: int, *, again: bool = False) -> Way:
    """Return our way; `again` finds what was made before."""

    def run(path: Path) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        folder = path.parent / ("kept" if again else f"kept-{processes}-{time.monotonic_ns()}")
        config = load_config(
            {
                "base_model": "any/model",
                "learning_rate": 1e-4,
                "sequence_len": 4096,
                "chat_template": "chatml",
                "datasets": [{"path": str(path), "type": "chat_template"}],
                "shuffle_merged_datasets": False,
                "dataset_prepared_path": str(folder),
            }
        )
        train = load_samples(config, tokenizer, processes=processes).train
        return lambda: (
            np.concatenate([sample.input_ids for sample in train]),
            np.concatenate([sample.labels for sample in train]),
        )

    return run


def trl(tokenizer: Any, processes: int) -> Way:
    """Return TRL's way."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    datasets.disable_progress_bars()

    def run(path: Path) -> Callable[[], tuple[np.ndarray, np.ndarray]]:
        cache = tempfile.mkdtemp(dir=path.parent)
        rows = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=cache)
        options = SFTConfig(
            cache,
            assistant_only_loss=True,
            max_length=None,
            dataset_num_proc=processes if processes > 1 else None,
            use_cpu=True,
            bf16=False,
        )
        trainer = SimpleNamespace(chat_template=MARKED, completion_only_loss=False, _tokenizer=tokenizer)
        made = SFTTrainer._prepare_dataset(trainer, rows, tokenizer, options, False, None, "train")
        table = made.with_format("arrow")[:]
        return lambda: tuple(
            table[name].combine_chunks().flatten().to_numpy() for name in ("input_ids", "labels")
        )

    return run


def main() -> None:
    """Measure and print."""
    tokenizer = AutoTokenizer.from_pretrained(demo_model())
    tokenizer("warm")
    cores = cpu_cores()
    ways: dict[str, Way] = {"ours, 1 process": ours(tokenizer, 1)}
    if cores > 1:
        ways[f"ours, {cores} processes"] = ours(tokenizer, cores)
    ways["ours, found on disk"] = ours(tokenizer, 1, again=True)
    if importlib.util.find_spec("trl") is not None:
        ways["TRL, 1 process"] = trl(tokenizer, 1)
        if cores > 1:
            ways[f"TRL, {cores} processes"] = trl(tokenizer, cores)
    else:
        print("TRL is not installed.")
    with tempfile.TemporaryDirectory() as work:
        path = Path(work) / "rows.jsonl"
        write_rows(path)
        ours(tokenizer, 1, again=True)(path)
        seconds = dict.fromkeys(ways, 0.0)
        results: dict[str, Any] = {}
        for _ in range(ROUNDS):
            for name, way in ways.items():
                started = time.perf_counter()
                results[name] = way(path)
                seconds[name] += (time.perf_counter() - started) / ROUNDS
        ids, labels = results["ours, 1 process"]()
        print(f"{ROWS:,} conversations, {len(ids):,} tokens, {(labels >= 0).mean():.1%} trained")
        for name, result in results.items():
            print(f"  {name:22} {seconds[name]:7.2f} s {ROWS / seconds[name]:10,.0f} rows/s")
            if not all(map(np.array_equal, result(), (ids, labels))):
                sys.exit(f"{name}: other ids or labels")


if __name__ == "__main__":
    main()
