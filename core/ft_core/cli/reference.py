"""The reference page of the command line, written from the parsers: ``python -m ft_core.cli.reference``."""

from __future__ import annotations

import argparse

from ft_core.cli.main import VERBS, build_parser

HEAD = """\
# The command line

Written from the parsers by `python -m ft_core.cli.reference`; a test keeps it equal.

Runs are kept in `$FT_RUNS_DIR`, or in `runs` in the current folder. The exit status is 0 when done, 1 after an error
(told on stderr in a sentence and its fix), 2 for a command that makes no sense, 130 after Ctrl-C. A run that was started
goes on without its terminal.
"""


def reference() -> str:
    """Return the page."""
    _, parsers = build_parser()
    parts = [HEAD, "| verb | does |\n|---|---|"]
    parts[-1] += "".join(f"\n| [`ft {name}`](#ft-{name}) | {module.HELP} |" for name, module in VERBS.items())
    for name, parser in parsers.items():
        parts.append(f"\n## ft {name}\n")
        parts.append(f"{parser.description}\n")
        parts.append("| argument | means |\n|---|---|")
        # argparse keeps its arguments nowhere else.
        actions = [action for action in parser._actions if "--help" not in action.option_strings]  # pyright: ignore[reportPrivateUsage]
        parts[-1] += "".join(f"\n| `{_written(action)}` | {action.help} |" for action in actions)
        if parser.epilog:
            parts.append(f"\n{parser.epilog}")
    return "\n".join(parts) + "\n"


def _written(action: argparse.Action) -> str:
    """Return an argument as one types it: ``-n N, --lines N``."""
    metavar = str(action.metavar or action.dest.upper())
    if not action.option_strings:
        return metavar
    value = "" if action.nargs == 0 else f" {metavar}"
    return ", ".join(option + value for option in action.option_strings)


if __name__ == "__main__":
    print(reference(), end="")
