"""How good a plan's estimates are: `python tests/benchmarks/plan_estimates.py`.

Each row trains a real run of some steps on this machine, and prints the plan's memory and time beside what was measured:
the peak resident memory of the training process (on an NVIDIA GPU: the most memory that the card had in use meanwhile), and
the seconds from its start to its end. Rows are padded or packed to sequence_len, so that every step does what the plan
reckons with; the last case is not, as real runs are.
Takes some three minutes on two cores, and eight on one H100; other work on the same cores makes runs longer than their plans.

The tokenizer is the demo model's, or the one in the folder that FT_TEST_TOKENIZER names (machines without a network).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ft_core.config import load_config
from ft_core.launch import launch
from ft_core.models.demo import demo_model
from ft_core.runs import Run
from ft_core.runs.events import last_event
from ft_core.train import Plan, make_plan

DATA = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"

Shape = dict[str, Any]

SHAPES: dict[str, Shape] = {
    "7M": {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 4},
    "37M": {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 4, "num_attention_heads": 8},
    # Those of SmolLM2-135M, Llama-3.2-1B and Llama-3.1-8B, and a small model with a large vocabulary (Qwen2.5-0.5B's).
    "134M": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
             "num_key_value_heads": 3},
    "0.5B": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14,
             "num_key_value_heads": 2, "vocab_size": 151936},
    "1.2B": {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 32,
             "num_key_value_heads": 8, "vocab_size": 128256},
    "8B": {"hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32, "num_attention_heads": 32,
           "num_key_value_heads": 8, "vocab_size": 128256, "tie_word_embeddings": False},
}  # fmt: skip
"""Llamas with random weights."""

LORA = {"adapter": "lora", "bf16": True}
FULL = {"bf16": True}
ROWS = {"sequence_len": 256, "micro_batch_size": 4, "pad_to_sequence_len": True}
PACKED = {"sequence_len": 2048, "micro_batch_size": 4, "sample_packing": True, "max_steps": 8}

CPU_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "7M, LoRA, bf16": ("7M", ROWS | LORA | {"max_steps": 40}),
    "7M, full, fp32": ("7M", ROWS | {"bf16": False, "max_steps": 20}),
    "37M, LoRA, bf16, 8 rows": ("37M", ROWS | LORA | {"micro_batch_size": 8, "max_steps": 6}),
    "37M, full, bf16": ("37M", ROWS | FULL | {"max_steps": 8}),
    "135M, LoRA, bf16": ("demo", ROWS | LORA | {"max_steps": 8}),
    "135M, LoRA, bf16, recomputing": (
        "demo",
        ROWS | LORA | {"max_steps": 6, "gradient_checkpointing": True},
    ),
    "135M, LoRA, fp32": ("demo", ROWS | {"adapter": "lora", "bf16": False, "max_steps": 4}),
    "135M, LoRA, bf16, 512 tokens": ("demo", ROWS | LORA | {"max_steps": 4, "sequence_len": 512}),
    "135M, full, bf16": ("demo", ROWS | FULL | {"max_steps": 5}),
    "135M, LoRA, bf16, unpadded": ("demo", ROWS | LORA | {"max_steps": 12, "pad_to_sequence_len": False}),
}

GPU_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "134M, LoRA, bf16": ("134M", PACKED | LORA),
    "134M, full, bf16": ("134M", PACKED | FULL),
    "0.5B, LoRA, bf16": ("0.5B", PACKED | LORA),
    "0.5B, full, bf16": ("0.5B", PACKED | FULL),
    "1.2B, LoRA, bf16": ("1.2B", PACKED | LORA),
    "1.2B, LoRA, bf16, recomputing": ("1.2B", PACKED | LORA | {"gradient_checkpointing": True}),
    "1.2B, LoRA, fp16": ("1.2B", PACKED | {"adapter": "lora", "bf16": False, "fp16": True}),
    "1.2B, LoRA, fp32": ("1.2B", PACKED | {"adapter": "lora", "bf16": False, "micro_batch_size": 2}),
    "1.2B, full, bf16, recomputing": ("1.2B", PACKED | FULL | {"gradient_checkpointing": True}),
    "1.2B, LoRA, bf16, 2 rows of 8,192": (
        "1.2B",
        PACKED | LORA | {"sequence_len": 8192, "micro_batch_size": 2, "gradient_checkpointing": True},
    ),
    "8B, LoRA, bf16, 1 row": ("8B", PACKED | LORA | {"micro_batch_size": 1}),
    "8B, LoRA, bf16, recomputing": ("8B", PACKED | LORA | {"gradient_checkpointing": True}),
    "1.2B, LoRA, bf16, 32 rows, unpacked": ("1.2B", LORA | {"micro_batch_size": 32, "sequence_len": 2048, "max_steps": 8}),
}  # fmt: skip
"""Four rows of 2,048 tokens, packed, unless the name says otherwise."""


def random_model(folder: str, shape: Shape) -> None:
    """Save a random Llama of this shape; runs in a process of its own, whose memory is free again when it ends."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(os.environ.get("FT_TEST_TOKENIZER") or demo_model())
    shape = {
        "vocab_size": len(tokenizer),
        "tie_word_embeddings": True,
        "max_position_embeddings": 8192,
    } | shape
    torch.set_default_dtype(torch.bfloat16 if torch.cuda.is_available() else torch.float32)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        LlamaForCausalLM(LlamaConfig(**shape)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


class Models:
    """The models of the cases, each made when it is first asked for; one at a time, since the largest fills a disk."""

    def __init__(self, work: Path) -> None:
        self._work = work

    def folder(self, name: str) -> Path:
        """Return the folder of a model."""
        if name == "demo":
            return demo_model()
        folder = self._work / name
        if not folder.exists():
            for other in set(SHAPES) - {name}:
                shutil.rmtree(self._work / other, ignore_errors=True)
            maker = multiprocessing.get_context("spawn").Process(
                target=random_model, args=(str(folder), SHAPES[name])
            )
            maker.start()
            maker.join()
        return folder


def gpu_is_idle(idle: int) -> None:
    """Wait until the run before has given its memory back."""
    while gpu_bytes() > idle:
        time.sleep(0.5)


def gpu_bytes() -> int:
    """Return the memory that the first GPU has in use."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "--id=0"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout) * 2**20


def resident_bytes(run: Run) -> int:
    """Return the most memory that the process of a run has had so far, 0 where it has ended."""
    try:
        lines = Path(f"/proc/{run.status().pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return max((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), default=0)


def measure(run: Run, idle: int | None) -> int:
    """Wait for a run, and return the peak of its memory in bytes; `idle` is what a GPU had in use before."""
    peak = 0
    while run.alive:
        peak = max(peak, resident_bytes(run) if idle is None else gpu_bytes() - idle)
        time.sleep(0.2)
    return peak


def main() -> None:
    """Print one row a case; arguments choose the cases whose names begin so."""
    on_gpu = shutil.which("nvidia-smi") is not None
    idle = gpu_bytes() if on_gpu else None
    cases = GPU_CASES if on_gpu else CPU_CASES
    wanted = tuple(sys.argv[1:]) or ("",)
    print(
        f"{'case':36} {'memory':>9} {'measured':>9} {'ratio':>6}   {'time':>6} {'took':>6} {'ratio':>6} {'steps':>6}  tok/s"
    )
    with tempfile.TemporaryDirectory() as work:
        models = Models(Path(work))
        for name, (model, keys) in cases.items():
            if not name.startswith(wanted):
                continue
            config = load_config(
                {
                    "base_model": str(models.folder(model)),
                    "datasets": [{"path": str(DATA), "type": "chat_template"}],
                    "learning_rate": 1e-4,
                    "save_strategy": "no",
                    **keys,
                }
            )
            # A root of its own: no run's measured rate may stand in for the estimate.
            root = Path(work) / "runs" / name.replace(" ", "-").replace(",", "")
            plan = make_plan(config, root=root)
            if idle is not None:
                gpu_is_idle(idle)
            report(name, plan, launch(config, "run", root=root, gpus=1 if on_gpu else None), idle)
            shutil.rmtree(root)


def report(name: str, plan: Plan, run: Run, idle: int | None) -> None:
    """Wait for a run and print its row."""
    peak = measure(run, idle)
    if run.state != "completed":
        print(name, run.summary(), run.log_tail(5), flush=True)
        return
    took = (run.ended or 0.0) - run.started
    events = [json.loads(line) for line in (run.directory / "events.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["type"] == "step"]
    rate = sorted(event["tokens_per_second"] for event in steps)[len(steps) // 2]
    held = max((event["gpu_memory"] or 0.0 for event in steps), default=0.0)
    data = last_event(run.directory, "data") or {}
    stepping = steps[-1]["time"] - steps[0]["time"]
    assert plan.memory is not None
    assert plan.seconds is not None
    print(
        f"{name:36} {plan.memory / 2**20:7.0f}Mi {peak / 2**20:7.0f}Mi {plan.memory / peak:6.2f}   "
        f"{plan.seconds:5.0f}s {took:5.0f}s {plan.seconds / took:6.2f} {stepping:5.1f}s  {rate:6.0f}  "
        f"tokens {plan.tokens} of {data.get('train_tokens')}, torch held {held * 1024:.0f}Mi",
        flush=True,
    )


if __name__ == "__main__":
    main()
