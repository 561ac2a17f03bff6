"""``ft train CONFIG``: start a run in the background and follow it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from typing import Any

from ft_core.cli.overrides import ABOUT, add_set, load

HELP = "start a run in the background and follow it"
TAKES_OVERRIDES = True
EPILOG = (
    ABOUT
    + "\n\nCtrl-C asks the run to finish its step, save and end; a second one ends it at once. The run itself\n"
    "outlives this command and its terminal: ft attach NAME follows it again."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("config", metavar="CONFIG", help="the YAML file, or its https:// address")
    parser.add_argument("--name", help="the run's name (default: the next free run-N)")
    parser.add_argument(
        "--gpus",
        type=int,
        metavar="N",
        help="GPUs to train on, one rank each (default: all); without a GPU, ranks on the CPU",
    )
    add_set(parser)
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on where the last run of this config broke off, if one did (auto_resume_from_checkpoints)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a run of this name that has ended")
    parser.add_argument(
        "--detach", action="store_true", help="return at once; ft attach NAME follows the run"
    )
    parser.add_argument("--plan", action="store_true", help="only say what the run would do, as ft plan")


def execute(arguments: argparse.Namespace) -> int:
    """Start the run, and follow it to its end unless ``--detach``."""
    if arguments.plan:
        from ft_core.cli import plan

        return plan.execute(arguments)
    from ft_core.cli.follow import follow
    from ft_core.launch import launch

    if arguments.resume:
        arguments.set.append("auto_resume_from_checkpoints=true")
    config = load(arguments)
    run = launch(config, arguments.name, gpus=arguments.gpus, overwrite=arguments.overwrite)
    print(f"Run '{run.name}' in {run.directory}", flush=True)
    for warning in config_warnings(run.plan):
        print(warning, file=sys.stderr)
    return 0 if arguments.detach else follow(run, interrupt_stops=True)


def config_warnings(plan: Mapping[str, Any]) -> list[str]:
    r"""Return the warnings of a plan as a person reads them.

    >>> config_warnings({"warnings": [{"line": 3, "column": 1, "message": "lora_r is huge", "fix": "lower it"}]})
    ['warning: line 3, column 1: lora_r is huge\n  fix: lower it']
    """
    lines: list[str] = []
    for warning in plan["warnings"]:
        where = f"line {warning['line']}, column {warning['column']}: " if warning["line"] else ""
        fix = f"\n  fix: {warning['fix']}" if warning["fix"] else ""
        lines.append(f"warning: {where}{warning['message']}{fix}")
    return lines
