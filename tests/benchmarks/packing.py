"""How fast and how full samples are packed: `python tests/benchmarks/packing.py`.

100,000 samples on one thread, the best of five. Beside it: TRL's packing of the same samples, where it is installed (`pip
install trl`), by its defaults and with the whole set as one batch, the writing of its rows included, because it packs no
other way; and first-fit decreasing as one writes it down, on 10,000 samples, because its time grows with the square.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import datasets
import numpy as np

from ft_core.data.packing import pack, pack_sequentially

SAMPLES = 100_000
PLAIN_SAMPLES = 10_000


def lognormal(mean: float, capacity: int) -> np.ndarray:
    """Return lengths of documents: lognormal with sigma 1, clipped to 16..capacity."""
    drawn = np.random.default_rng(0).lognormal(np.log(mean) - 0.5, 1.0, SAMPLES)
    return np.clip(drawn, 16, capacity).astype(np.int64)


def uniform(low: int, high: int) -> np.ndarray:
    """Return lengths that are equally likely from `low` to `high`."""
    return np.random.default_rng(0).integers(low, high, SAMPLES, endpoint=True)


SETS = {
    "lognormal, mean 350": (lognormal(350, 4096), 4096),
    "lognormal, mean 350, flat row of 8": (lognormal(350, 4096), 8 * 4096),
    "lognormal, mean 1500": (lognormal(1500, 32768), 32768),
    "uniform 50..800": (uniform(50, 800), 2048),
    "uniform 1..4096": (uniform(1, 4096), 4096),
    "normal 500 +- 100": (
        np.clip(np.random.default_rng(0).normal(500, 100, SAMPLES), 1, 2048).astype(np.int64),
        2048,
    ),
    "all equal, 300": (np.full(SAMPLES, 300), 4096),
    "all just over half": (np.full(SAMPLES, 2049), 4096),
    "over half, all lengths": (uniform(2049, 4096), 4096),
    "20 huge, the others 1": (np.r_[np.full(20, 4000), np.full(SAMPLES - 20, 1)], 4096),
    "all different": (np.random.default_rng(0).permutation(SAMPLES) + 1, 131_072),
    "all as long as a bin": (np.full(SAMPLES, 4096), 4096),
}


def ours(lengths: np.ndarray, capacity: int) -> int:
    """Return the number of bins of `pack`."""
    return len(pack(lengths, capacity).bins)


def ours_in_order(lengths: np.ndarray, capacity: int) -> int:
    """Return the number of bins of `pack_sequentially`."""
    return len(pack_sequentially(lengths, capacity).bins)


def first_fit_decreasing(lengths: np.ndarray, capacity: int) -> int:
    """Return the number of bins of plain first-fit decreasing."""
    rooms: list[int] = []
    for length in sorted(lengths.tolist(), reverse=True):
        for index, room in enumerate(rooms):
            if room >= length:
                rooms[index] -= length
                break
        else:
            rooms.append(capacity - length)
    return len(rooms)


def measure(
    name: str, packer: Callable[[np.ndarray, int], int], lengths: np.ndarray, capacity: int, repeats: int = 5
) -> None:
    """Time a packer that returns its number of bins, and print the fastest run."""
    taken: list[float] = []
    bins = 0
    for _ in range(repeats):
        started = time.perf_counter()
        bins = packer(lengths, capacity)
        taken.append(time.perf_counter() - started)
    fewest = -(-int(lengths.sum()) // capacity)
    fill = lengths.sum() / (bins * capacity)
    print(f"  {name:42} {min(taken) * 1000:7.1f} ms   fill {fill:8.3%}   {bins:6d} bins (at least {fewest})")


def beside_trl(lengths: np.ndarray, capacity: int) -> None:
    """Pack the same samples with TRL."""
    if importlib.util.find_spec("trl") is None:
        print("  TRL is not installed.")
        return
    from trl.data_utils import pack_dataset

    datasets.disable_progress_bars()
    rows = np.split(np.zeros(int(lengths.sum()), np.int32), np.cumsum(lengths)[:-1])
    dataset = datasets.Dataset.from_dict({"input_ids": rows}).with_format("arrow")
    for name, batch_size in (("batches of 1000", 1000), ("the whole set", SAMPLES)):
        options = {"batch_size": batch_size, "load_from_cache_file": False}

        def trl(_: np.ndarray, capacity: int, options: dict[str, object] = options) -> int:
            return len(pack_dataset(dataset, capacity, "bfd", options))

        measure(f"TRL bfd, {name}", trl, lengths, capacity, repeats=1)


def main() -> None:
    """Measure and print."""
    for name, (lengths, capacity) in SETS.items():
        print(f"{name}, into {capacity}")
        measure("pack", ours, lengths, capacity)
    for name in ("lognormal, mean 350", "uniform 50..800"):
        lengths, capacity = SETS[name]
        few = lengths[:PLAIN_SAMPLES]
        print(f"{name}, into {capacity}, beside others")
        measure("pack", ours, lengths, capacity)
        measure("pack_sequentially", ours_in_order, lengths, capacity)
        beside_trl(lengths, capacity)
        measure(
            f"plain first-fit decreasing, {PLAIN_SAMPLES} samples", first_fit_decreasing, few, capacity, 1
        )


if __name__ == "__main__":
    main()
