"""How long a person waits before something happens: `python tests/benchmarks/start_up.py`.

Each figure is the median of fresh processes, taken one after the other on an otherwise idle machine:

- `import ft_core.config` on top of Python (at most 500 ms);
- `%load_ext ft_jupyter` on top of a running IPython;
- a mistake in a cell: from running it to its sentence, after `%load_ext` alone and once the config is imported (at most
  100 ms), and the plan of a cell after `%load_ext`;
- from launching a run to its first loss, beside a bare script that loads the same model and takes the same first step.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ft_core.config import load_config
from ft_core.launch import launch
from ft_core.models.demo import demo_model

ROOT = Path(__file__).parents[2]
DATA = ROOT / "example_notebooks" / "data" / "devils_dictionary.jsonl"
REPEATS = 5
YAML = f"base_model: {{model}}\ndatasets: [{{{{path: {DATA}, type: chat_template}}}}]\nadapter: lora\nlora_r: 16\nlearning_rate: 2e-3\n"
RUN = {"sequence_len": 128, "micro_batch_size": 4, "max_steps": 1, "save_strategy": "no"}

IMPORT = (
    "import time; started = time.perf_counter(); import ft_core.config; print(time.perf_counter() - started)"
)

IN_IPYTHON = """
import io, time, contextlib
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
started = time.perf_counter()
shell.run_line_magic("load_ext", "ft_jupyter")
loaded = time.perf_counter() - started
{first}
text = {text!r}
with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
    started = time.perf_counter()
    shell.run_cell("%%finetune x --plan\\n" + text)
    took = time.perf_counter() - started
print(loaded, took)
"""

BARE = """
import json, sys, torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer
model_path, data = sys.argv[1:]
tokenizer = AutoTokenizer.from_pretrained(model_path)
model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
model = get_peft_model(model, LoraConfig(r=16, target_modules="all-linear", task_type="CAUSAL_LM"))
chats = [json.loads(line)["messages"] for line in open(data, encoding="utf-8")]
texts = [tokenizer.apply_chat_template(chat, tokenize=False) for chat in chats]
rows = [ids for ids in tokenizer(texts, add_special_tokens=False)["input_ids"] if len(ids) <= 128][:4]
batch = tokenizer.pad({"input_ids": rows}, return_tensors="pt")
optimizer = torch.optim.AdamW([weight for weight in model.parameters() if weight.requires_grad], lr=2e-3)
loss = model(**batch, labels=batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)).loss
loss.backward()
optimizer.step()
print(loss.item())
"""


def imported() -> float:
    """Return the median of importing the config, seconds."""
    runs = [
        subprocess.run([sys.executable, "-c", IMPORT], capture_output=True, text=True, check=True)
        for _ in range(REPEATS)
    ]
    return statistics.median(float(run.stdout) for run in runs)


def in_ipython(text: str, first: str = "") -> tuple[float, float]:
    """Return the medians of %load_ext and of one cell, which runs after the statement `first`, seconds."""
    taken: list[tuple[float, float]] = []
    for _ in range(REPEATS):
        done = subprocess.run(
            [sys.executable, "-c", IN_IPYTHON.format(text=text, first=first)],
            capture_output=True,
            text=True,
            check=True,
        )
        loaded, took = map(float, done.stdout.split()[-2:])
        taken.append((loaded, took))
    return statistics.median(one for one, _ in taken), statistics.median(other for _, other in taken)


def bare_script(model: Path) -> float:
    """Return the seconds from starting the bare script to its end, after the first step."""
    started = time.perf_counter()
    quiet = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
    subprocess.run(
        [sys.executable, "-c", BARE, str(model), str(DATA)], check=True, capture_output=True, env=quiet
    )
    return time.perf_counter() - started


def first_loss(model: Path, root: Path, name: str) -> float:
    """Return the seconds from launching a run to its first loss."""
    config = load_config(YAML.format(model=model), {**RUN, "bf16": False})
    started = time.time()
    run = launch(config, name, gpus=1, root=root)
    assert run.wait() == "completed", run.log_tail()
    events, _ = run.events()
    return next(event["time"] for event in events if event["type"] == "step") - started


def main() -> None:
    """Measure and print."""
    model = demo_model()
    loaded, planned = in_ipython(YAML.format(model=model))
    mistaken = YAML.format(model=model).replace("lora_r", "lora_rank")
    _, told = in_ipython(mistaken)
    _, told_at_once = in_ipython(mistaken, "import ft_core.config")
    print(f"import ft_core.config           {imported() * 1000:6.0f} ms")
    print(f"%load_ext ft_jupyter            {loaded * 1000:6.0f} ms")
    print(f"a mistake, from cell to sentence {told * 1000:5.0f} ms")
    print(f"the same, config imported       {told_at_once * 1000:6.0f} ms")
    print(f"the plan of a cell              {planned * 1000:6.0f} ms")
    with tempfile.TemporaryDirectory() as folder:
        pairs = [
            (bare_script(model), first_loss(model, Path(folder), f"run-{number}")) for number in range(3)
        ]
    bare = statistics.median(pair[0] for pair in pairs)
    ours = statistics.median(pair[1] for pair in pairs)
    print(f"first loss: a bare script {bare:.1f} s, a run {ours:.1f} s ({ours - bare:+.1f} s)")


if __name__ == "__main__":
    main()
