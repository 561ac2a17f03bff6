"""``ft preprocess CONFIG``: tokenize the data of a run before it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from ft_core.cli.overrides import ABOUT, add_set, load

HELP = "tokenize the data of a config and keep it, so that its run starts at once"
TAKES_OVERRIDES = True
EPILOG = ABOUT

EXAMPLES = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("config", metavar="CONFIG", help="the YAML file, or its https:// address")
    parser.add_argument(
        "--debug", action="store_true", help="print the first samples: what is trained of each, and why"
    )
    parser.add_argument(
        "--debug-num-examples",
        type=int,
        default=EXAMPLES,
        metavar="N",
        help=f"how many (default: {EXAMPLES})",
    )
    parser.add_argument("--debug-text-only", action="store_true", help="print them without ids")
    add_set(parser)


def execute(arguments: argparse.Namespace) -> int:
    """Prepare the data, and print what it is."""
    from ft_core.train.preprocess import describe_samples, preprocess

    config = load(arguments)
    with _bar() as on_progress:
        prepared = preprocess(config, on_progress=on_progress)
    if arguments.debug:
        some = prepared.samples.train[: max(0, arguments.debug_num_examples)]
        for line in describe_samples(some, ids=not arguments.debug_text_only):
            print(line)
    print(prepared.render())
    return 0


@contextmanager
def _bar() -> Generator[Callable[[int, int | None], None] | None]:
    """Give what draws how far it is, where somebody watches."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("tokenizing", total=None)

        def advance(done: int, total: int | None) -> None:
            progress.update(task, completed=done, total=total)

        yield advance
