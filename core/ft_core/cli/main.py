"""The entry point of ``ft``: parse, run the verb, and say what went wrong as a sentence.

Exit status: 0 done, 1 an error told on stderr, 2 a command that makes no sense, 130 interrupted.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Sequence
from types import ModuleType
from typing import NoReturn

from ft_core import __version__
from ft_core.cli import (
    attach,
    evaluate,
    explain,
    fetch,
    inspect,
    logs,
    merge_lora,
    plan,
    preprocess,
    runs,
    stop,
    train,
)
from ft_core.errors import FtError

VERBS: dict[str, ModuleType] = {
    "train": train,
    "plan": plan,
    "preprocess": preprocess,
    "inspect": inspect,
    "evaluate": evaluate,
    "runs": runs,
    "attach": attach,
    "stop": stop,
    "logs": logs,
    "merge-lora": merge_lora,
    "explain": explain,
    "fetch": fetch,
}

FAILED = 1
USAGE = 2
INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that names the nearest verb or option where one is unknown."""

    def error(self, message: str) -> NoReturn:
        """Print `message` and how the command is used, and exit with status 2."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: {message}\n")


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """Return the parser of ``ft`` and those of its verbs."""
    parser = Parser(
        prog="ft",
        description="Fine-tune a language model from a YAML file, and follow it.",
        epilog="More on a verb: ft VERB --help",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"ft {__version__}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    parsers: dict[str, Parser] = {}
    for name, module in VERBS.items():
        parsers[name] = verbs.add_parser(
            name,
            help=module.HELP,
            description=module.HELP[0].upper() + module.HELP[1:] + ".",
            epilog=getattr(module, "EPILOG", None),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        module.add_arguments(parsers[name])
    return parser, parsers


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a command; exits with status 2 where it makes no sense.

    A verb that takes a config also takes its keys as options: they are in ``overrides``, as ``key=value``.
    """
    parser, parsers = build_parser()
    if argv and not argv[0].startswith("-") and argv[0] not in VERBS:
        parser.error(f"there is no verb '{argv[0]}'{_did_you_mean(argv[0], VERBS)}")
    if not argv:
        parser.print_help()
        parser.exit(USAGE)
    rest, overrides = list(argv), list[str]()
    if getattr(VERBS.get(argv[0]), "TAKES_OVERRIDES", False):
        rest, overrides = _split(rest, parsers[argv[0]])
    known, unknown = parser.parse_known_args(rest)
    if unknown:
        of_verb = parsers[known.verb]
        options = [option for action in of_verb._actions for option in action.option_strings]  # pyright: ignore[reportPrivateUsage]
        what = "option" if unknown[0].startswith("-") else "argument"
        of_verb.error(f"unknown {what} '{unknown[0]}'{_did_you_mean(unknown[0], options)}")
    known.overrides = overrides
    return known


def _split(words: list[str], parser: Parser) -> tuple[list[str], list[str]]:
    """Return the words without the keys of a config, and those; exits where a flag is neither key nor option."""
    options = {option for action in parser._actions for option in action.option_strings}  # pyright: ignore[reportPrivateUsage]
    if not any(word.startswith("--") and word.partition("=")[0] not in options for word in words):
        return words, []
    # Only now: what keys there are takes a moment to load.
    from ft_core.config.flags import split_flags

    try:
        return split_flags(words, options)
    except FtError as error:
        parser.error(error.message)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status."""
    arguments = parse(sys.argv[1:] if argv is None else argv)
    try:
        status: int = VERBS[arguments.verb].execute(arguments)
        sys.stdout.flush()
    except FtError as error:
        print(told(error), file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone; Python would complain again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    return status


def told(error: FtError) -> str:
    """Return an error as a person reads it in a terminal."""
    from ft_core.config import ConfigError

    if isinstance(error, ConfigError):
        return error.render(color=sys.stderr.isatty() and "NO_COLOR" not in os.environ)
    return f"error: {error.message}" + (f"\nfix: {error.fix}" if error.fix else "")


def _did_you_mean(given: str, known: Sequence[str] | dict[str, ModuleType]) -> str:
    near = difflib.get_close_matches(given, list(known), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


if __name__ == "__main__":
    sys.exit(main())
