"""``ft inspect CONFIG``: what training makes of rows, and what is wrong with the set."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from ft_core.cli.overrides import ABOUT, add_set, load
from ft_core.errors import FtError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

    from ft_core.inspection.background_process import PassName
    from ft_core.inspection.finding import Finding
    from ft_core.inspection.inspection import Inspection
    from ft_core.inspection.job import Job
    from ft_core.inspection.look import Looked

HELP = "show what training makes of rows, token by token, and what is wrong with the set"
TAKES_OVERRIDES = True
EPILOG = (
    "What is trained has a full line before it and is underlined; what is masked has a dotted one. With --findings and\n"
    "--strict, the exit status is 1 where rows are broken or wrong.\n\n" + ABOUT
)

ROWS = 3

LOOK = 0.05
"""Seconds between two looks at how far a pass is."""

FAILED = 1


PASSES: dict[PassName, str] = {"scan": "going through the rows", "parity": "comparing prompts"}

RAILS = {True: "┃", False: "┊"}
"""Before what is trained, and before what is not."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("config", metavar="CONFIG", help="the YAML file, or its https:// address")
    parser.add_argument(
        "--row", type=_count, metavar="N", help="show this row, counted from 1 through all datasets"
    )
    parser.add_argument(
        "--rows", type=_count, default=ROWS, metavar="K", help=f"how many rows (default: {ROWS})"
    )
    parser.add_argument(
        "--find", metavar="FLAG", help="show rows of a kind, such as truncated, nothing_trained or longest"
    )
    parser.add_argument("--ids", action="store_true", help="print the ids below each text")
    parser.add_argument(
        "--findings",
        action="store_true",
        help="go through the whole set and list what is wrong with it, worst first",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        help="with --findings: exit with status 1 where rows are broken or wrong",
    )
    add_set(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Show rows, or what is wrong with the set."""
    from rich.console import Console

    from ft_core.inspection.inspection import open_inspection
    from ft_core.inspection.tokens import TokenTable

    config = load(arguments)
    console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
    inspection = open_inspection(config)
    try:
        if arguments.findings:
            return _findings(inspection, console, strict=arguments.strict)
        places = _places(inspection, arguments)
        words_of = TokenTable(inspection.tokenizer).texts
        for place in places:
            for line in row_lines(inspection.look(place), ids=arguments.ids, words_of=words_of):
                console.print(line)
    finally:
        inspection.close()
    return 0


def _places(inspection: Inspection, arguments: argparse.Namespace) -> Sequence[int]:
    """Return the rows to show.

    Raises
    ------
    FtError
        There is no such row, no such flag, or no row of it.
    """
    total = len(inspection.rows)
    if arguments.row is not None:
        if arguments.row > total:
            raise FtError(f"There is no row {arguments.row:,}.", f"The last one is {total:,}.")
        return range(arguments.row - 1, min(arguments.row - 1 + _after(arguments), total))
    if arguments.find is None:
        return range(min(arguments.rows, total))
    return _found(inspection, arguments.find.replace("-", "_"), arguments.rows)


def _after(arguments: argparse.Namespace) -> int:
    """Return how many rows to show from --row on: that one, unless --rows says more."""
    return 1 if arguments.rows == ROWS else arguments.rows


def _found(inspection: Inspection, name: str, most: int) -> Sequence[int]:
    """Return the first rows of a flag, or of an order; goes no further through the set than it has to."""
    from ft_core.config.problems import did_you_mean
    from ft_core.inspection.flags import FLAGS
    from ft_core.inspection.inspection import ORDERS

    names = [*(flag.name for flag in FLAGS), *ORDERS]
    if name not in names:
        near = did_you_mean(name, names) or "."
        raise FtError(f"There is no flag '{name}'{near}", f"The flags are {', '.join(names)}.")
    if name == "random":
        return inspection.places(name)[:most].tolist()
    inspection.start_scan()
    whole = name == "longest"
    enough: Callable[[], bool] = lambda: not whole and len(inspection.places(name)) >= most  # noqa: E731
    _wait(inspection, "scan", enough)
    if name == "prompt_differs":
        inspection.start_parity()
        _wait(inspection, "parity", enough)
    found = inspection.places(name)[:most].tolist()
    if not found:
        raise FtError(f"No row is '{name}'.", "ft inspect CONFIG --findings lists what there is.")
    return found


def _findings(inspection: Inspection, console: Console, *, strict: bool) -> int:
    """Go through the whole set, print figures and findings, and return the exit status."""
    from ft_core.inspection.words import MARKS

    inspection.start_scan()
    _wait(inspection, "scan")
    inspection.start_parity()
    _wait(inspection, "parity")
    found = inspection.findings
    console.print(figures(inspection))
    for finding in found:
        for line in finding_lines(finding, MARKS[finding.severity]):
            console.print(line)
    if not found:
        console.print("Nothing is wrong with this set.")
    bad = any(finding.severity in ("broken", "wrong") for finding in found)
    return FAILED if strict and bad else 0


def figures(inspection: Inspection) -> str:
    """Return the set in figures, on one line."""
    rows = f"{len(inspection.rows):,} rows"
    summary = inspection.summary
    if summary is None:
        return rows
    share = f", {summary.trained / summary.tokens:.1%} of them trained" if summary.tokens else ""
    words = [
        rows,
        f"{summary.samples:,} samples, {summary.kept:,} kept",
        f"{summary.tokens:,} tokens{share}",
        f"longest {summary.longest:,}",
    ]
    if summary.fill is not None:
        words.append(f"{summary.packed_rows:,} packed rows, {summary.fill:.1%} full")
    return "; ".join(words)


def finding_lines(finding: Finding, mark: str) -> Iterator[Text]:
    """Yield a finding: how bad it is and what, where, and what to do."""
    from rich.text import Text

    from ft_core.inspection.signs import readable
    from ft_core.inspection.words import finding_words

    style = {"broken": "bold red", "wrong": "bold red", "suspicious": "bold yellow"}.get(
        finding.severity, "bold"
    )
    yield Text.assemble((f"{mark:14}", style), readable(finding_words(finding)))
    if finding.places:
        shown = ", ".join(f"{place + 1:,}" for place in finding.places[:5])
        more = " ..." if finding.count > min(len(finding.places), 5) else ""
        yield Text(f"{'':14}rows {shown}{more}", style="dim")
    if finding.fix:
        yield Text(f"{'':14}{readable(finding.fix)}", style="dim")


def row_lines(
    looked: Looked, *, ids: bool, words_of: Callable[[Sequence[int]], Sequence[str]]
) -> Iterator[Text]:
    """Yield a row: for each sample its numbers, then its spans; or why it is no sample.

    Parameters
    ----------
    looked
        The row.
    ids
        Whether the ids stand below each span.
    words_of
        Gives the text of each of some ids.
    """
    from rich.text import Text

    from ft_core.inspection.signs import readable, visible
    from ft_core.inspection.words import flag_titles, heading, reason, row_number

    if looked.error is not None:
        yield Text(f"Row {row_number(looked):,}: {readable(looked.error.message)}", style="bold red")
        if looked.error.fix:
            yield Text(f"  {readable(looked.error.fix)}", style="dim")
        return
    for at, entry in enumerate(looked.samples):
        sample = entry.sample
        yield Text(readable(heading(looked, at)), style="bold")
        if entry.flags:
            yield Text(f"  {flag_titles(entry.flags)}", style="yellow")
        for span in sample.spans:
            tokens = sample.input_ids[span.start : span.end].tolist()
            mark = "trained" if span.trained else "masked"
            line = Text(
                f"  {RAILS[span.trained]} {mark:7}  {span.role:9}  ", style="green" if span.trained else "dim"
            )
            for number, words in enumerate(words_of(tokens)):
                line.append(visible(words), style=_style(number, trained=span.trained))
            line.append(f"  ({readable(reason(span.rule))})", style="not underline not bold dim")
            yield line
            if ids:
                yield Text(f"  {RAILS[span.trained]} {'':20}{' '.join(map(str, tokens))}", style="dim")


def _style(number: int, *, trained: bool) -> str:
    """Return how a token is drawn: every other one a shade apart, so that it can be told where one ends."""
    if trained:
        return "bold bright_green underline" if number % 2 else "green underline"
    return "not dim" if number % 2 else "dim"


def _wait(inspection: Inspection, name: PassName, enough: Callable[[], bool] = lambda: False) -> None:
    """Wait for a pass, with a bar where somebody watches.

    Raises
    ------
    FtError
        The pass failed.
    """
    with ExitStack() as stack:
        advance = _bar(stack, PASSES[name])
        while (job := inspection.wait(name, LOOK)).state == "running" and not enough():
            advance(job)
    if job.state == "failed":
        raise FtError(job.message)


def _bar(stack: ExitStack, words: str) -> Callable[[Job], None]:
    """Return what draws how far a pass is; nothing where nobody watches."""
    if not sys.stderr.isatty():
        return lambda _: None
    from rich.console import Console
    from rich.progress import Progress

    progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
    task = progress.add_task(words, total=None)
    return lambda job: progress.update(task, completed=job.done, total=job.total)


def _count(word: str) -> int:
    """Return a positive whole number; argparse turns the ValueError into its sentence."""
    number = int(word)
    if number < 1:
        raise ValueError(word)
    return number


_count.__name__ = "number"  # argparse names the type in its message: "invalid number value: 'x'"
