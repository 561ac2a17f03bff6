"""How long a completion takes: `python tests/benchmarks/completion.py`.

In a kernel of its own, spoken to as JupyterLab does: the first one after `%load_ext` (which imports the keys' texts), the
median of fresh kernels; and the median and the slowest of 50 later ones, at each kind of place.
"""

from __future__ import annotations

import statistics
import sys
import time
from typing import Any

from jupyter_client.manager import KernelManager

KERNELS = 5
REPEATS = 50
PLACES = {
    "a key at the top": "%%finetune\nlora_r: 8\n|",
    "a key of a dataset": "%%finetune\ndatasets:\n  - path: x\n    ty|",
    "a slip": "%%finetune\nsampel_pakcing|",
    "a value": "%%finetune\nlr_scheduler: |",
    "a model": "%%finetune\nbase_model: |",
    "a path": "%%finetune\ndatasets: [{path: ./|",
    "a variable": "%%finetune\nlearning_rate: $|",
    "an option": "%%finetune --|",
    "a verb": "%ft |",
    "a key to explain": "%ft explain lo|",
    "a run": "%ft attach |",
}


def ask(client: Any, marked: str) -> float:
    """Ask for the completions at the ``|`` and return the seconds until they came."""
    cursor = marked.index("|")
    begin = time.perf_counter()
    sent = client.complete(marked.replace("|", ""), cursor)
    while client.get_shell_msg(timeout=60)["parent_header"].get("msg_id") != sent:
        pass
    return time.perf_counter() - begin


def main() -> None:
    """Measure and print."""
    first: list[float] = []
    later: dict[str, list[float]] = {place: [] for place in PLACES}
    for number in range(KERNELS):
        manager = KernelManager(kernel_name="python3")
        manager.start_kernel()
        client = manager.client()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        client.execute_interactive("%load_ext ft_jupyter", timeout=60)
        first.append(ask(client, PLACES["a key at the top"]))
        if number == KERNELS - 1:
            for place, marked in PLACES.items():
                ask(client, marked)
                later[place] = [ask(client, marked) for _ in range(REPEATS)]
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    print(f"{sys.version.split()[0]}, {KERNELS} kernels, {REPEATS} requests a place; milliseconds")
    print(f"{'the first':20} {statistics.median(first) * 1000:6.0f}   slowest {max(first) * 1000:6.0f}")
    for place, seconds in later.items():
        print(f"{place:20} {statistics.median(seconds) * 1000:6.1f}   slowest {max(seconds) * 1000:6.1f}")


if __name__ == "__main__":
    main()
