"""What was found, in words: the same in a terminal, in a still picture and in a message."""

from __future__ import annotations

from ft_core.inspection.finding import Finding
from ft_core.inspection.flags import FLAGS, Severity
from ft_core.inspection.job import Job
from ft_core.inspection.look import Looked

MARKS: dict[Severity, str] = {
    "broken": "✗ broken",
    "wrong": "! wrong",
    "suspicious": "? suspicious",
    "notable": "· notable",
}
"""A sign and a word, so that no colour has to say how bad it is."""

TITLES = {flag.name: flag.title for flag in FLAGS}


def heading(looked: Looked, at: int) -> str:
    """Return one sample's numbers in words; `at` says which of the row's samples."""
    entry = looked.samples[at]
    sample = entry.sample
    part = f", sample {at + 1} of {len(looked.samples)}" if len(looked.samples) > 1 else ""
    words = f"Row {row_number(looked):,}{part}: {len(sample):,} tokens, {sample.trained:,} trained"
    if sample.cut:
        words += f", {sample.cut:,} cut off"
    return f"{words}. Left out of training: {entry.dropped}." if entry.dropped else words


def row_number(looked: Looked) -> int:
    """Return the number of a row in its source, from 1; of one that cannot be read, its place."""
    return (looked.place if looked.number is None else looked.number) + 1


def flag_titles(names: tuple[str, ...]) -> str:
    """Return what flags are called, in one line.

    >>> flag_titles(("double_bos", "nothing_trained"))
    'Double BOS, Nothing trained'
    """
    return ", ".join(TITLES[name] for name in names)


def finding_words(finding: Finding) -> str:
    """Return a finding as a sentence or two: what, in how many rows, and why."""
    if finding.flag is None:
        return f"{finding.title}: {finding.reason}"
    rows = "1 row" if finding.count == 1 else f"{finding.count:,} rows"
    return f"{finding.title}, {rows} ({finding.share:.1%}): {finding.reason}"


def reason(rule: str) -> str:
    """Return the rule of a span without the word that stands before it anyway.

    >>> reason("masked: role user is not in roles_to_train")
    'role user is not in roles_to_train'
    """
    return rule.removeprefix("trained: ").removeprefix("masked: ")


def so_far(job: Job) -> str:
    """Return how much of the set the figures are about; empty where it is all of it, or none."""
    if job.state == "done" or not job.done:
        return ""
    return f"So far {job.done:,} of {job.total:,} rows were looked at."
