"""What is wrong with a set as a whole: rows that leak, answers that are all alike, and who dominates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ft_core.inspection.finding import Finding, set_finding
from ft_core.inspection.marks import evaluates, places_of
from ft_core.inspection.rows import DatasetRows
from ft_core.inspection.scan import Columns

FEW = 10
"""Samples below which a share says nothing."""

ALIKE = 0.5
ALIKE_SHORT = 0.9
"""Share of the samples above which one answer is too many, and the same where the answers are labels."""

SHORT = 3
"""Trained tokens that most answers have at most where they are told to be short."""

DOMINATES = 0.1
"""Share of all tokens from which on a row dominates the set, if it is also twenty times as long as others."""

TINY = 0.01
"""Share of all tokens below which a dataset hardly counts."""


@dataclass(frozen=True, eq=False)
class Set:
    """All samples so far, and which rows they are of.

    Attributes
    ----------
    columns
        With the flags that need all of them.
    datasets
        Whose rows the places are.
    rows
        How many rows were looked at.
    """

    columns: Columns
    datasets: Sequence[DatasetRows]
    rows: int


def set_findings(given: Set) -> list[Finding]:
    """Return what is wrong with the set as a whole."""
    return [found for find in _FINDERS if (found := find(given))]


def _leak(given: Set) -> Finding | None:
    columns = given.columns
    evaluated = evaluates(columns, given.datasets)
    trained = columns.digest[~evaluated & (columns.length > 0)]
    leaked = evaluated & (columns.length > 0)
    leaked[leaked] = np.isin(columns.digest[leaked], trained)
    places = places_of(columns, leaked)
    if not len(places):
        return None
    rows = "1 row" if len(places) == 1 else f"{len(places):,} rows"
    return set_finding(
        "leak",
        "Rows in both sets",
        "wrong",
        places,
        int(np.count_nonzero(np.diff(columns.place[evaluated], prepend=-1))),
        f"{rows} of test_datasets {'is' if len(places) == 1 else 'are'} among the rows to train on, so the evaluation "
        "looks better than it is.",
        "Remove them from datasets, or set dataset_exact_deduplication: true.",
    )


def _equal_answers(given: Set) -> Finding | None:
    columns = given.columns
    kept = columns.dropped == 0
    if np.count_nonzero(kept) < FEW or len(np.unique(columns.digest[kept])) < FEW:
        return None
    answers, amounts = np.unique(columns.answer[kept], return_counts=True)
    most = int(amounts.argmax())
    share = float(amounts[most] / amounts.sum())
    if share <= (ALIKE_SHORT if np.median(columns.trained[kept]) <= SHORT else ALIKE):
        return None
    alike = kept & (columns.answer == answers[most])
    return set_finding(
        "equal_answers",
        "Equal answers",
        "suspicious",
        places_of(columns, alike),
        given.rows,
        f"{share:.0%} of the samples are trained on the very same text, whatever they ask.",
        "Check which column holds the answer, or take fewer of these rows.",
    )


def _short_answers(given: Set) -> Finding | None:
    columns = given.columns
    kept = columns.dropped == 0
    if np.count_nonzero(kept) < FEW or np.median(columns.trained[kept]) > SHORT:
        return None
    short = kept & (columns.trained <= SHORT)
    return set_finding(
        "short_answers",
        "Short answers",
        "notable",
        places_of(columns, short),
        given.rows,
        f"Most samples train at most {SHORT} tokens, the token that ends the answer among them.",
        "Check which column holds the answer; for labels and choices it is as it should be.",
    )


def _dominating_row(given: Set) -> Finding | None:
    columns = given.columns
    kept = columns.dropped == 0
    if np.count_nonzero(kept) < FEW:
        return None
    # A long text gives many samples, and its row is what dominates.
    tokens = np.bincount(columns.place[kept], weights=columns.length[kept])
    place = int(tokens.argmax())
    share = float(tokens[place] / tokens.sum())
    if share < DOMINATES or tokens[place] < 20 * tokens.sum() / np.count_nonzero(tokens):
        return None
    return set_finding(
        "dominating_row",
        "One row dominates",
        "suspicious",
        np.array([place], np.int32),
        given.rows,
        f"One row has {share:.0%} of all tokens.",
        "Shorten or remove it.",
    )


def _unequal_datasets(given: Set) -> Finding | None:
    trained = [each for each in given.datasets if each.purpose == "train" and each.count]
    columns = given.columns
    # While the pass goes on, a dataset may not have been reached.
    if len(trained) < 2 or not len(columns) or columns.place[-1] < trained[-1].first:
        return None
    lengths = np.where(columns.dropped == 0, columns.length, 0).cumsum(dtype=np.int64)
    ends = np.searchsorted(columns.place, [each.first + each.count for each in trained])
    tokens = np.diff(np.concatenate(([0], lengths))[ends], prepend=0)
    smallest = int(tokens.argmin())
    share = float(tokens[smallest] / max(int(tokens.sum()), 1))
    if share >= TINY:
        return None
    each = trained[smallest]
    return set_finding(
        "unequal_datasets",
        "Unequal datasets",
        "notable",
        np.arange(each.first, each.first + each.count, dtype=np.int32),
        given.rows,
        f"'{each.dataset.path}' has {share:.2%} of the tokens to train on, so it hardly counts.",
        "Give the larger datasets a lower weight, such as weight: 0.1.",
    )


_FINDERS: tuple[Callable[[Set], Finding | None], ...] = (
    _leak,
    _equal_answers,
    _short_answers,
    _dominating_row,
    _unequal_datasets,
)
