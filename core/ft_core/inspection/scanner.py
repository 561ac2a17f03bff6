"""Batches of rows to the few numbers that a pass keeps of them."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping

from ft_core.data.files import Row, Skipped
from ft_core.data.sample import IGNORE, Sample
from ft_core.data.sieve import BROKEN, drop_reason
from ft_core.errors import FtError
from ft_core.inspection.flags import BIT
from ft_core.inspection.look import DatasetLook
from ft_core.inspection.sample_flags import untrained_stop
from ft_core.inspection.scan import NAMED, Scanned, columns_of, reasons

PlacedRow = tuple[int, Row]
"""The number of a row in its source, and the row."""


class Scanner:
    """Turns batches of one dataset into what is kept of them.

    Parameters
    ----------
    look
        What tokenizes the dataset's rows.
    """

    def __init__(self, look: DatasetLook) -> None:
        self._look = look
        self._codes = {reason: code for code, reason in enumerate(reasons(look.config))}

    def scan(self, rows: Mapping[int, PlacedRow | FtError]) -> Scanned:
        """Return what a batch gives; none of its rows ends the pass.

        Parameters
        ----------
        rows
            By their places, in order: each with its number, or why it cannot be read.
        """
        broken = {place: given for place, given in rows.items() if isinstance(given, FtError)}
        readable = {place: given for place, given in rows.items() if not isinstance(given, FtError)}
        samples = self._samples(readable, broken)
        entries: list[tuple[int, ...]] = []
        roles, trained_roles = Counter[str](), Counter[str]()
        unknown, stops = Counter[str](), Counter[str]()
        for place in rows:
            row = readable[place][1] if place in readable else None
            said = None if row is None else self._look.said(row, samples.get(place, ()))
            if said:
                unknown.update(said.unknown)
            if row is None or place in broken:
                bits = BIT["broken"] | (said.bits if said else 0)
                entries.append((place, 0, 0, 0, 0, bits, self._codes[BROKEN], 0, 0))
                continue
            flags = self._look.flags(samples[place], row, said)
            for ordinal, (sample, bits) in enumerate(zip(samples[place], flags, strict=True)):
                entries.append(
                    (
                        place, ordinal, len(sample), sample.trained, sample.cut, bits,
                        self._codes[drop_reason(self._look.config, sample) or ""], *_digests(sample),
                    )
                )  # fmt: skip
                for span in sample.spans:
                    roles[span.role] += span.end - span.start
                    if span.trained:
                        trained_roles[span.role] += span.end - span.start
                if bits & BIT["stop_untrained"]:
                    stops[untrained_stop(self._look.facts, sample)] += 1
        causes = Counter(map(cause_of, broken.values()))
        named = tuple(sorted(broken.items(), key=lambda item: item[0])[:NAMED])
        return Scanned(columns_of(entries), roles, trained_roles, unknown, stops, causes, named)

    def _samples(self, rows: Mapping[int, PlacedRow], broken: dict[int, FtError]) -> dict[int, list[Sample]]:
        """Return the samples of each row; a row that is none goes to `broken`."""
        batch = list(rows.values())
        found: dict[int, list[Sample]] = {number: [] for number, _ in batch}
        try:
            for sample in self._look.batch(batch, Skipped()) if batch else []:
                found[sample.row].append(sample)
        except FtError:
            found = {number: [] for number, _ in batch}
        samples = {place: found[number] for place, (number, _) in rows.items()}
        for place, (number, row) in rows.items():
            if samples[place]:
                continue
            # Alone, it says what is wrong with it.
            try:
                samples[place] = self._look.samples(number, row, lambda: batch)
            except FtError as error:
                broken[place] = error
        return samples


def cause_of(error: FtError) -> str:
    """Return why a row is none, without its place, and alike for all rows of the same fault.

    >>> cause_of(FtError("rows.jsonl line 3: not valid JSON (expected value at column 12)"))
    'not valid JSON (expected value at column …)'
    """
    _, found, cause = error.message.partition(": ")
    return re.sub(r"[0-9]+", "…", cause if found else error.message)[:300]


def _digests(sample: Sample) -> tuple[int, int]:
    """Return what tells a sample from others, and its answer."""
    labels = sample.labels
    whole = hashlib.blake2b(sample.input_ids.tobytes(), digest_size=8)
    whole.update(labels.tobytes())
    answer = hashlib.blake2b(labels[labels != IGNORE].tobytes(), digest_size=8)
    return int.from_bytes(whole.digest(), "little"), int.from_bytes(answer.digest(), "little")
