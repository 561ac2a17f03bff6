"""How good a plan's estimates are: `python tests/benchmarks/plan_estimates.py`.

Each row trains a real run of some steps on this machine, and prints the plan's memory and time beside what was measured:
the peak resident memory of the training process, and the seconds from its start to its end. Rows are padded to
sequence_len, so that every step does what the plan reckons with; the last case is not, as real runs are.
Takes some three minutes on two cores; other work on the same cores makes runs longer than their plans.
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from ft_core.config import load_config
from ft_core.launch import launch
from ft_core.models.demo import demo_model
from ft_core.runs import Run
from ft_core.runs.events import last_event
from ft_core.train import Plan, make_plan

DATA = Path(__file__).parents[2] / "example_notebooks" / "data" / "devils_dictionary.jsonl"
WIDE = {"hidden_size": 512, "intermediate_size": 1536, "num_hidden_layers": 4, "num_attention_heads": 8}
NARROW = {"hidden_size": 128, "intermediate_size": 384, "num_hidden_layers": 2, "num_attention_heads": 4}

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "7M, LoRA, bf16": ("narrow", {"adapter": "lora", "bf16": True, "max_steps": 40}),
    "7M, full, fp32": ("narrow", {"bf16": False, "max_steps": 20}),
    "37M, LoRA, bf16, 8 rows": (
        "wide",
        {"adapter": "lora", "bf16": True, "micro_batch_size": 8, "max_steps": 6},
    ),
    "37M, full, bf16": ("wide", {"bf16": True, "max_steps": 8}),
    "135M, LoRA, bf16": ("demo", {"adapter": "lora", "bf16": True, "max_steps": 8}),
    "135M, LoRA, bf16, recomputing": (
        "demo",
        {"adapter": "lora", "bf16": True, "max_steps": 6, "gradient_checkpointing": True},
    ),
    "135M, LoRA, fp32": ("demo", {"adapter": "lora", "bf16": False, "max_steps": 4}),
    "135M, LoRA, bf16, 512 tokens": (
        "demo",
        {"adapter": "lora", "bf16": True, "max_steps": 4, "sequence_len": 512},
    ),
    "135M, full, bf16": ("demo", {"bf16": True, "max_steps": 5}),
    "135M, LoRA, bf16, unpadded": (
        "demo",
        {"adapter": "lora", "bf16": True, "max_steps": 12, "pad_to_sequence_len": False},
    ),
}


def random_model(folder: Path, shape: dict[str, int]) -> Path:
    """Save a random Llama of this shape with the demo model's tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(demo_model())
    LlamaForCausalLM(
        LlamaConfig(vocab_size=len(tokenizer), tie_word_embeddings=True, **shape)
    ).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def measure(run: Run) -> int:
    """Wait for a run, and return the peak of its resident memory in bytes."""
    peak = 0
    while run.alive:
        pid = run.status().pid
        try:
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        except OSError:
            lines = []
        for line in lines:
            if line.startswith("VmHWM:"):
                peak = max(peak, int(line.split()[1]) * 1024)
        time.sleep(0.2)
    return peak


def main() -> None:
    """Print one row a case."""
    print(
        f"{'case':30} {'memory':>9} {'measured':>9} {'ratio':>6}   {'time':>6} {'took':>6} {'ratio':>6} {'steps':>6}  tok/s"
    )
    with tempfile.TemporaryDirectory() as work:
        models = {
            "narrow": random_model(Path(work) / "narrow", NARROW),
            "wide": random_model(Path(work) / "wide", WIDE),
            "demo": demo_model(),
        }
        for name, (model, keys) in CASES.items():
            config = load_config(
                {
                    "base_model": str(models[model]),
                    "datasets": [{"path": str(DATA), "type": "chat_template"}],
                    "learning_rate": 1e-4,
                    "sequence_len": 256,
                    "pad_to_sequence_len": True,
                    "micro_batch_size": 4,
                    "save_strategy": "no",
                    **keys,
                }
            )
            # A root of its own: no run's measured rate may stand in for the estimate.
            root = Path(work) / name.replace(" ", "-").replace(",", "")
            plan = make_plan(config, root=root)
            report(name, plan, launch(config, "run", root=root))


def report(name: str, plan: Plan, run: Run) -> None:
    """Wait for a run and print its row."""
    peak = measure(run)
    if run.state != "completed":
        print(name, run.summary(), run.log_tail(5))
        return
    took = (run.ended or 0.0) - run.started
    events = [json.loads(line) for line in (run.directory / "events.jsonl").read_text().splitlines()]
    steps = [event for event in events if event["type"] == "step"]
    rate = sorted(event["tokens_per_second"] for event in steps)[len(steps) // 2]
    data = last_event(run.directory, "data") or {}
    stepping = steps[-1]["time"] - steps[0]["time"]
    assert plan.memory is not None
    assert plan.seconds is not None
    print(
        f"{name:30} {plan.memory / 2**20:7.0f}Mi {peak / 2**20:7.0f}Mi {plan.memory / peak:6.2f}   "
        f"{plan.seconds:5.0f}s {took:5.0f}s {plan.seconds / took:6.2f} {stepping:5.0f}s  {rate:5.0f}  "
        f"tokens {plan.tokens} of {data.get('train_tokens')}",
        flush=True,
    )


if __name__ == "__main__":
    main()
