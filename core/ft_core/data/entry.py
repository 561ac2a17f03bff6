"""The samples of one dataset: made of its rows, or found where they were kept."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ft_core.config.schema.dataset_type import FunctionSource
from ft_core.data.arrow import BlockWriter, Reason
from ft_core.data.cache import FILES, SAMPLES, cache_folder, find, make_room, only_writer, publish, told
from ft_core.data.content import content_of
from ft_core.data.files import skipped_by
from ft_core.data.fingerprint import samples_key
from ft_core.data.sieve import Tally
from ft_core.data.sources import read_rows
from ft_core.data.sources.reading import OnWait, find_source
from ft_core.data.sources.split import parse_split
from ft_core.data.stored import SampleTable
from ft_core.data.tokenize import BATCH, NumberedRow
from ft_core.data.workers import sieve_batches
from ft_core.errors import DataError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset

Advance = Callable[[int], None]


@dataclass(frozen=True)
class Entry:
    """What became of one dataset.

    Attributes
    ----------
    path
        Its path, as the config writes it.
    table
        Its samples.
    tally
        What became of its rows.
    folder
        Where its samples are kept, None where only this process has them.
    found
        Whether they were there already.
    """

    path: str
    table: SampleTable
    tally: Tally
    folder: Path | None = None
    found: bool = False


def load_entry(
    config: Config,
    tokenizer: PreTrainedTokenizerBase,
    dataset: Dataset,
    processes: int,
    advance: Advance,
    on_wait: OnWait | None = None,
) -> Entry:
    """Return the samples of a dataset.

    Samples are kept, and found again, where all that they depend on is known: not where a function of the notebook or a
    variable gives the rows. Of a function in a file, that is its code and what lies beside it.

    Parameters
    ----------
    config, tokenizer, dataset
        As for `ft_core.data.tokenize_rows`.
    processes
        How many processes tokenize at most.
    advance
        Is told of each further number of rows.
    on_wait
        Is told of downloads.

    Raises
    ------
    DataError
        As `ft_core.data.load_samples`.
    """
    import pyarrow as pa

    def make(sink: Any) -> tuple[Tally, tuple[Reason, ...]]:
        writer, tally = BlockWriter(sink), Tally()
        skipped = skipped_by(config)
        batches = _batches(read_rows(dataset, seed=config.seed, skipped=skipped, on_wait=on_wait))
        with closing(sieve_batches(config, tokenizer, dataset, batches, processes=processes)) as results:
            for sieved in results:
                with told(folder):
                    writer.write(sieved.block)
                tally.add(sieved.tally)
                advance(sieved.tally.rows)
        if skipped is not None:
            tally.add_broken(skipped)
        with told(folder):
            return tally, writer.close()

    folder = cache_folder(config)
    content = _content(dataset, folder, on_wait)
    if content is None:
        # Every rank makes them for itself.
        processes = max(1, processes // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
        buffer = pa.BufferOutputStream()
        tally, reasons = make(buffer)
        return Entry(dataset.path, SampleTable(buffer.getvalue(), reasons, dataset.path), tally)
    key = samples_key(config, tokenizer, dataset, content)
    if about := find(folder, key):
        advance(about["rows"])
        return _open(config, dataset, folder / key, about, found=True)
    with only_writer(folder, key) as staging:
        # Another rank, or another run, may have made them meanwhile.
        if about := find(folder, key):
            advance(about["rows"])
            return _open(config, dataset, folder / key, about, found=True)
        if config.push_dataset_to_hub is not None:
            from ft_core.data.hub import fetch_samples

            if about := fetch_samples(config.push_dataset_to_hub, key, staging, on_wait):
                publish(staging, folder, key, about)
                advance(about["rows"])
                return _open(config, dataset, folder / key, about, found=True)
        with (staging / SAMPLES).open("wb") as sink:
            tally, reasons = make(sink)
        if _content(dataset, folder) != content:
            raise DataError(
                f"'{dataset.path}' was changed while it was read.", "Try again when it is written."
            )
        publish(staging, folder, key, _about(dataset, tally, reasons))
    if config.dataset_prepared_path is None:
        make_room(folder)
    return _open(config, dataset, folder / key, _about(dataset, tally, reasons), found=False)


def _about(dataset: Dataset, tally: Tally, reasons: Sequence[Reason]) -> dict[str, Any]:
    return {
        "path": dataset.path,
        "rows": tally.rows,
        "samples": tally.samples,
        "dropped": tally.dropped,
        "rules": tally.rules,
        "broken": tally.broken,
        "reasons": reasons,
    }


def _open(config: Config, dataset: Dataset, folder: Path, about: dict[str, Any], *, found: bool) -> Entry:
    """Return samples that are kept."""
    import pyarrow as pa

    tally = Tally(
        about["rows"], about["samples"], Counter(about["dropped"]), Counter(about["rules"]), about["broken"]
    )
    reasons = [(role, trained, rule) for role, trained, rule in about["reasons"]]
    with pa.memory_map(str(folder / SAMPLES)) as mapped:
        buffer = mapped.read_buffer()
    if config.dataset_keep_in_memory:
        buffer = pa.py_buffer(buffer.to_pybytes())
    return Entry(dataset.path, SampleTable(buffer, reasons, dataset.path), tally, folder, found)


def _content(dataset: Dataset, folder: Path, on_wait: OnWait | None = None) -> str | None:
    """Return a digest of the rows; None where not all that they and their samples come from is in files."""
    if isinstance(dataset.type, FunctionSource):
        # Cells and modules that it calls are not written in it.
        return None
    source = find_source(dataset, parse_split(dataset.split).name, on_wait)
    return content_of(source, folder / FILES)


def _batches(numbered_rows: Iterator[NumberedRow]) -> Iterator[Sequence[NumberedRow]]:
    while batch := list(islice(numbered_rows, BATCH)):
        yield batch
