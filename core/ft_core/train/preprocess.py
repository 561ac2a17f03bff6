"""The data of a run made ready before it, and told of: what was kept, what was left out, and where it lies."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ft_core.data import Sample, Samples, load_samples
from ft_core.data.sieve import EQUAL
from ft_core.data.stored import StoredSamples
from ft_core.data.write_tables import write_tables
from ft_core.errors import DataError
from ft_core.models.hardware import cpu_cores

if TYPE_CHECKING:
    from ft_core.config import Config


@dataclass(frozen=True)
class Preprocessed:
    """The samples of a config, ready for its run.

    Attributes
    ----------
    paths
        The path of each dataset, as the config writes it.
    samples
        What the run will train and evaluate on.
    seconds
        How long it took.
    pushed
        What became of them on the hub, in words; empty where they are not to be there.
    """

    paths: tuple[str, ...]
    samples: Samples
    seconds: float
    pushed: str = ""

    def by_dataset(self) -> list[tuple[str, list[str]]]:
        """Return what became of each dataset, as its path and sentences."""
        told: list[tuple[str, list[str]]] = []
        for path, entry in zip(self.paths, self.samples.entries, strict=True):
            rows = f"{entry.tally.rows:,} rows, {_amount(StoredSamples([entry.table]))}"
            dropped = [f"left out: {count:,} {reason}" for reason, count in entry.tally.dropped.most_common()]
            kept = "not kept: what gives its rows may give others the next time"
            if entry.folder is not None:
                kept = f"{'found in' if entry.found else 'now kept in'} {entry.folder}"
            told.append((path, [rows, *dropped, kept]))
        return told

    def totals(self) -> list[tuple[str, str]]:
        """Return what there is in all, as names and words."""
        train, held_out = self.samples.train, self.samples.eval
        told = [("to train on", _amount(train))]
        if len(held_out):
            told.append(("to evaluate on", _amount(held_out)))
        if equal := self.samples.dropped.get(EQUAL):
            told.append(("left out", f"{equal:,} {EQUAL}"))
        if self.samples.truncated:
            told.append(("truncated", f"{self.samples.truncated:,} samples, to sequence_len"))
        if self.pushed:
            told.append(("on the hub", self.pushed))
        told.append(("time", f"{self.seconds:.1f} s"))
        return told + [("warning", warning) for warning in self.samples.warnings]

    def render(self) -> str:
        """Return what to tell as text."""
        lines = [
            line for path, told in self.by_dataset() for line in (path, *(f"  {words}" for words in told))
        ]
        totals = self.totals()
        width = max(len(name) for name, _ in totals)
        return "\n".join([*lines, *(f"{name.ljust(width)}  {words}" for name, words in totals)])


def preprocess(
    config: Config, *, on_progress: Callable[[int, int | None], None] | None = None
) -> Preprocessed:
    """Tokenize the data of a config and keep it, so that its run starts from there.

    Parameters
    ----------
    config
        What a run would train. Rows of notebook variables are taken as a run would write them.
    on_progress
        As for `ft_core.data.load_samples`.

    Raises
    ------
    DataError, ModelError
        As the run would raise them; or the data is streamed, so that there is nothing to prepare; or the hub, which is to
        keep it, refuses.
    """
    if config.streaming:
        raise DataError(
            "streaming: true tokenizes rows while training, so there is nothing to prepare.",
            "Start the run, or remove streaming.",
        )
    from ft_core.models.tokenizer import load_tokenizer

    started = time.perf_counter()
    tokenizer = load_tokenizer(config)
    with tempfile.TemporaryDirectory(prefix="ft-tables-") as folder:
        written = write_tables(config, Path(folder))
        samples = load_samples(written, tokenizer, processes=cpu_cores(), on_progress=on_progress)
    paths = tuple(dataset.path for dataset in config.all_datasets)
    pushed = _push(config.push_dataset_to_hub, samples) if config.push_dataset_to_hub else ""
    return Preprocessed(paths, samples, time.perf_counter() - started, pushed)


def _push(repository: str, samples: Samples) -> str:
    """Put the samples that are kept on the hub, and return in words what became of them."""
    from ft_core.data.hub import push_samples

    folders = [entry.folder for entry in samples.entries if entry.folder is not None]
    new = sum(push_samples(repository, folder) for folder in folders)
    return f"{new} of {len(samples.entries)} datasets put into '{repository}'" + (
        f", {len(folders) - new} were there" if len(folders) > new else ""
    )


def describe_samples(samples: Sequence[Sample], *, ids: bool = True) -> Iterator[str]:
    """Yield samples as text: each span with whether it is trained, who speaks, its text, the rule, and its ids.

    Parameters
    ----------
    samples
        What to describe.
    ids
        Whether the ids stand below each span.
    """
    for sample in samples:
        yield f"{sample.source}, row {sample.row + 1}: {len(sample):,} tokens, {sample.trained:,} trained"
        for span in sample.spans:
            mark = "trained" if span.trained else "masked "
            yield f"  {mark}  {span.role:10} {json.dumps(span.text, ensure_ascii=False)}  ({span.rule.partition(': ')[2]})"
            if ids:
                yield f"           {' '.join(map(str, sample.input_ids[span.start : span.end].tolist()))}"


def _amount(samples: StoredSamples) -> str:
    tokens, trained = int(samples.lengths.sum()), int(samples.trained.sum())
    share = f", {trained / tokens:.1%} of them trained" if tokens else ""
    return f"{len(samples):,} samples, {tokens:,} tokens{share}"
