"""One row as its samples: what training makes of it, and what is doubtful about each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ft_core.data.files import Row, Skipped
from ft_core.data.sample import Sample
from ft_core.data.sieve import drop_reason
from ft_core.data.tokenize import BATCH, NumberedRow, batch_tokenizer
from ft_core.errors import DataError, FtError
from ft_core.inspection.flags import names_of
from ft_core.inspection.row_flags import Conversation, read_flags, seen_in
from ft_core.inspection.rows import RowList
from ft_core.inspection.sample_flags import Facts, facts_of, sample_bits

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from ft_core.config import Config, Dataset


@dataclass(frozen=True)
class LookedSample:
    """A sample, why training leaves it out (None where it does not), and the names of its flags."""

    sample: Sample
    dropped: str | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Looked:
    """A row and what became of it.

    Attributes
    ----------
    place
        The number of the row through all datasets.
    dataset
        The number of its dataset.
    number
        Its number in the source, from 0; None where it cannot be read.
    row
        The row, None where it cannot be read.
    samples
        What became of it; none where there is an error.
    error
        Why it is no sample.
    """

    place: int
    dataset: int
    number: int | None
    row: Row | None
    samples: tuple[LookedSample, ...]
    error: FtError | None = None


class DatasetLook:
    """Tokenizes rows of one dataset as training does, and says what is doubtful about them.

    Parameters
    ----------
    config, dataset, tokenizer
        As for `ft_core.data.tokenize.batch_tokenizer`.
    """

    def __init__(self, config: Config, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> None:
        self.config, self.dataset, self.tokenizer = config, dataset, tokenizer

    @cached_property
    def _tokenize(self) -> Callable[[Sequence[NumberedRow], Skipped | None], list[Sample]]:
        return batch_tokenizer(self.config, self.tokenizer, self.dataset)

    @cached_property
    def facts(self) -> Facts:
        """What the flags of its samples depend on."""
        return facts_of(self.config, self.dataset, self.tokenizer)

    def batch(self, rows: Sequence[NumberedRow], skipped: Skipped | None = None) -> list[Sample]:
        """Return the samples of rows as training makes them.

        Raises
        ------
        DataError
            A row is none, and nobody counts them; or the options of the dataset cannot be used.
        """
        try:
            return self._tokenize(rows, skipped)
        except (FtError, MemoryError):
            raise
        except Exception as error:
            # A function of the user's, a template's extension or the tokenizer itself failed on this row.
            raise DataError(
                f"{self.dataset.path}, row {rows[0][0] + 1}: {type(error).__name__}: {error}",
                "Look at the row, or at the function that reads it.",
            ) from error

    def samples(self, number: int, row: Row, beside: Callable[[], Iterable[NumberedRow]]) -> list[Sample]:
        """Return the samples of a row, or raise an FtError.

        Whether a column is there is asked of all rows of a batch, so `beside` gives those of the batch that training would
        read the row in; it is called only where the row by itself is none.
        """
        try:
            return self.batch([(number, row)])
        except FtError:
            others = {
                frozenset(other): (at, other) for at, other in beside() if not other.keys() <= row.keys()
            }
            if not others:
                raise
            given = self.batch([(number, row), *others.values()], Skipped())
            samples = [sample for sample in given if sample.row == number]
            if not samples:
                raise
            return samples

    def said(self, row: Mapping[str, Any], samples: Sequence[Sample] = ()) -> Conversation | None:
        """Return what a row says of itself, None where it is no conversation."""
        if not self.facts.is_chat:
            return None
        seen = seen_in(samples[0], row, self.dataset) if samples else None
        return seen or read_flags(row, self.dataset, self.facts.template)

    def flags(
        self, samples: Sequence[Sample], row: Mapping[str, Any], said: Conversation | None
    ) -> list[int]:
        """Return the flags of each sample of a row, as bits."""
        return [
            sample_bits(self.facts, sample, row, said, is_last=number == len(samples))
            for number, sample in enumerate(samples, 1)
        ]


class Looker:
    """Looks at rows of a config; from one thread at a time, as the options of a call are set on the tokenizer.

    Parameters
    ----------
    config, tokenizer
        What says how rows become samples.
    rows
        The rows of the same config.
    """

    def __init__(self, config: Config, tokenizer: PreTrainedTokenizerBase, rows: RowList) -> None:
        self._config, self._rows = config, rows
        self._datasets = [DatasetLook(config, each.dataset, tokenizer) for each in rows.datasets]

    def look(self, place: int) -> Looked:
        """Return a row and what becomes of it; one that is no sample comes with the error, which is not raised."""
        index, inside = self._rows.locate(place)
        number: int | None = None
        row: Row | None = None
        try:
            number, row = self._rows.row(place)
            dataset = self._datasets[index]
            samples = dataset.samples(number, row, lambda: self._batch_of(index, inside))
            bits = dataset.flags(samples, row, dataset.said(row, samples))
        except FtError as error:
            return Looked(place, index, number, row, (), error)
        looked = (
            LookedSample(sample, drop_reason(self._config, sample), names_of(flags))
            for sample, flags in zip(samples, bits, strict=True)
        )
        return Looked(place, index, number, row, tuple(looked))

    def _batch_of(self, index: int, inside: int) -> Iterable[NumberedRow]:
        """Yield the rows of the batch that training reads a row in."""
        dataset = self._rows.datasets[index]
        start = inside - inside % BATCH
        for at in range(start, min(start + BATCH, dataset.count)):
            try:
                yield self._rows.row(dataset.first + at)
            except DataError:  # noqa: PERF203 - a row that cannot be read is in no batch
                continue
