"""How fast rows become samples: `python tests/benchmarks/data.py`.

10,000 conversations of 1 to 8 questions, and 20,000 rows of Alpaca's format, made of the Devil's Dictionary, with SmolLM2's
tokenizer and ChatML. Each way reads the same file, renders, tokenizes and masks it, and writes it to disk, in a process of its
own; the mean of two rounds in which the ways take turns, the CPU time (which says more where other work runs), and the memory
that each took at most beyond what it began with.
Beside it: what TRL's SFTTrainer does to such a dataset (assistant_only_loss; prompt and completion), where it is installed
(`pip install trl`); the prompts of the Alpaca rows are written for it beforehand. Both give the same ids and the same mask,
or this fails.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import numpy as np
import psutil
from transformers import AutoTokenizer

from ft_core.config import load_config
from ft_core.data import load_samples
from ft_core.data.formats.styles import ALPACA, STYLES, write_prompt
from ft_core.models.demo import demo_model
from ft_core.models.hardware import cpu_cores

ROWS = {"chat": 10_000, "alpaca": 20_000}
ROUNDS = 2
SOURCE = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"
MARKED = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|im_end|>' }}{% endgeneration %}"
    "{{ '\n' }}{% else %}{{ message['content'] + '<|im_end|>\n' }}{% endif %}{% endfor %}"
)
"""ChatML with the mark by which TRL finds what is trained."""

Arrays = tuple[np.ndarray, np.ndarray]
"""Ids and labels of all samples, end to end."""


def write_rows(folder: Path, kind: str) -> None:
    """Write the rows for us, and those for TRL."""
    pairs = [json.loads(line)["messages"] for line in SOURCE.read_text(encoding="utf-8").splitlines()]
    draw = random.Random(0)
    with (folder / "ours.jsonl").open("w") as ours, (folder / "trl.jsonl").open("w") as theirs:
        for _ in range(ROWS[kind]):
            if kind == "chat":
                row = given = {
                    "messages": [turn for _ in range(draw.randint(1, 8)) for turn in draw.choice(pairs)]
                }
            else:
                question, answer = (turn["content"] for turn in draw.choice(pairs)[-2:])
                row = {"instruction": question, "input": "", "output": answer}
                prompt = write_prompt(STYLES["instruct"], question, "", ALPACA.without_input)
                given = {"prompt": prompt, "completion": answer}
            ours.write(json.dumps(row) + "\n")
            theirs.write(json.dumps(given) + "\n")


def ours(folder: Path, kind: str, tokenizer: Any, processes: int) -> Callable[[], Arrays]:
    """Make samples our way."""
    config = load_config(
        {
            "base_model": "any/model",
            "learning_rate": 1e-4,
            "sequence_len": 4096,
            "chat_template": "chatml",
            "datasets": [
                {"path": str(folder / "ours.jsonl"), "type": "chat_template" if kind == "chat" else "alpaca"}
            ],
            "shuffle_merged_datasets": False,
            "dataset_prepared_path": str(folder / f"kept-{os.getpid()}"),
        }
    )
    train = load_samples(config, tokenizer, processes=processes).train
    return lambda: (
        np.concatenate([sample.input_ids for sample in train]),
        np.concatenate([sample.labels for sample in train]),
    )


def trl(folder: Path, kind: str, tokenizer: Any, processes: int) -> Callable[[], Arrays]:
    """Make samples TRL's way."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    cache = tempfile.mkdtemp(dir=folder)
    rows = datasets.load_dataset("json", data_files=str(folder / "trl.jsonl"), split="train", cache_dir=cache)
    options = SFTConfig(
        cache,
        assistant_only_loss=kind == "chat",
        max_length=None,
        dataset_num_proc=processes if processes > 1 else None,
        use_cpu=True,
        bf16=False,
    )
    trainer = SimpleNamespace(
        chat_template=MARKED, completion_only_loss=kind == "alpaca", _tokenizer=tokenizer
    )
    made = SFTTrainer._prepare_dataset(trainer, rows, tokenizer, options, False, None, "train")
    table = made.with_format("arrow")[:]
    return lambda: tuple(
        table[name].combine_chunks().flatten().to_numpy() for name in ("input_ids", "labels")
    )


def measure(folder: Path, kind: str, way: str, processes: int) -> dict[str, Any]:
    """Make samples in this process, and return what it took and what came of it."""
    tokenizer = AutoTokenizer.from_pretrained(demo_model())
    tokenizer("warm")
    if way == "TRL":
        import datasets
        from trl import SFTConfig, SFTTrainer  # noqa: F401 - what it takes to import is not counted

        SFTConfig(str(folder / "none"), use_cpu=True, bf16=False)

        datasets.disable_progress_bars()
    make = trl if way == "TRL" else ours
    if way == "ours, found on disk":
        make(folder, kind, tokenizer, processes)
    before = psutil.Process().memory_info().rss
    started, worked = time.perf_counter(), cpu_seconds()
    result = make(folder, kind, tokenizer, processes)
    seconds, work = time.perf_counter() - started, cpu_seconds() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
    ids, labels = (np.ascontiguousarray(each, np.int32) for each in result())
    return {
        "seconds": seconds,
        "work": work,
        "peak": peak,
        "tokens": len(ids),
        "trained": float((labels >= 0).mean()),
        "digest": hashlib.sha256(ids.tobytes() + labels.tobytes()).hexdigest(),
    }


def cpu_seconds() -> float:
    """Return the CPU time of this process and of those that it started and that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def compare(kind: str, ways: list[tuple[str, int]]) -> None:
    """Measure each of `ways` in a process of its own, and print a table."""
    with tempfile.TemporaryDirectory() as work:
        write_rows(Path(work), kind)
        results: dict[tuple[str, int], list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(ROUNDS):
            for way, processes in ways:
                command = [sys.executable, __file__, work, kind, way, str(processes)]
                done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
                results[way, processes].append(json.loads(done.stdout.splitlines()[-1]))
    first = results[ways[0]][0]
    print(f"{ROWS[kind]:,} rows ({kind}), {first['tokens']:,} tokens, {first['trained']:.1%} trained")
    for (way, processes), rounds in results.items():
        seconds = sum(each["seconds"] for each in rounds) / ROUNDS
        work = sum(each["work"] for each in rounds) / ROUNDS
        peak = max(each["peak"] for each in rounds) / 2**20
        name = way if "found" in way else f"{way}, {processes} process{'es' * (processes > 1)}"
        print(
            f"  {name:22} {seconds:7.2f} s {ROWS[kind] / seconds:10,.0f} rows/s {work:7.2f} s CPU {peak:7,.0f} MiB"
        )
        if any(each["digest"] != first["digest"] for each in rounds):
            sys.exit(f"{name}: other ids or labels")


def main() -> None:
    """Measure and print."""
    cores = cpu_cores()
    counts = [1] if cores == 1 else [1, cores]
    ways = [("ours", count) for count in counts] + [("ours, found on disk", 1)]
    if importlib.util.find_spec("trl") is not None:
        ways += [("TRL", count) for count in counts]
    else:
        print("TRL is not installed.")
    for kind in ROWS:
        compare(kind, ways)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4]))))
    else:
        main()
